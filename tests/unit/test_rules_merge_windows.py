"""When the response windows end of two e-mails of one number, which a merge has put into one run."""

from __future__ import annotations

from datetime import datetime, timedelta

from messaging.vocabulary.effects import LogReward, Tell
from messaging.vocabulary.messages import MergedInto, StateMerged
from tests.rules_builders import VISITOR, OneVisitor

WINDOW = timedelta(hours=72)
DAY = 24.0


def both_were_written_to() -> tuple[OneVisitor, OneVisitor]:
    """Return the older half of a lead, who got both first e-mails, a day apart, and the younger half."""
    older = OneVisitor().enter()
    younger = OneVisitor(at=older.now + timedelta(days=1))
    younger.state.visitor = "0f" * 12
    younger.enter()
    older.pass_time(2 * DAY)
    younger.pass_time(1 * DAY)
    effects = younger.take(MergedInto(visitor=VISITOR, at=younger.now, into=VISITOR))
    told = next(e.message for e in effects if isinstance(e, Tell))
    assert isinstance(told, StateMerged)
    older.take(told)
    tries = older.run.tries
    assert [each.attempt for each in tries] == [1, 1]
    assert tries[0].at < tries[1].at
    return older, younger


def rewarded(lead: OneVisitor, send: int, kind: str = "response") -> list[tuple[float, datetime]]:
    """Return the rewards of a send's template."""
    decision = lead.run.tries[send].template_choice.decision_id
    rewards = [each.reward for each in lead.effects if isinstance(each, LogReward)]
    found = [each for each in rewards if each.decision_id == decision and each.kind == kind]
    return [(each.value, each.at) for each in found]


def test_each_is_closed_at_its_own_end() -> None:
    lead, _ = both_were_written_to()
    first, second = (each.window_ends for each in lead.run.tries)
    assert first is not None
    assert second is not None
    assert first < second
    lead.pass_time(20 * DAY)
    assert rewarded(lead, 0) == [(0.0, first)]
    assert rewarded(lead, 1) == [(0.0, second)]
    assert (lead.run.attempts, lead.run.status) == (4, "alerted")


def test_an_end_that_passed_unseen_is_made_up_for_at_once_and_the_next_is_waited_for() -> None:
    lead, _ = both_were_written_to()
    first, second = (each.window_ends for each in lead.run.tries)
    assert first is not None
    assert second is not None
    lead.now = first + timedelta(hours=1)  # the system was down
    lead.pass_time(0)
    assert rewarded(lead, 0) == [(0.0, lead.now)]
    assert rewarded(lead, 1) == []
    lead.pass_time(20 * DAY)
    assert rewarded(lead, 1) == [(0.0, second)]


def test_an_order_after_the_window_is_credited_and_is_no_response() -> None:
    lead = OneVisitor().enter()
    lead.pass_time(2 * DAY)
    [attempt] = lead.run.tries
    assert attempt.window_ends is not None
    lead.now = attempt.window_ends + timedelta(hours=1)  # the system was down: no wake-up came
    lead.buy(credited=attempt.send_id)
    assert rewarded(lead, 0) == [(0.0, lead.now)]
    assert rewarded(lead, 0, "purchase") == [(20.0, lead.now)]
