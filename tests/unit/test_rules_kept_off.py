"""Nobody comes onto a path of stages before they may be written to; who is in its cohort comes as soon as they may."""

from __future__ import annotations

import msgspec
import pytest

from messaging.vocabulary.messages import CohortEntered, CohortLeft, MergedInto
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view, some_rules

COHORT = "addressable-lead"


def belongs(lead: OneVisitor, *, by_people: bool = False) -> None:
    """Let a visitor into the path's cohort."""
    lead.take(CohortEntered(visitor=VISITOR, at=lead.now, cohort=COHORT, by_people=by_people))


@pytest.mark.parametrize("reentry", ["never", "after_end", "every_time"])
@pytest.mark.parametrize("by_people", [False, True])
def test_who_has_not_agreed_comes_once_they_have(reentry: str, by_people: bool) -> None:
    rules = some_rules()
    rules.paths[PATH] = msgspec.structs.replace(rules.paths[PATH], reentry=reentry)
    lead = OneVisitor(a_view(rules))
    lead.identify(may_email=False)
    belongs(lead, by_people=by_people)
    assert not lead.state.runs
    assert list(lead.stories()) == ["run.kept_off"]
    lead.pass_time(5)
    lead.identify()
    [run] = lead.state.runs.values()
    assert (run.entered_at, bool(run.by_people)) == (lead.now, by_people)
    lead.pass_time(24)
    assert len(lead.plans) == 1
    assert not lead.state.kept_off


def test_who_has_left_the_cohort_meanwhile_does_not_come() -> None:
    lead = OneVisitor()
    lead.identify(may_email=False)
    belongs(lead)
    lead.take(CohortLeft(visitor=VISITOR, at=lead.now, cohort=COHORT))
    lead.identify()
    assert not lead.state.runs


def test_whom_nobody_knows_is_not_told_twice() -> None:
    lead = OneVisitor()
    belongs(lead)
    assert list(lead.stories()) == ["run.kept_off"], (
        "an anonymous visitor has not agreed to anything"
    )
    lead.identify()
    assert lead.run.status == "planned"


def test_who_was_on_it_is_not_kept_off_it() -> None:
    lead = OneVisitor().enter()
    lead.identify(may_email=False)
    lead.take(CohortLeft(visitor=VISITOR, at=lead.now, cohort=COHORT))
    belongs(lead)
    assert not lead.state.kept_off
    lead.identify()
    assert lead.run.status == "stopped"


def test_a_path_that_is_no_more_is_forgotten() -> None:
    lead = OneVisitor()
    lead.identify(may_email=False)
    belongs(lead)
    lead.view.rules.paths.pop(PATH)
    lead.identify()
    assert not lead.state.runs
    assert not lead.state.kept_off


def test_it_goes_along_with_a_merge() -> None:
    younger, older = OneVisitor(), OneVisitor()
    younger.identify(may_email=False)
    belongs(younger)
    older.identify(may_email=False)
    effects = younger.take(MergedInto(visitor=VISITOR, at=younger.now, into="00" * 12))
    older.take(next(each.message for each in effects if hasattr(each, "message")))  # type: ignore[union-attr]
    belongs_too = CohortEntered(visitor=VISITOR, at=older.now, cohort=COHORT)
    older.state.cohorts.append(belongs_too.cohort)
    older.identify()
    assert older.run.status == "planned"
