"""Check how the learner learns in which hours people are there, and which way of believing in them acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import msgspec
import numpy as np
import pytest

from agents.learner_bot import weeks
from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState, Tally
from agents.learner_bot.step import snapshot_of
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.runtime.scrub import letters_without
from learning.serving.hours import HALF_LIVES, KERNELS, SHAPES, belief, everybody, own
from learning.serving.own_hours import Counts
from learning.serving.presence import before_week
from learning.serving.send_time import EVERYBODY, EVERYBODY_WEEKS, POLICY, SHAPE, SLOTS, WEIGHED
from learning.training.shapes import first_choices
from messaging.vocabulary.effects import PublishSnapshot
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.letters import Letter, decode_letters, encode_letters
from messaging.vocabulary.messages import RewardSeen, WeekSeen, Woke
from messaging.vocabulary.records import Reward, Snapshot

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOT = LearnerBot()
VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})
FIRST_WEEK = 2_900
SNAPSHOT_BYTES_MAX = 1_000_000


def told(
    hours: list[int], *, week: int = 1, since: int = 0, subject: str = "ann", zone: str = ""
) -> WeekSeen:
    """Build what is told of a lead as a week begins; weeks and hours are counted from `FIRST_WEEK`."""
    begins = FIRST_WEEK + week
    packed = before_week(np.asarray(hours) + FIRST_WEEK * SLOTS, begins)
    told_to = FIRST_WEEK + since if since else 0
    return WeekSeen(policy_key(POLICY), NOW, subject, zone, told_to, begins, packed)


def taken(*messages: WeekSeen) -> PolicyState:
    """Return the learner's state after these."""
    state = PolicyState()
    for message in messages:
        BOT.step(state, message, NOW, VIEW, Draw)
    return state


def published(state: PolicyState) -> Snapshot:
    """Return what is published an hour later."""
    due = NOW + timedelta(hours=1)
    effects = BOT.step(state, Woke(policy_key(POLICY), due, "publish", due, ""), due, VIEW, Draw)
    (effect,) = [each for each in effects if isinstance(each, PublishSnapshot)]
    return effect.snapshot


def there(state: PolicyState, half_life: float = HALF_LIVES[-1]) -> dict[int, float]:
    """Return slot -> lead-weeks, where there are any."""
    assert state.hours is not None
    counted = state.hours.there[HALF_LIVES.index(half_life)]
    return {slot: count for slot, count in enumerate(counted) if count}


def test_a_lead_week_counts_once_in_each_hour_that_an_email_would_have_been_seen():
    state = taken(told([9, 10, 30]), told([9], subject="bob"))
    assert there(state) == {8: 2.0, 9: 2.0, 10: 1.0, 29: 1.0, 30: 1.0}
    assert state.hours.weeks == [2.0] * len(HALF_LIVES)


def test_hours_are_the_leads_own_with_the_clock_of_their_week():
    """2025-08-04 to 10 was summer time in Berlin, 2 h ahead; half a year later it was not."""
    state = taken(
        told([9], zone="Europe/Berlin"), told([26 * SLOTS + 9], week=27, zone="America/New_York")
    )
    assert set(there(state)) == {10, 11, 3, 4}


def test_a_week_is_told_once_whatever_is_told_again():
    state = taken(told([9]), told([9, SLOTS + 9], week=2, since=1))
    assert there(state) == {8: 2.0, 9: 2.0}
    again = told([9], week=1, since=1)
    BOT.step(state, again, NOW, VIEW, Draw)
    assert there(state) == {8: 2.0, 9: 2.0}
    assert state.refused == {"week again": 1}


