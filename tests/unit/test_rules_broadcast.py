"""A broadcast is one e-mail to a visitor, by the limits of a path: reserved, arbitrated, refused, called off."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.rules.compiled import Cap, CompiledCohort
from agents.rules_manager.broadcasting import OPEN_MAX
from agents.rules_manager.planning import NEWS_AFTER
from agents.rules_manager.sending import MERGED
from agents.rules_manager.state import RUNS_MAX, Run
from messaging.vocabulary.effects import LogDecision, LogStory, PutRecipient, Tell
from messaging.vocabulary.messages import (
    BroadcastReached,
    CohortEntered,
    CohortLeft,
    MergedInto,
    Responded,
    RunsMoved,
    StateMerged,
)
from messaging.vocabulary.plans import Broadcast
from tests.rules_builders import HOUR, PATH, VISITOR, OneVisitor, a_view, some_rules

NEWS = Broadcast("b1", "invited-mail-b", "customers", PATH, 1)


def somebody(**may: Any) -> OneVisitor:
    """Return a visitor who is in the cohort."""
    one = OneVisitor(a_view(some_rules()))
    one.now += 5 * HOUR  # noon
    one.identify(**may)
    one.take(CohortEntered(VISITOR, one.now, "customers"))
    return one


def reach(one: OneVisitor, broadcast: Broadcast = NEWS, *, cancel: bool = False) -> None:
    """Let a broadcast come to a visitor."""
    one.take(BroadcastReached(VISITOR, one.now, broadcast, cancel))


def shown(one: OneVisitor) -> list[tuple[str, str]]:
    """Return (status, reason) of the rows that were written."""
    return [(e.status, e.reason) for e in one.effects if isinstance(e, PutRecipient)]


def waits(one: OneVisitor) -> tuple[str, datetime | None]:
    """Return (why, until when) the newest row says that it waits."""
    last = [e for e in one.effects if isinstance(e, PutRecipient)][-1]
    assert last.status == "planned"
    return last.reason, last.until


def planned(one: OneVisitor) -> dict[str, Any]:
    """Return what the story says of the newest e-mail that was planned."""
    lines = [e for e in one.effects if isinstance(e, LogStory) and e.kind == "send.planned"]
    return lines[-1].detail


def test_it_is_sent_at_once_where_nothing_stands_against_it_and_once() -> None:
    one = somebody()
    reach(one)
    reach(one)
    one.pass_time(24 * 30)
    reach(one)
    one.pass_time(24)
    assert [(plan.path, plan.template) for plan in one.plans] == [
        ("broadcast:b1", "invited-mail-b")
    ]
    assert shown(one) == [("planned", ""), ("sent", "handed over")]
    assert one.alerts == []
    assert one.state.runs["broadcast:b1"].status == "closed"


def test_quiet_hours_and_caps_hold_for_it_and_its_e_mail_counts_for_others() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    reach(one, msgspec.structs.replace(NEWS, id="b2"))
    one.pass_time(24 * 5)
    assert one.sent_at[0].hour == 8
    assert one.sent_at[1] - one.sent_at[0] >= timedelta(hours=20)
    assert len(one.plans) == 2


def test_what_goes_at_once_waits_for_nothing() -> None:
    one = somebody()
    reach(one)
    assert waits(one) == ("", None)
    assert "why" not in planned(one)


def test_the_row_and_the_story_say_until_when_it_waits_for_the_quiet_hours() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    morning = one.now.replace(hour=8, minute=0) + timedelta(days=1)
    assert waits(one) == ("quiet_hours", morning)
    assert (planned(one)["why"], planned(one)["at"]) == ("quiet_hours", morning)


@pytest.mark.parametrize(
    ("sent_at_hour", "why", "until_hour"),
    [(9, "cap_then_quiet_hours", 8), (20, "cap", 16)],
)
def test_the_row_says_that_it_waits_for_a_cap(sent_at_hour: int, why: str, until_hour: int) -> None:
    """A cap of 20 hours that ends in the night leaves the night to wait for as well."""
    one = somebody()
    one.now = one.now.replace(hour=sent_at_hour)
    reach(one)
    one.pass_time(0.5)
    assert shown(one)[-1] == ("sent", "handed over")
    reach(one, msgspec.structs.replace(NEWS, id="b2"))
    reason, until = waits(one)
    assert until is not None
    assert (reason, until.hour) == (why, until_hour)
    one.pass_time(48)
    assert one.sent_at[1] == until, "it went when the row said"


def test_the_row_and_the_story_name_the_cap_that_lets_it_go_last() -> None:
    """Of two caps that hold it back, the one that holds for longer is named: the other is over before."""
    one = somebody()
    path = one.view.rules.paths[PATH]
    caps = [Cap("email", 1, 20), Cap("email", 2, 336)]
    one.view.rules.paths[PATH] = msgspec.structs.replace(path, caps=caps)
    for number, hours in enumerate((2, 24, 24)):
        reach(one, msgspec.structs.replace(NEWS, id=f"b{number}"))
        one.pass_time(hours)
    assert len(one.plans) == 2
    rows = [e for e in one.effects if isinstance(e, PutRecipient) and e.status == "planned"]
    assert [named(each) for each in rows] == [None, ("email", 1, 20), ("email", 2, 336)]
    assert planned(one)["cap"] == {"channel": "email", "count": 2, "hours": 336}


def named(row: PutRecipient) -> tuple[str, int, int] | None:
    """Return the cap that a row names."""
    return (row.cap.channel, row.cap.count, row.cap.hours) if row.cap else None


def test_whoever_something_of_more_value_went_before_waits_anew_and_the_row_says_so() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    reach(one, msgspec.structs.replace(NEWS, id="b2", priority=5))
    one.pass_time(10.5)
    rows = [e for e in one.effects if isinstance(e, PutRecipient) and e.broadcast == "b1"]
    assert [each.reason for each in rows] == ["quiet_hours", "cap_then_quiet_hours"]
    first, then = (each.until for each in rows)
    assert first is not None
    assert then is not None
    assert then - first == timedelta(days=1)


def test_what_waits_for_a_word_on_two_who_became_one_says_until_when() -> None:
    one = somebody()
    one.state.merged_at = one.now
    one.state.may_email = False
    reach(one)
    one.pass_time(0.1)
    assert waits(one) == ("consent", one.state.merged_at + NEWS_AFTER)


def test_the_higher_priority_goes_first() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    reach(one, msgspec.structs.replace(NEWS, id="b2", priority=5))
    one.pass_time(24)
    assert [plan.path for plan in one.plans] == ["broadcast:b2"]


@pytest.mark.parametrize(
    ("may", "changes", "reason"),
    [
        ({"may_email": False}, {}, "consent"),
        ({"owns": False}, {}, "mailbox_of_another_visitor"),
        ({}, {"cohort": "others"}, "cohort"),
        ({}, {"template": "none"}, "no_such_template"),
        ({}, {"path": "none"}, "no_such_path"),
        ({}, {"version": 9}, "no_such_path"),
    ],
)
def test_who_does_not_get_it_is_shown_with_the_reason(
    may: dict[str, bool], changes: dict[str, Any], reason: str
) -> None:
    one = somebody(**may)
    reach(one, msgspec.structs.replace(NEWS, **changes))
    assert (one.plans, shown(one), one.state.runs) == ([], [("refused", reason)], {})


def test_consent_taken_back_before_it_goes_refuses_it() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    one.identify(may_email=False)
    one.pass_time(48)
    assert (one.plans, shown(one)) == ([], [("planned", "quiet_hours"), ("refused", "consent")])


def test_what_is_called_off_is_not_sent_and_what_went_stays_sent() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    reach(one, cancel=True)
    one.pass_time(48)
    assert (one.plans, shown(one)) == ([], [("planned", "quiet_hours"), ("cancelled", "")])
    other = somebody()
    reach(other)
    other.pass_time(1)
    reach(other, cancel=True)
    assert shown(other) == [("planned", ""), ("sent", "handed over")]


def reached_and_asked_for() -> OneVisitor:
    """Return a visitor whose e-mail was asked for and not handed over yet."""
    one = somebody()
    one.outcome = ""
    reach(one)
    one.pass_time(0.1)
    assert one.state.runs["broadcast:b1"].status == "sending"
    return one


def test_what_was_called_off_after_email_was_asked_for_it_goes_now_or_never() -> None:
    one = reached_and_asked_for()
    reach(one, cancel=True)
    one.settle(one.plans[0], "given up", "quiet_hours")
    one.pass_time(48)
    assert (len(one.plans), shown(one)[-1]) == (1, ("cancelled", ""))
    sent = reached_and_asked_for()
    reach(sent, cancel=True)
    sent.settle(sent.plans[0], "handed over")
    assert shown(sent)[-1] == ("sent", "handed over")


@pytest.mark.parametrize("called_off", ["older", "younger"])
def test_what_was_called_off_for_one_half_while_it_was_asked_for_is_not_sent_by_the_other(
    called_off: str,
) -> None:
    older, younger = reached_and_asked_for(), reached_and_asked_for()
    reach(older if called_off == "older" else younger, cancel=True)
    effects = younger.take(MergedInto(VISITOR, younger.now, VISITOR))
    (state,) = [
        e.message.state
        for e in effects
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    ]
    older.take(StateMerged(VISITOR, older.now, "b" * 24, state))
    for plan in (younger.plans[0], older.plans[0]):
        older.settle(plan, "cancelled", MERGED)
    older.pass_time(48)
    assert (len(older.plans), shown(older)[-1]) == (1, ("cancelled", ""))


def test_an_unsubscription_and_a_bounce_end_it_without_an_alert() -> None:
    one = somebody()
    reach(one)
    one.pass_time(1)
    one.take(Responded(VISITOR, one.now, one.plans[0].send_id, "unsubscribed", 1.0))
    assert one.state.runs["broadcast:b1"].status == "stopped"
    bounced = somebody()
    bounced.outcome = "bounced"
    reach(bounced)
    bounced.pass_time(1)
    assert shown(bounced) == [("planned", ""), ("refused", "address bounced")]
    assert bounced.alerts == []


def test_clicking_it_ends_with_its_window_and_calls_nobody() -> None:
    one = somebody()
    reach(one)
    one.pass_time(1)
    one.answer("clicked")
    one.pass_time(24 * 10)
    assert one.state.runs["broadcast:b1"].status == "closed"
    assert one.alerts == []


def test_its_decision_is_logged_and_nothing_is_learned_from_it() -> None:
    one = somebody()
    reach(one)
    one.pass_time(24 * 5)
    decisions = [e.decision for e in one.effects if isinstance(e, LogDecision)]
    assert [(d.arm, d.probabilities) for d in decisions] == [("invited-mail-b", [1.0])]
    assert not any(isinstance(e, Tell) and e.bot == "learner" for e in one.effects)


def test_it_is_left_alone_by_publications_and_is_in_no_figure() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    reach(one)
    rules = some_rules(version=2)
    one.view = replace_view(one, rules)
    one.take(RunsMoved(VISITOR, one.now, 2, "exit", "kim"))
    assert one.state.runs["broadcast:b1"].status == "planned"
    assert one.bot.figures(one.state) == {"work/whom/people": 1}, "a person's work, and no run"


def replace_view(one: OneVisitor, rules: Any) -> Any:
    """Return the view with another version published."""
    return msgspec.structs.replace(
        one.view, rules=rules, rules_version=2, pinned={**one.view.pinned, 2: rules}
    )


def test_two_who_become_one_get_it_once_if_neither_had_it() -> None:
    older, younger = somebody(), somebody()
    for one in (older, younger):
        one.now = one.now.replace(hour=22)
        reach(one)
    (state,) = [
        e.message.state
        for e in younger.take(MergedInto(VISITOR, younger.now, VISITOR))
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    ]
    older.take(StateMerged(VISITOR, older.now, "b" * 24, state))
    older.pass_time(24 * 10)
    assert len(older.plans) == 1


def test_what_became_of_it_is_shown_once_where_one_of_two_who_become_one_had_it() -> None:
    older, younger = somebody(), somebody()
    reach(younger)
    younger.pass_time(1)
    older.now = older.now.replace(hour=22)
    reach(older)
    effects = younger.take(MergedInto(VISITOR, younger.now, VISITOR))
    (state,) = [
        e.message.state
        for e in effects
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    ]
    older.take(StateMerged(VISITOR, older.now, "b" * 24, state))
    older.pass_time(24 * 10)
    assert older.plans == []
    assert shown(older)[-1] == ("sent", "handed over")
    waiting = somebody()
    waiting.now = waiting.now.replace(hour=22)
    reach(waiting)
    waiting.take(MergedInto(VISITOR, waiting.now, VISITOR))
    assert shown(waiting)[-1] == ("moved", "")


@pytest.mark.parametrize("outcome", [("cancelled", ""), ("refused", "")])
def test_what_was_called_off_or_refused_for_one_of_two_who_become_one_is_shown_so(
    outcome: tuple[str, str],
) -> None:
    older, younger = somebody(), somebody()
    for one in (older, younger):
        one.now = one.now.replace(hour=22)
        reach(one)
    if outcome[0] == "cancelled":
        reach(younger, cancel=True)
    else:
        younger.identify(may_email=False)
    effects = younger.take(MergedInto(VISITOR, younger.now, VISITOR))
    (state,) = [
        e.message.state
        for e in effects
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    ]
    older.take(StateMerged(VISITOR, older.now, "b" * 24, state))
    older.pass_time(24 * 10)
    assert (older.plans, shown(older)[-1]) == ([], outcome)


def test_so_many_wait_for_a_visitor_at_once_and_keep_nobody_off_a_path() -> None:
    one = somebody()
    one.now = one.now.replace(hour=22)
    for number in range(OPEN_MAX + 1):
        reach(one, msgspec.structs.replace(NEWS, id=f"b{number}"))
    waiting = [("planned", "quiet_hours")] * OPEN_MAX
    assert shown(one) == [*waiting, ("refused", "open_runs")]
    for number in range(RUNS_MAX - OPEN_MAX):
        run = Run(f"p{number}", 1, "1", one.now, "invited", "waiting", holdout=False)
        one.state.put_run(run)
    one.take(CohortEntered(VISITOR, one.now, "addressable-lead"))
    assert one.run.active


def test_it_waits_for_a_cap_that_is_not_its_own() -> None:
    """What the routine has sent counts: one marketing e-mail in any 20 hours, whoever it is of."""
    rules = some_rules(timing="now")
    path = msgspec.structs.replace(rules.paths[PATH], caps=[Cap("email", 1, 20)])
    one = OneVisitor(a_view(replace(rules, paths={PATH: path})))
    one.now += 5 * HOUR
    one.enter()
    one.take(CohortEntered(VISITOR, one.now, "customers"))
    one.pass_time(0.1)
    assert len(one.plans) == 1
    reach(one)
    one.pass_time(24)
    assert one.sent_at[1] - one.sent_at[0] >= timedelta(hours=20)


def who_waits(cohorts: set[str]) -> OneVisitor:
    """Return a visitor for whom a broadcast waits until the morning; `cohorts`: those of the published rules."""
    rules = some_rules()
    one = OneVisitor(a_view(rules))
    one.now = one.now.replace(hour=22)
    one.identify()
    one.take(CohortEntered(VISITOR, one.now, "customers"))
    reach(one)
    assert shown(one) == [("planned", "quiet_hours")]
    told = {
        name: CompiledCohort(name, lambda *_: True, None, frozenset({"track:*"}))
        for name in cohorts
    }
    one.view = a_view(replace(rules, cohorts=told))
    return one


def test_who_leaves_its_cohort_while_it_waits_gets_it_no_more() -> None:
    one = who_waits({"customers"})
    one.take(CohortLeft(VISITOR, one.now, "customers"))
    one.pass_time(24)
    assert one.plans == []
    assert shown(one)[-1] == ("refused", "cohort")
    assert one.state.runs["broadcast:b1"].status == "stopped"


def test_who_left_its_cohort_and_came_back_gets_it() -> None:
    one = who_waits({"customers"})
    one.take(CohortLeft(VISITOR, one.now, "customers"))
    one.take(CohortEntered(VISITOR, one.now, "customers"))
    one.pass_time(24)
    assert len(one.plans) == 1


def test_a_cohort_that_the_published_rules_have_no_more_is_not_asked() -> None:
    one = who_waits(set())
    one.take(CohortLeft(VISITOR, one.now, "customers"))
    one.pass_time(24)
    assert len(one.plans) == 1


def test_a_cohort_that_nobody_can_decide_yet_is_not_asked() -> None:
    one = who_waits({"customers"})
    one.take(CohortLeft(VISITOR, one.now, "customers"))
    one.state.undecided["customers"] = one.now + timedelta(days=2)
    one.pass_time(24)
    assert len(one.plans) == 1
