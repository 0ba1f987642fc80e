"""The audit watches what Email handed over: also the clock's part of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.email_bot.state import EmailState
from agents.runtime.fold import Folded, Work
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.messages import Identified
from messaging.vocabulary.plans import SendPlan
from scripts.audit_refusals import Refusals

NIGHT = datetime(2026, 11, 26, 21, tzinfo=UTC)


def a_plan(until: datetime | None) -> SendPlan:
    return SendPlan(
        send_id="s1",
        path="leads",
        run="1",
        stage="invited",
        step="invited-mail",
        attempt=1,
        template="hello",
        rules_version=1,
        entered_at=NIGHT - timedelta(days=1),
        sender="shop",
        until=until,
    )


@pytest.mark.parametrize(
    ("until", "late", "found"),
    [(NIGHT, -1, []), (NIGHT, 0, ["s1 was handed over in quiet hours"]), (None, 600, [])],
)
def test_a_hand_over_in_quiet_hours_is_found(
    until: datetime | None, late: int, found: list[str]
) -> None:
    folded = Folded()
    at = NIGHT + timedelta(seconds=late)
    folded.acts.append(("v1", HandOver(a_plan(until), "ann@example.com", "box", at)))
    said: list[str] = []
    Refusals(lambda _, what: said.append(what)).observe([], folded, "opt-in")
    assert said == found


BY_YES = ["assumed", "opt-in"]


@pytest.mark.parametrize(
    ("by", "consent", "found"),
    [
        (BY_YES, "opt-in", []),
        (["assumed"], "assumed", []),
        (
            ["assumed"],
            "opt-in",
            ["s1 was handed over against the consent setting in force, opt-in"],
        ),
        (
            BY_YES,
            "double-opt-in",
            ["s1 was handed over against the consent setting in force, double-opt-in"],
        ),
        ([], "assumed", ["s1 was handed over without consent"]),
        (None, "opt-in", []),
    ],
)
def test_a_hand_over_against_the_consent_setting_in_force_is_found(
    by: list[str] | None, consent: str, found: list[str]
) -> None:
    """Behavior said it under `assumed`; what counts is the setting when it goes out."""
    said: list[str] = []
    refusals = Refusals(lambda _, what: said.append(what))
    told = Identified(
        "v1", NIGHT, "ann@example.com", by != [], True, "", 0, "", {}, may_email_by=by
    )
    refusals.observe([Work(told, 0, "behavior-0", 1, 0)], Folded(), "assumed")
    folded = Folded()
    folded.acts.append(("v1", HandOver(a_plan(None), "ann@example.com", "box", NIGHT)))
    refusals.observe([], folded, consent)
    assert said == found


@pytest.mark.parametrize(
    ("state", "found"),
    [
        (
            EmailState(unsubscribed=True, may_email_by=BY_YES),
            ["s1 was handed over after they left"],
        ),
        (
            EmailState(closed={"leads": NIGHT}, may_email_by=BY_YES),
            ["s1 was handed over after the goal"],
        ),
        (EmailState(may_email_by=[]), ["s1 was handed over without consent"]),
        (EmailState(may_email=False), ["s1 was handed over without consent"]),
        (EmailState(may_email_by=BY_YES), []),
        (EmailState(may_email=True), []),
    ],
)
def test_what_was_refused_before_a_checkpoint_holds_behind_it(
    state: EmailState, found: list[str]
) -> None:
    said: list[str] = []
    refusals = Refusals(lambda _, what: said.append(what))
    refusals.begin([("v1", state)])
    folded = Folded()
    folded.acts.append(("v1", HandOver(a_plan(None), "ann@example.com", "box", NIGHT)))
    refusals.observe([], folded, "opt-in")
    assert said == found