def test_weeks_fade_alike_whether_they_are_told_in_time_or_late():
    in_time = taken(told([9]), told([8 * SLOTS + 30], week=9, subject="bob"))
    late = taken(told([8 * SLOTS + 30], week=9, subject="bob"), told([9]))
    assert there(in_time, 8.0) == pytest.approx({8: 0.5, 9: 0.5, 29: 1.0, 30: 1.0})
    assert there(late, 8.0) == pytest.approx(there(in_time, 8.0))
    assert late.hours.weeks == pytest.approx(in_time.hours.weeks)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"before": b""}, "hours unknown"),
        ({"before": b"\x01"}, "hours unknown"),
        ({"week": 0}, "hours unknown"),
        ({"visitor": "another"}, "hours of another policy"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_and_counted(changed, why):
    state = taken(msgspec.structs.replace(told([9]), **changed))
    assert state.refused == {why: 1}
    assert state.hours is None or there(state) == {}


def test_what_an_email_brought_is_no_coming_of_ones_own_accord():
    clicked = before_week(np.asarray([30]) + FIRST_WEEK * SLOTS, FIRST_WEEK + 1)
    state = taken(msgspec.structs.replace(told([9, 30, 31, 50]), prompted=clicked))
    assert set(there(state)) == {8, 9, 29, 30, 31, 49, 50}
    alone = [slot for slot, count in enumerate(state.hours.unprompted) if count]
    assert alone == [8, 9, 49, 50]
    assert state.hours.unprompted_weeks == 1.0


def test_a_send_weighs_what_its_readers_hours_leaned_to_it():
    state = taken(told([9]))
    for number, weighs in enumerate((1.0, 4.0)):
        reward = Reward(decision_id=f"d{number}", kind="response", value=1.0, at=NOW)
        long_ago = NOW - timedelta(days=10)
        seen = (reward, "33", POLICY, long_ago, False, f"v{number}")
        BOT.step(state, RewardSeen(policy_key(POLICY), NOW, *seen, weighs=weighs), NOW, VIEW, Draw)
    snapshot = published(state)
    assert snapshot.arrays["exposures"][33] == pytest.approx(2.0, rel=1e-3)
    assert snapshot.arrays[WEIGHED][33] == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize("weighs", [0.0, -1.0, 1e9, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weighs):
    state = PolicyState()
    reward = Reward(decision_id="d", kind="response", value=1.0, at=NOW)
    seen = RewardSeen(policy_key(POLICY), NOW, reward, "33", POLICY, NOW, False, "v", weighs=weighs)
    BOT.step(state, seen, NOW, VIEW, Draw)
    assert state.refused == {"weight out of range": 1}


def test_what_is_known_is_published_an_hour_later_and_is_small():
    state = taken(*(told([lead, 40], subject=f"{lead}") for lead in range(40)))
    snapshot = published(state)
    assert snapshot.arrays[EVERYBODY][40] == 40.0
    assert snapshot.arrays[EVERYBODY_WEEKS] == [40.0]
    assert len(snapshot.arrays[weeks.HITS]) == len(SHAPES)
    assert 0 <= snapshot.arrays[SHAPE][0] < len(SHAPES)
    assert len(msgspec.json.encode(snapshot)) < SNAPSHOT_BYTES_MAX / 20


def test_nothing_is_published_of_hours_where_nothing_was_told():
    assert EVERYBODY not in snapshot_of(PolicyState(policy=POLICY)).arrays


def test_the_first_choice_of_each_shape_is_the_one_that_its_belief_ranks_first():
    rng = np.random.default_rng(3)
    all_there, all_weeks = rng.random((len(HALF_LIVES), SLOTS)) * 20, np.full(len(HALF_LIVES), 60.0)
    mine = [
        Counts(rng.integers(0, 4, SLOTS) * 0.5, 3.0 + life, 4, 0) for life in range(len(HALF_LIVES))
    ]
    rates = {
        (life, kernel): everybody(all_there[place], 60.0, kernel)
        for (place, life), kernel in product(enumerate(HALF_LIVES), KERNELS)
    }
    expected = []
    for shape in SHAPES:
        counted = mine[HALF_LIVES.index(shape.half_life)]
        said = own(counted.there, shape)
        believed = belief(rates[shape.half_life, shape.kernel], said, counted.weeks, shape)
        expected.append(int(believed.argmax()))
    assert first_choices(all_there, all_weeks, mine).tolist() == expected
    assert len({*expected}) > 1


def test_shapes_are_judged_by_where_the_lead_was_in_the_week_after():
    """Everybody at 40, one lead at 100: shapes that trust a lead's own weeks find the hour, others do not."""
    messages = []
    for week in range(1, 13):
        own_hours = [each * SLOTS + 100 for each in range(week)]
        messages.append(told(own_hours, week=week, since=week - 1))
        for lead in range(8):
            of_all = [each * SLOTS + 40 for each in range(week)]
            messages.append(told(of_all, week=week, since=week - 1, subject=f"{lead}"))
    state = taken(*messages)
    assert state.hours.judged == len(messages)
    trusting = min(range(len(SHAPES)), key=lambda number: SHAPES[number].prior)
    doubting = max(range(len(SHAPES)), key=lambda number: SHAPES[number].prior)
    assert state.hours.hits[trusting] > state.hours.hits[doubting] + 4.0


def test_of_very_many_lead_weeks_some_judge():
    rng = np.random.default_rng(0)
    hours = np.sort(rng.integers(0, SLOTS, (1_200, 4)), axis=1)
    state = taken(*(told(sorted({*each}), subject=f"{n}") for n, each in enumerate(hours.tolist())))
    assert state.hours.weeks[0] == pytest.approx(1_200.0)
    assert weeks.JUDGED_WEEK <= state.hours.judged <= 1_050


def test_who_is_erased_leaves_the_same_learning_behind():
    message = told([9, 30], subject="a" * 24)
    body, count = letters_without(encode_letters([Letter(1, message)]), {"a" * 24})
    [letter] = decode_letters(body)
    assert count == 1
    assert b"a" * 24 not in body
    assert taken(letter.message) == taken(message)


def test_a_state_from_before_hours_were_learned_is_read_and_its_sends_weigh_one_each():
    before = PolicyState(policy=POLICY, rewards=3, arms={"9": Tally(2.0, 30.0)})
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(before))
    del old["hours"]
    old["arms"]["9"] = [2.0, 30.0]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=PolicyState)
    assert (read.hours, read.rewards) == (None, 3)
    BOT.step(read, told([9]), NOW, VIEW, Draw)
    assert published(read).arrays[WEIGHED][9] == pytest.approx(30.0, rel=1e-3)
