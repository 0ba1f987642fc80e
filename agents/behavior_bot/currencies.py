"""Say in which currency an event's sum is: by the currency that is given, else by what stands beside the sum.

Rules
1. What is given wins where it is a code of three letters, or the sign of one currency alone.
2. Else the sum says it: by its code (ISO 4217), by its sign. A sign of several (a bare $, ¥ or kr) names none.
3. Nothing is chosen without a word: what is given and is no code, what contradicts itself, and a sum that has a mark
   and no currency, say so. What is given and is no code keeps a name of its own: it is added to nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeGuard

CHARACTERS_MAX = 40
CURRENCY_CHARACTERS_MAX = 8

CODES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF
    CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA
    MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD
    UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL
    """.split()  # noqa: SIM905
)
"""ISO 4217, those that went lately among them, and the offshore yuan. Three letters beside a sum may be any word."""

ALONE = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₽": "RUB",
    "₺": "TRY",
    "₴": "UAH",
    "₪": "ILS",
    "₫": "VND",
    "₩": "KRW",
    "₦": "NGN",
    "₱": "PHP",
    "₸": "KZT",
    "₾": "GEL",
    "฿": "THB",
    "zł": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "us$": "USD",
    "a$": "AUD",
    "au$": "AUD",
    "c$": "CAD",
    "ca$": "CAD",
    "nz$": "NZD",
    "hk$": "HKD",
    "s$": "SGD",
    "r$": "BRL",
    "mx$": "MXN",
    "nt$": "TWD",
}
"""Signs, in small letters, that say one currency."""

_KRONER = frozenset({"DKK", "ISK", "NOK", "SEK"})
SHARED = {
    "$": frozenset(
        """
        ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP CVE DOP FJD GYD HKD JMD KYD LRD MOP MXN NAD NZD SBD SGD SRD TTD TWD
        USD UYU XCD
        """.split()  # noqa: SIM905
    ),
    "£": frozenset({"EGP", "FKP", "GIP", "LBP", "SDG", "SHP", "SSP", "SYP"}),
    "₩": frozenset({"KPW"}),
    "¥": frozenset({"CNH", "CNY", "JPY"}),
    "kr": _KRONER,
    "kr.": _KRONER,
    "c$": frozenset({"NIO"}),
}
"""Sign -> the currencies it may mean (beside the one it says alone): none of these contradicts it."""

_SIGNS = "|".join(
    re.escape(each) for each in sorted({*ALONE, *SHARED}, key=lambda each: (-len(each), each))
)
_MARK = rf"[A-Za-z]{{3}}|(?i:{_SIGNS})"
_BEFORE = re.compile(_MARK)
_AFTER = re.compile(rf"(?:{_MARK})\Z")
_MARK_CHARACTERS_MAX = 3
_CODE = re.compile(r"[A-Za-z]{3}")
_NUMBER = re.compile(r"[-+]?\d")

NO_CODE = "currency is neither a code of three letters nor the sign of one currency"


def currency_of(properties: dict[str, Any], sums: Iterable[Any] = ()) -> tuple[str, str]:
    """Return the currency of sums as it is kept, empty where none is named; and what is wrong with how it is told.

    >>> currency_of({"currency": " eur "}), currency_of({}, ["€ 49,90"]), currency_of({}, [5])
    (('EUR', ''), ('EUR', ''), ('', ''))
    >>> currency_of({}, ["$12"]), currency_of({"currency": "EUR"}, ["12 USD"])
    (('', '$ is a sign of several currencies'), ('EUR', 'currency is EUR, the sum is in USD'))
    """
    given, marks = properties.get("currency"), _marks(sums)
    own, wrong = _said(marks)
    if given is None or (isinstance(given, str) and not given.strip()):
        return own, wrong
    mark = given.strip().casefold() if _is_short(given) else ""
    if own and own in SHARED.get(mark, ()):
        return own, ""
    if code := given_code(properties):
        other = next((each for each in marks if not _may_be(each, code)), "")
        return code, f"currency is {code}, the sum is in {_shown(other)}" if other else ""
    if mark in SHARED:
        if own:
            return own, f"currency is {mark}, the sum is in {own}"
        return "", wrong or _several(mark)
    return own or _named(given), NO_CODE


