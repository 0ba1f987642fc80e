"""Countries have zones, however they are written; what is no country has none."""

from __future__ import annotations

from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from babel.core import get_global

from agents.rules.conditions import _country
from agents.rules.countries import MOST_LIVE_IN, zone_of_country

NOWHERE = {"001", "ZZ"}


def test_every_country_has_a_zone_that_exists():
    for code in set(get_global("territory_zones")) - NOWHERE:
        assert ZoneInfo(zone_of_country(code)), code
    assert len(get_global("territory_zones")) > 240


def test_where_a_country_has_several_zones_one_was_chosen():
    several = {code for code, zones in get_global("territory_zones").items() if len(zones) > 1}
    assert several - NOWHERE <= MOST_LIVE_IN.keys()


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("US", "America/New_York"),
        ("usa", "America/New_York"),
        ("United States of America", "America/New_York"),
        ("PH", "Asia/Manila"),
        ("phl", "Asia/Manila"),
        ("Philippines", "Asia/Manila"),
        (" germany ", "Europe/Berlin"),
        ("UK", "Europe/London"),
        ("GBR", "Europe/London"),
        ("Turkey", "Europe/Istanbul"),
        ("South  Korea", "Asia/Seoul"),
        ("HK", "Asia/Hong_Kong"),
    ],
)
def test_codes_and_english_names_are_understood(written, zone):
    assert zone_of_country(written) == zone


@pytest.mark.parametrize("written", ["", "Mordor", "XX", "ZZ", "001", "EU", "europe", "D", "🇩🇪"])
def test_what_is_no_country_has_no_zone(written):
    assert zone_of_country(written) == ""


def test_a_condition_means_a_country_however_it_is_written():
    part = _country("Brazil", None)
    for written, holds in (
        ("BR", True),
        ("bra", True),
        ("brazil", True),
        ("DE", False),
        ("", False),
    ):
        facts = SimpleNamespace(place=lambda _, written=written: written)
        assert part.test(facts, None) is holds
    unknown = _country("Mordor", None)
    assert unknown.test(SimpleNamespace(place=lambda _: "mordor"), None)
    assert not unknown.test(SimpleNamespace(place=lambda _: ""), None)
