"""The first e-mail of the shipped routine differs by what Social found."""

from __future__ import annotations

import msgspec
import pytest

from messaging.vocabulary.effects import LogDecision
from messaging.vocabulary.messages import CohortEntered
from tests.behavior_builders import default_rules
from tests.rules_builders import VISITOR, OneVisitor, a_view

FOR_ALL = {"invite-hello", "invite-question", "invite-short", "invite-help"}


@pytest.mark.parametrize(
    ("cohorts", "first", "second"),
    [
        (["presence-unknown"], "invite-introduce", "invite-question"),
        (["presence-found"], "invite-hello", "invite-question"),
        (["presence-found", "at-work"], "invite-work", "invite-question"),
        ([], "invite-hello", "invite-question"),
    ],
)
def test_by_the_rules_alone_it_differs_as_well_and_the_next_ones_do_not(
    cohorts: list[str], first: str, second: str
) -> None:
    lead = OneVisitor(msgspec.structs.replace(a_view(default_rules()), learning=False))
    for cohort in cohorts:
        lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort=cohort))
    lead.enter().pass_time(24.0)
    lead.pass_time(24.0 * 5)
    assert [plan.template for plan in lead.plans][:2] == [first, second]


@pytest.mark.parametrize(
    ("cohorts", "more"),
    [
        (["presence-unknown"], {"invite-introduce"}),
        (["presence-found"], set()),
        (["presence-found", "at-work"], {"invite-work"}),
        ([], set()),
    ],
)
def test_what_may_be_written_first_depends_on_what_was_found(cohorts, more) -> None:
    lead = OneVisitor(a_view(default_rules()))
    for cohort in cohorts:
        lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort=cohort))
    lead.enter().pass_time(24.0)
    decisions = [each.decision for each in lead.effects if isinstance(each, LogDecision)]
    first = next(each for each in decisions if each.kind == "template")
    assert {each.arm for each in first.candidates if not each.refused} == FOR_ALL | more
    assert {each.refused for each in first.candidates if each.refused} <= {"cohort"}