def given_code(properties: dict[str, Any]) -> str:
    """Return the code of the currency that is given, empty where none is or where it is no code.

    >>> (
    ...     given_code({"currency": "usd"}),
    ...     given_code({"currency": "€"}),
    ...     given_code({"currency": "$"}),
    ... )
    ('USD', 'EUR', '')
    """
    given = properties.get("currency")
    code = given.strip() if _is_short(given) else ""
    return code.upper() if _CODE.fullmatch(code) else ALONE.get(code.casefold(), "")


def code_beside(text: str) -> str:
    """Return the currency that stands beside a sum, empty where none does, or two.

    >>> code_beside("1,234 KWD"), code_beside("$5"), code_beside("€5 USD")
    ('KWD', '', '')
    """
    return _said(_marks([text]))[0]


def parted(text: str) -> tuple[str, str, str]:
    """Return what stands before a number, the number as it is written, and what stands after it.

    >>> parted(" € 49,90 "), parted("12us$"), parted("about 5")
    (('€', '49,90', ''), ('', '12', 'us$'), ('', 'about 5', ''))
    """
    number, before, after = text.strip(), "", ""
    found = _BEFORE.match(number) if not number[:1].isdecimal() else None
    if found is not None:
        before, number = found[0], number[found.end() :].lstrip()
    if not number[-1:].isdecimal():
        found = _AFTER.search(number, max(1, len(number) - _MARK_CHARACTERS_MAX))
        if found is not None:
            after, number = found[0], number[: found.start()].rstrip()
    return (before, number, after) if _NUMBER.match(number) else ("", text.strip(), "")


def _marks(sums: Iterable[Any]) -> list[str]:
    """Return what stands beside sums, each once: codes first, for they say more than signs."""
    found: dict[str, None] = {}
    for each in sums:
        if _is_short(each):
            before, _, after = parted(each)
            found |= dict.fromkeys(mark.casefold() for mark in (before, after) if mark)
    return sorted(found, key=lambda mark: mark.upper() not in CODES)


def _is_short(each: Any) -> TypeGuard[str]:
    return isinstance(each, str) and len(each) <= CHARACTERS_MAX


def _said(marks: list[str]) -> tuple[str, str]:
    """Return the currency that all marks of a sum agree on, and why there is none although there are marks."""
    own = next((found for each in marks if (found := _meant(each))), "")
    other = next((each for each in marks if own and not _may_be(each, own)), "")
    if other:
        return "", f"the sum is in {own} and in {_shown(other)}"
    if own or not marks:
        return own, ""
    shared = next((each for each in marks if each in SHARED), "")
    return "", _several(shared) if shared else f"{_shown(marks[0])} is no currency"


def _meant(mark: str) -> str:
    """Return the one currency that a mark means, empty where it means none or several."""
    code = mark.upper()
    return code if code in CODES else ALONE.get(mark, "")


def _may_be(mark: str, currency: str) -> bool:
    """Say whether a mark may stand beside a sum in a currency; a word that is none may, beside any."""
    may_be = {_meant(mark), *SHARED.get(mark, ())} - {""}
    return currency in may_be or not may_be


def _shown(mark: str) -> str:
    return _meant(mark) or (mark if mark in SHARED else mark.upper())


def _several(mark: str) -> str:
    return f"{mark} is a sign of several currencies"


def _named(given: Any) -> str:
    """Return what is no code as a name of its own."""
    letters = [each for each in given if each.isalnum()] if isinstance(given, str) else []
    return "".join(letters[:CURRENCY_CHARACTERS_MAX]).upper()[:CURRENCY_CHARACTERS_MAX]
