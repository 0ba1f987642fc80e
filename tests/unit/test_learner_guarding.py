"""Check that the learner takes a policy back once, says so, calls a person, and goes on at a person's word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState
from agents.learner_bot.step import step
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from learning.evaluation.guardrail import ERA
from learning.serving.fallback import era_of, is_taken_back
from messaging.vocabulary.effects import HARM, PublishSnapshot, PutAlert
from messaging.vocabulary.ids import policy_alert_id, policy_key
from messaging.vocabulary.messages import AlertAnswered, DecisionFared
from messaging.vocabulary.records import Snapshot
from tests.unit.test_learner_bot import a_reward

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
POLICY = "next_best/to-customer/invited"
KEY = policy_key(POLICY)


def take(state: PolicyState, *messages: Any, now: datetime = NOW) -> list[Any]:
    view = View(None, 1, {}, {})
    return [each for message in messages for each in step(state, message, now, view, Draw)]


def fared(*came: str, held_out: bool = False, **changed: Any) -> DecisionFared:
    given = {"visitor": KEY, "at": NOW, "policy": POLICY, "era": 0} | changed
    return DecisionFared(holdout=held_out, came=list(came), **given)


def harmed(state: PolicyState, pairs: int = 40, **changed: Any) -> list[Any]:
    """Tell of visitors who answer where the rules decide, and not where learning does."""
    return take(
        state,
        *(
            message
            for _ in range(pairs)
            for message in (fared("response", held_out=True, **changed), fared(**changed))
        ),
    )


def snapshots(effects: list[Any]) -> list[Snapshot]:
    return [each.snapshot for each in effects if isinstance(each, PublishSnapshot)]


def alerts(effects: list[Any]) -> list[PutAlert]:
    return [each for each in effects if isinstance(each, PutAlert)]


def word(action: str = "resume", era: int = 0, **changed: Any) -> AlertAnswered:
    given = {"visitor": KEY, "at": NOW, "alert_id": policy_alert_id(POLICY, HARM, era)}
    given |= {"path": "to-customer", "run": "", "action": action, "by": "kim", "stage": ""}
    return AlertAnswered(**(given | {"policy": POLICY} | changed))


def test_harm_takes_learning_back_at_once_and_calls_a_person_once():
    state = PolicyState()
    effects = harmed(state)
    [alert] = alerts(effects)
    assert (alert.kind, alert.status, alert.policy, alert.path) == (
        HARM,
        "open",
        POLICY,
        "to-customer",
    )
    place = effects.index(alert)
    assert isinstance(effects[place + 1], PublishSnapshot), "the snapshot goes with the alert"
    assert is_taken_back(snapshots(effects)[-1])
    line = next(each for each in alert.history if each["measure"] == "response")
    assert (line["learned"], line["rules"]) == (0, line["rules_of"])
    assert line["evidence"] >= 20
    assert alerts(harmed(state)) == []


def test_what_comes_after_is_of_the_rules_and_counts_for_nobody():
    state = PolicyState()
    harmed(state)
    judged = msgspec.msgpack.encode(state.guard)
    assert take(state, fared("response"), fared(held_out=True)) == []
    assert msgspec.msgpack.encode(state.guard) == judged
    assert state.refused["era over"] > 2


def test_closing_the_alert_turns_nothing_on_and_resuming_does_also_afterwards():
    state = PolicyState()
    harmed(state)
    [closed] = take(state, word("close"))
    assert (closed.status, closed.by) == ("closed", "kim")
    assert state.guard.is_harmful
    effects = take(state, word())
    [resumed] = alerts(effects)
    assert (resumed.status, resumed.by, resumed.settled_at) == ("resumed", "kim", NOW)
    [snapshot] = snapshots(effects)
    assert not is_taken_back(snapshot)
    assert era_of(snapshot) == 1
    assert take(state, word()) == [], "once an era"
    assert state.refused["alert not open"] == 1


def test_in_the_next_era_it_is_taken_back_anew_with_an_alert_of_its_own():
    state = PolicyState()
    [first] = alerts(harmed(state))
    take(state, word())
    assert alerts(harmed(state)) == [], "what was decided before counts no more"
    effects = harmed(state, era=1)
    [second] = alerts(effects)
    assert second.alert_id != first.alert_id == policy_alert_id(POLICY, HARM)
    assert era_of(snapshots(effects)[-1]) == 1
    assert alerts(take(state, word(era=0))) == []
    assert alerts(take(state, word(era=1)))[0].status == "resumed"
    assert len(state.raised) == 0


def test_equals_are_left_alone_and_shown():
    state = PolicyState()
    effects = take(
        state,
        *(fared(*["response"] * (n % 3 == 0), held_out=n % 2 == 0) for n in range(600)),
        now=NOW,
    )
    assert alerts(effects) == []
    newest = snapshots(effects)[-1]
    assert not is_taken_back(newest)
    yes, of, rules_yes, rules_of, log = newest.arrays["guard/response"]
    assert of == rules_of > 90
    assert yes / of == pytest.approx(rules_yes / rules_of, abs=0.02)
    assert log < 1.0


def test_an_era_ends_after_half_a_year_and_the_snapshot_says_so():
    state = PolicyState()
    take(state, fared(held_out=True))
    effects = take(state, fared(), now=NOW + ERA)
    [snapshot] = snapshots(effects)
    assert era_of(snapshot) == state.guard.era == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"policy": "send_time"}, "outcome of another policy"),
        ({"era": 3}, "era over"),
    ],
)
def test_what_is_not_counted_is_refused_and_counted_so(changed, reason):
    state = PolicyState()
    assert take(state, fared(**changed)) == []
    assert take(state, fared("a word")) == []
    assert state.refused == {reason: 1, "outcome unknown": 1}
    assert state.guard.block[1].visitors == 0


def test_a_word_to_what_was_not_taken_back_is_refused():
    state = PolicyState(policy=POLICY)
    assert take(state, word()) == []
    assert state.refused == {"alert not open": 1}


def test_it_survives_the_store_and_a_state_from_before_there_was_a_guard_goes_on():
    state = PolicyState()
    harmed(state)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PolicyState)
    assert stored == state
    assert alerts(take(stored, word()))[0].history == alerts(take(state, word()))[0].history
    fields = msgspec.to_builtins(PolicyState(policy=POLICY, decisions=7))
    old = {
        name: each for name, each in fields.items() if name != "guard"
    }  # as version 1 was written
    known = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=LearnerBot.state_type)
    assert known.decisions == 7
    assert len(alerts(harmed(known))) == 1


def test_the_guard_adds_little_to_a_state():
    state = PolicyState()
    before = len(msgspec.msgpack.encode(state))
    take(state, *(fared("response", held_out=n % 20 == 0) for n in range(5_000)))
    assert len(msgspec.msgpack.encode(state)) - before < 600


@pytest.mark.parametrize("kind", ["unsubscribe", "complaint"])
def test_leaving_is_summed_for_both_sides_and_teaches_nothing(kind):
    state = PolicyState()
    take(
        state,
        a_reward(1, kind=kind, policy=POLICY),
        a_reward(2, kind=kind, policy=POLICY, holdout=True),
        a_reward(2, kind=kind, policy=POLICY, holdout=True),
        a_reward(3, kind=kind, policy=POLICY, value=2.0),
    )
    assert {side: sums.count for side, sums in state.lift.items()} == {
        f"learned/{kind}": 1,
        f"holdout/{kind}": 1,
    }
    assert state.refused == {"reward again": 1, "value out of range": 1}
    assert state.arms == state.ripening == {}
