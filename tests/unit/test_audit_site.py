"""What the audit says of offers over a cap: of a type in a session, of all types in a day, as the rules then said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.rules.compiled import InteractionRule
from scripts.audit_site import LATE, Offer, offer_of, over_caps

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def rule_of(version: int, name: str) -> InteractionRule | None:
    """Return the rule of a version: the second allows one a day, and knows no other name than `bar`."""
    if name != "bar":
        return None
    a_day = 3 if version == 1 else 1
    return InteractionRule("bar", "notice_bar", "c", "", "", "now", 0, 30, 1, a_day, {})


def offers(*minutes: float, **changes: Any) -> list[Offer]:
    """Return one visitor's offers, decided at these minutes after noon, each of a type and session of its own."""
    made = []
    for number, minute in enumerate(minutes, 1):
        at = NOON + minute * MINUTE
        fields: dict[str, Any] = {
            "id": f"e{number}",
            "decided_for": "ann",
            "number": number,
            "type": f"type-{number}",
            "interaction": "bar",
            "rules_version": 1,
            "decided_at": at,
            "visit_at": at,
            "seen_at": at + MINUTE,
        }
        made.append(Offer(**(fields | changes)))
    return made


def test_three_a_day_are_three_and_the_fourth_is_named() -> None:
    assert over_caps(offers(0, 60, 120), rule_of) == []
    said = over_caps(offers(0, 60, 120, 180), rule_of)
    assert said == ["engagement e4: 3 in 24 hours before it, 3 may be"]
    assert over_caps(offers(0, 60, 120, 24 * 60 + 1), rule_of) == [], "the first is a day old"


def test_one_of_a_type_a_session_is_one_whatever_the_interaction() -> None:
    some = offers(0, 10, type="notice_bar", visit_at=NOON - MINUTE)
    said = over_caps(some, rule_of)
    assert said == ["engagement e2: 1 notice_bar in its session before it, 1 may be"]
    some[1].visit_at = some[1].decided_at
    assert over_caps(some, rule_of) == [], "another session began in between"


def test_what_is_seen_after_the_next_was_decided_had_reserved_its_place() -> None:
    some = offers(0, 1, type="notice_bar", visit_at=NOON - MINUTE)
    some[0].seen_at = NOON + HOUR
    assert len(over_caps(some, rule_of)) == 1


def test_what_nobody_saw_counts_nothing() -> None:
    some = offers(0, 1, 2, 3, 4, 5, type="notice_bar", visit_at=NOON - MINUTE, seen_at=None)
    assert over_caps(some, rule_of) == []


def test_each_is_held_against_the_rules_it_was_decided_under() -> None:
    some = offers(0, 60)
    some[1].rules_version = 2
    assert over_caps(some, rule_of) == ["engagement e2: 1 in 24 hours before it, 1 may be"]
    some[1].interaction = "made up"
    assert over_caps(some, rule_of) == ["engagement e2: version 2 has no interaction made up"]


def test_visitors_are_held_apart_by_whom_an_offer_was_decided_for() -> None:
    assert over_caps([*offers(0, 60, 120), *offers(0, 60, 120, decided_for="ben")], rule_of) == []


@pytest.mark.parametrize(("reason", "seen_at"), [("", NOON), (LATE, None)])
def test_what_was_taken_back_on_its_way_to_a_screen_is_held_against_nobody(
    reason: str, seen_at: datetime | None
) -> None:
    row = {
        "id": "e1",
        "visitor": "older",
        "interaction": "bar",
        "interaction_type": "notice_bar",
        "rules_version": 1,
        "visit_at": NOON,
        "shown_at": NOON,
        "reason": reason,
    }
    offer = offer_of(row, {"visitor": "ann", "attempt": 7, "at": NOON})
    assert (offer.decided_for, offer.number, offer.seen_at) == ("ann", 7, seen_at)
