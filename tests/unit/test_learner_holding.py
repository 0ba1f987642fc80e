"""Check what the learner keeps to judge a candidate by, when it holds one, and what is published then."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import numpy as np
import pytest

from agents.learner_bot import drawn
from agents.learner_bot.drawn import drawn_of
from agents.learner_bot.holding import DECIDES, GATE, HELD
from agents.learner_bot.leads import ROWS_MAX as BUNDLE_ROWS_MAX
from agents.learner_bot.shown import Bundle, Sample, Shown
from agents.learner_bot.state import PolicyState
from agents.protocol.draw import Draw
from learning.evaluation.gate import ROWS_MAX
from learning.serving.for_lead import choose_for_lead
from messaging.vocabulary.messages import DecisionFared, RewardSeen
from messaging.vocabulary.records import Snapshot
from tests.learner_builders import poison
from tests.unit.test_learner_leads import HIGH, LONG_AGO, NAME, NOW, a_reward, chances, take

ARMS = ["a", "b", "c"]


def drawn_by(
    snapshot: Snapshot | None, number: int, rng: np.random.Generator, **changed
) -> RewardSeen:
    """Build a ripe answer of a lead whom the policy drew for: *a* is for those whose first input is high."""
    inputs = rng.integers(-32, 33, 3).astype(np.int8)
    choice = choose_for_lead(
        snapshot, ARMS, inputs.tobytes(), Draw(f"d-{number}"), refused={}, policy=NAME
    )
    liked = (inputs[0] > 0) == (choice.arm == "a")
    told = {
        "arm": choice.arm,
        "value": float(rng.random() < (0.4 if liked else 0.1)),
        "inputs": inputs.tobytes(),
        "allowed": ARMS,
        "propensity": choice.propensity(),
    }
    return a_reward(number, **(told | changed))


class Life:
    """Live with a learner whose own snapshots decide."""

    def __init__(self, state: PolicyState | None = None) -> None:
        self.state = state or PolicyState()
        self.snapshot: Snapshot | None = None
        self.number = 0
        self.now = NOW
        self._rng = np.random.default_rng(0)

    def answers(self, count: int) -> list[Snapshot]:
        """Let so many decide and answer; return what was published."""
        found = []
        for _ in range(count):
            self.number += 1
            message = drawn_by(self.snapshot, self.number, self._rng)
            told = take(self.state, message, now=self.now)
            found += told
            self.snapshot = told[-1] if told else self.snapshot
        return found


@pytest.fixture(scope="module")
def grown() -> bytes:
    """Return a learner that knows enough to judge, as it is stored."""
    life = Life()
    life.answers(2_000)
    return msgspec.msgpack.encode((life.state, life.snapshot))


def a_grown(stored: bytes) -> Life:
    state, snapshot = msgspec.msgpack.decode(stored, type=tuple[PolicyState, Snapshot])
    life = Life(state)
    life.snapshot, life.number = snapshot, 2_000
    return life


def test_ordinary_learning_is_published_and_judged_once_enough_is_known(grown):
    life = a_grown(grown)
    assert life.snapshot.arrays[GATE][4] >= 500.0
    before = life.snapshot.version
    for snapshot in life.answers(600):
        assert HELD not in snapshot.arrays
        difference, low, high, value, _, answers = snapshot.arrays[GATE]
        assert low <= difference <= high
        assert value > 0.1
        assert answers == ROWS_MAX
    assert life.snapshot.version == before + 3
    assert chances(life.snapshot, HIGH)["a"] > 0.9


def test_a_poisoned_learner_is_held_and_the_bots_decide_as_before(grown):
    life = a_grown(grown)
    good = life.snapshot
    poison(life.state)
    published = life.answers(200)
    assert [each.version for each in published] == [good.version + 1]
    [held] = published
    assert {name: held.arrays[name] for name in DECIDES} == {
        name: good.arrays[name] for name in DECIDES
    }
    assert held.arms == good.arms
    assert held.arrays[HELD] == [NOW.timestamp(), 1.0]
    assert held.arrays[GATE][1] < 0.0
    assert chances(held, HIGH) == chances(good, HIGH)


def test_what_is_told_beside_it_stays_of_now_and_the_reason_says_since_when(grown):
    life = a_grown(grown)
    poison(life.state)
    life.answers(200)
    life.now += timedelta(hours=2)
    fared = DecisionFared(
        visitor=a_reward(1).visitor, at=life.now, policy=NAME, era=0, holdout=False, came=[]
    )
    take(life.state, fared, a_reward(9_999_999, "a", propensity=0.0, holdout=True), now=life.now)
    [held] = life.answers(200)
    assert held.arrays[HELD] == [NOW.timestamp(), 2.0]
    assert held.arrays["lift/holdout/response"][0] == 1.0


def test_what_recovers_is_published_again(grown):
    life, sound = a_grown(grown), a_grown(grown)
    poison(life.state)
    life.answers(200)
    assert life.snapshot.arrays[HELD]
    life.state.shown.sums, life.state.arms = sound.state.shown.sums, sound.state.arms
    life.answers(200)
    assert HELD not in life.snapshot.arrays
    assert life.state.shown.acting.held == 0


def test_a_replay_holds_the_same(grown):
    one, other = a_grown(grown), a_grown(grown)
    for life in (one, other):
        poison(life.state)
        life.answers(400)
    assert msgspec.msgpack.encode(one.state) == msgspec.msgpack.encode(other.state)
    assert one.snapshot == other.snapshot


def test_a_young_tenant_is_never_held():
    life = Life()
    life.answers(400)
    poison(life.state)
    [published] = life.answers(200)
    assert HELD not in published.arrays
    assert GATE not in published.arrays


def test_state_that_was_stored_before_is_read_and_its_next_candidate_acts(grown):
    life = a_grown(grown)
    fields = msgspec.to_builtins(life.state)
    fields["shown"] = fields["shown"][:8]
    old = msgspec.convert(fields, PolicyState)
    assert (old.shown.acting, old.shown.sample) == (None, Sample())
    life.state = old
    assert HELD not in life.answers(200)[-1].arrays


@pytest.mark.parametrize(
    "changed",
    [
        {"propensity": 0.0},
        {"propensity": 1.5},
        {"propensity": float("nan")},
        {"allowed": ["a"]},
        {"allowed": ["b", "c"]},
        {"allowed": []},
        {"allowed": [str(n) for n in range(200)] + ["a"]},
        {"inputs": b""},
        {"holdout": True},
    ],
)
def test_what_is_no_honest_draw_among_several_is_learned_from_and_judges_nothing(changed):
    state = PolicyState()
    take(state, a_reward(1, **({"allowed": ARMS, "propensity": 0.5} | changed)))
    assert state.shown is None or state.shown.sample.rows == b""


def test_rows_are_read_as_they_were_told():
    state = PolicyState()
    take(
        state,
        a_reward(1, "b", 0.5, bytes([16, 0xF0, 8]), allowed=["c", "b"], propensity=0.25),
        a_reward(2, "a", 1.0, HIGH, allowed=["a", "b"], propensity=0.5),
    )
    told = drawn_of(state.shown.sample)
    rows = {
        (
            told.arms[told.taken[row]],
            frozenset(np.asarray(told.arms)[told.allowed[row]].tolist()),
            told.propensities[row],
            told.rewards[row],
            tuple(told.inputs[row].tolist()),
        )
        for row in range(2)
    }
    assert rows == {
        ("b", frozenset("bc"), 0.25, 0.5, (1.0, -1.0, 0.5)),
        ("a", frozenset("ab"), 0.5, 1.0, (1.0, 0.0, 0.5)),
    }


def test_the_newest_rows_stay_and_their_bytes_have_a_bound():
    state, rng = PolicyState(), np.random.default_rng(0)
    for day in range(8):
        decided = LONG_AGO + timedelta(days=day)
        now = decided + timedelta(days=10)
        told = [
            drawn_by(None, 1_000 * day + n, rng, decided_at=decided, propensity=(day + 1) / 10)
            for n in range(300)
        ]
        take(state, *told, now=now)
    rows = drawn_of(state.shown.sample)
    assert len(rows.taken) == ROWS_MAX
    assert rows.propensities.min() > 0.4
    assert len(state.shown.sample.rows) == ROWS_MAX * (14 + 3)


def test_what_stays_of_a_crowded_bundle_does_not_depend_on_what_came_first():
    rng = np.random.default_rng(0)
    recent = NOW - timedelta(hours=3)
    told = [drawn_by(None, n, rng, decided_at=recent) for n in range(2 * BUNDLE_ROWS_MAX)]
    one, other = PolicyState(), PolicyState()
    take(one, *told)
    take(other, *told[::-1])
    for state in (one, other):
        [bundle] = state.shown.ripening.values()
        assert bundle.drawn.keys() == bundle.rows.keys()
    mine, theirs = (_ripe(state, recent) for state in (one, other))
    assert mine == theirs


def test_arms_come_and_go_and_the_rows_name_at_most_64():
    state = PolicyState()
    for n in range(150):
        pair = [f"t{n}", f"t{n + 1}"]
        day = LONG_AGO + timedelta(days=n)
        message = a_reward(
            n, f"t{n}", allowed=pair, propensity=0.5, decided_at=day, inputs=bytes([n, 0, 0])
        )
        take(state, message, now=day + timedelta(days=10))
    told = drawn_of(state.shown.sample)
    assert len(told.arms) <= drawn.ARMS_MAX
    for row, arm in enumerate(told.taken.tolist()):
        named = int(told.arms[arm][1:])
        assert {told.arms[place] for place in np.flatnonzero(told.allowed[row])} == {
            f"t{named}",
            f"t{named + 1}",
        }


def test_arms_that_no_row_names_any_more_make_room():
    sample = Sample(width=1, arms=[f"old-{n}" for n in range(63)] + ["a"])
    shown = Shown(sample=sample)
    kept = Bundle(["a", "b"], {7: bytes([0, 128, 5])}, {})
    shown.ripening[0] = kept
    drawn.put(shown, 0, 7, a_reward(1, "a", inputs=bytes([5]), allowed=["b", "a"], propensity=0.5))
    drawn.ripen(shown, 0)
    assert sample.arms == ["b", "a"]
    assert drawn_of(sample).taken.tolist() == [1]


def _ripe(state: PolicyState, decided: datetime) -> set[tuple[float, ...]]:
    later = decided + timedelta(days=20)
    take(state, a_reward(10**6, inputs=b"", decided_at=later), now=later)
    told = drawn_of(state.shown.sample)
    return {
        (told.propensities[row], told.rewards[row], *told.inputs[row].tolist())
        for row in range(len(told.taken))
    }
