"""Check that a person is called once about a split test whose visitors do not come by its shares, and closes that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from agents.behavior_bot.bot import BehaviorBot
from agents.learner_bot.state import PolicyState
from agents.protocol.bot import View
from agents.runtime.fold import Folding, Work
from agents.runtime.held import Codec
from agents.runtime.tables import notices_for, row_for
from messaging.vocabulary.effects import SAMPLE_RATIO, PublishSnapshot, PutAlert
from messaging.vocabulary.events import AlertSettled, Record
from messaging.vocabulary.ids import derive, policy_key
from messaging.vocabulary.messages import AlertAnswered, Arrived, DecisionMade
from tests.experiment_builders import a_test
from tests.unit.test_learner_experiments import KEY, NOW, TEST, a_decision, a_reward, begun, take

LATER = NOW + timedelta(hours=5)


def skewed(state: PolicyState, *numbers: int) -> list[PutAlert]:
    """Tell of visitors of whom twice as many had `a`; return the alerts."""
    effects = take(state, *(a_reward(n, "a" if n % 3 else "b") for n in range(*numbers)))
    return alerts(effects)


def alerts(effects: list[Any]) -> list[PutAlert]:
    return [each for each in effects if isinstance(each, PutAlert)]


def closed(alert: PutAlert, **changed: Any) -> AlertAnswered:
    """Return a person's word to an alert, as Behavior passes it on."""
    given = {"visitor": KEY, "at": LATER, "alert_id": alert.alert_id, "path": alert.path}
    return AlertAnswered(
        **(
            given
            | {"run": "", "action": "close", "by": "kim", "stage": ""}
            | {"policy": TEST.policy}
            | changed
        )
    )


def test_a_person_is_called_once_with_what_was_expected_and_seen() -> None:
    state = begun()
    [alert] = skewed(state, 1, 400)
    assert alert.alert_id == derive("alert", TEST.policy, SAMPLE_RATIO)
    assert (alert.kind, alert.status, alert.at) == (SAMPLE_RATIO, "open", NOW)
    assert (alert.path, alert.run, alert.policy) == ("to-customer", "", TEST.policy)
    a, b = alert.history
    assert (a["template"], a["share"], b["template"], b["share"]) == ("a", 0.5, "b", 0.5)
    assert a["seen"] > 1.5 * b["seen"]
    assert a["expected"] == b["expected"] == (a["seen"] + b["seen"]) / 2
    assert skewed(state, 400, 700) == [], "the alarm lasts: it is the same one"


def test_the_alert_comes_with_the_verdict_that_is_published() -> None:
    state = begun()
    effects: list[Any] = []
    for number in range(1, 400):
        effects = take(state, a_reward(number, "a" if number % 3 else "b"))
        if alerts(effects):
            break
    assert any(isinstance(each, PublishSnapshot) for each in effects)


def test_a_test_that_comes_by_its_shares_calls_nobody() -> None:
    state = begun()
    effects = take(state, *(a_reward(n, "ab"[n % 2], value=float(n % 2)) for n in range(400)))
    assert alerts(effects) == []


def test_an_alarm_from_before_there_were_alerts_of_it_calls_a_person_when_more_is_known() -> None:
    state = begun()
    skewed(state, 1, 400)
    state.raised.clear()
    [alert] = skewed(state, 400, 402)
    assert alert.status == "open"


def test_a_closed_alert_says_the_same_as_when_it_came_and_stays_closed() -> None:
    state = begun()
    [alert] = skewed(state, 1, 400)
    skewed(state, 400, 500)
    [settled] = take(state, closed(alert), now=LATER)
    assert (settled.status, settled.by, settled.settled_at) == ("closed", "kim", LATER)
    same = ("alert_id", "kind", "path", "run", "at", "history", "policy")
    assert [getattr(settled, name) for name in same] == [getattr(alert, name) for name in same]
    assert skewed(state, 500, 700) == []
    assert take(state, closed(alert)) == []
    assert state.refused == {"alert not open": 1}


def test_a_word_to_another_alert_or_another_action_settles_nothing() -> None:
    state = begun()
    [alert] = skewed(state, 1, 400)
    assert take(state, closed(alert, alert_id="x"), closed(alert, action="resume")) == []
    assert take(PolicyState(), closed(alert)) == []
    assert len(alerts(take(state, closed(alert)))) == 1


def test_what_was_raised_and_closed_survives_the_store() -> None:
    state = begun()
    [alert] = skewed(state, 1, 400)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PolicyState)
    assert stored == state
    assert skewed(stored, 400, 500) == []
    [settled] = take(stored, closed(alert))
    assert settled.history == alert.history


def test_a_new_test_calls_anew() -> None:
    first = begun()
    [alert] = skewed(first, 1, 400)
    other = a_test(a=0.6, b=0.4, policy="split_test/to-customer/invited/words/1")
    key = policy_key(other.policy)
    state = PolicyState()
    told = begun_decision(other)
    take(state, told)
    again = [
        msgspec.structs.replace(
            a_reward(n, "a" if n % 6 else "b"), visitor=key, policy=other.policy
        )
        for n in range(400)
    ]
    [second] = alerts(take(state, *again))
    assert second.alert_id != alert.alert_id


def begun_decision(test: Any) -> DecisionMade:
    """Return the first decision of a test."""
    decision = msgspec.structs.replace(a_decision().decision, policy=test.policy)
    return DecisionMade(policy_key(test.policy), NOW, decision, test)


def test_its_row_and_its_notices_are_about_no_visitor() -> None:
    [alert] = skewed(begun(), 1, 400)
    row = row_for(alert, KEY, f"learner-0:1:{KEY}:1", NOW)
    assert (row.fields["visitor"], row.fields["policy"]) == ("", TEST.policy)
    assert {each.fields["visitor"] for each in notices_for(alert, KEY)} == {""}


def test_behavior_passes_the_word_on_and_makes_no_visitor_of_a_policy() -> None:
    [alert] = skewed(begun(), 1, 400)
    fact = AlertSettled(
        visitor=KEY,
        alert_id=alert.alert_id,
        path=alert.path,
        run="",
        action="close",
        by="kim",
        kind=alert.kind,
        policy=alert.policy,
    )
    record = Record(1, "m1", 0, NOW, NOW, "", msgspec.json.encode(fact))
    bot = BehaviorBot()
    folding = Folding(bot, LATER, View(None, 1, {}, {}, publication=3), "behavior-0:1", 9)
    held = Codec(bot).fresh(KEY)
    folding.take(held, Work(Arrived(KEY, LATER, record, False, []), 0, "journal:1", 1, 0))
    assert folding.folded.touched == {}
    [letter] = folding.folded.letters["learner"]
    assert letter.message == closed(alert)
    assert held.state == bot.fresh(KEY)
