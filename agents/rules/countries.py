"""Tell the time zone of a country by whatever shops call it: DE, DEU, Germany.

Where a country has several zones it is the one in which most of its people live: nearer than UTC for everybody else.
Codes, zones and English names are CLDR's (UTS #35, by Babel).
"""

from __future__ import annotations

from functools import lru_cache

from babel import Locale
from babel.core import get_global

from agents.rules.values import plain

MOST_LIVE_IN = {
    "AQ": "Antarctica/McMurdo",
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "FM": "Pacific/Chuuk",
    "GL": "America/Nuuk",
    "ID": "Asia/Jakarta",
    "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty",
    "MH": "Pacific/Majuro",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti",
    "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Hebron",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UM": "Pacific/Wake",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}
"""Country of several zones -> the zone of most of its people."""

ALSO_CALLED = {
    "america": "US",
    "czech republic": "CZ",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "hong kong": "HK",
    "ivory coast": "CI",
    "korea": "KR",
    "macao": "MO",
    "macau": "MO",
    "northern ireland": "GB",
    "republic of korea": "KR",
    "russian federation": "RU",
    "scotland": "GB",
    "the netherlands": "NL",
    "turkey": "TR",
    "uk": "GB",
    "united states of america": "US",
    "viet nam": "VN",
    "wales": "GB",
}
"""English names that CLDR spells in another way."""

_UNKNOWN = "ZZ"
_LETTERS = 2
_LETTERS_LONG = 3


@lru_cache(maxsize=2048)
def zone_of_country(country: str) -> str:
    """Return the IANA zone of a country named by its ISO 3166 code or in English; empty if that is none.

    >>> (
    ...     zone_of_country("ph"),
    ...     zone_of_country("DEU"),
    ...     zone_of_country("United States"),
    ...     zone_of_country("Mordor"),
    ... )
    ('Asia/Manila', 'Europe/Berlin', 'America/New_York', '')
    """
    code = code_of_country(country)
    zones: list[str] = get_global("territory_zones").get(code, [])
    return MOST_LIVE_IN.get(code) or (zones[0] if zones and code != _UNKNOWN else "")


@lru_cache(maxsize=2048)
def code_of_country(country: str) -> str:
    """Return the ISO 3166 code (two letters) of a country by whatever name; empty if that is none.

    >>> code_of_country("BRA"), code_of_country("brazil"), code_of_country("Mordor")
    ('BR', 'BR', '')
    """
    country = " ".join(country.split())
    upper = country.upper()
    if len(upper) == _LETTERS and upper in get_global("territory_zones"):
        return upper
    if len(upper) == _LETTERS_LONG:
        aliases: list[str] = get_global("territory_aliases").get(upper, [])
        if len(aliases) == 1:
            return aliases[0]
    return ALSO_CALLED.get(country.casefold()) or _english().get(country.casefold(), "")


@lru_cache(maxsize=4_096)
def country_key(country: str) -> str:
    """Return what is equal for all names of a country, and the name's plain text where it is none's.

    >>> country_key("Brazil"), country_key(" Mordor")
    ('BR', 'mordor')
    """
    return code_of_country(country) or plain(country)


def english_names() -> list[str]:
    """Return the English names of all countries, in small letters."""
    return [*_english(), *ALSO_CALLED]


@lru_cache(maxsize=1)
def _english() -> dict[str, str]:
    """Return English name -> code."""
    return {
        name.casefold(): code
        for code, name in Locale("en").territories.items()
        if len(code) == _LETTERS
    }
