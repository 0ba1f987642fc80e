"""Check that learning helps: readers with habits, answers that come late, against uniform choice."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from agents.learner_bot.bot import LearnerBot
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from learning.serving.for_lead import choose_for_lead
from learning.serving.next_best import choose_template, policy_name
from learning.serving.send_time import choose_hour
from messaging.vocabulary.effects import CancelWake, PublishSnapshot, WakeAt
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import Message, RewardSeen, Woke
from messaging.vocabulary.records import Reward, Snapshot

START = datetime(2026, 1, 5, tzinfo=UTC)
WINDOW = timedelta(hours=72)
VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})
TEMPLATES = {"plain": 0.06, "story": 0.09, "offer": 0.18, "survey": 0.05}


class World:
    """Run the learner on its wake-ups and on rewards that come hours or days after their decisions."""

    def __init__(self, policy: str) -> None:
        self.snapshot: Snapshot | None = None
        self._bot = LearnerBot()
        self._policy = policy
        self._key = policy_key(policy)
        self._state = self._bot.fresh(self._key)
        self._late: list[tuple[datetime, int, RewardSeen]] = []
        self._wake: datetime | None = None

    def answer(
        self,
        number: int,
        arm: str,
        decided_at: datetime,
        *,
        yes: bool,
        draw: Draw,
        inputs: bytes = b"",
    ) -> None:
        """Let a decision's answer come: a yes after some hours, a no when its window is over."""
        at = decided_at + (WINDOW * draw.uniform() ** 2 if yes else WINDOW)
        reward = Reward(decision_id=f"d{number}", kind="response", value=float(yes), at=at)
        seen = RewardSeen(
            self._key,
            at,
            reward,
            arm,
            self._policy,
            decided_at,
            False,
            f"s{number}",
            inputs=inputs,
        )
        heapq.heappush(self._late, (at, number, seen))

    def until(self, now: datetime) -> None:
        """Let everything happen that is due."""
        while True:
            reward_at = self._late[0][0] if self._late else datetime.max.replace(tzinfo=UTC)
            if self._wake is not None and self._wake <= min(now, reward_at):
                due, self._wake = self._wake, None
                self._step(Woke(self._key, due, "publish", due, ""), due)
            elif reward_at <= now:
                self._step(heapq.heappop(self._late)[2], reward_at)
            else:
                return

    def _step(self, message: Message, now: datetime) -> None:
        for effect in self._bot.step(self._state, message, now, VIEW, Draw):
            match effect:
                case PublishSnapshot(snapshot):
                    self.snapshot = snapshot
                case WakeAt(_, at):
                    self._wake = at
                case CancelWake():
                    self._wake = None


def mean_rate(
    world: World,
    seed: int,
    days: int,
    choose: Callable[[Snapshot | None, datetime, Draw], str],
    rate_of: Callable[[str], float],
) -> float:
    """Return the mean true rate of what was chosen in the second half, at 30 decisions a day."""
    rates = []
    for number in range(days * 30):
        now = START + timedelta(days=number / 30)
        world.until(now)
        draw = Draw(f"{seed}:{number}")
        arm = choose(world.snapshot, now, draw)
        rates.append(rate_of(arm))
        world.answer(number, arm, now, yes=draw.uniform() < rates[-1], draw=draw)
    late = rates[len(rates) // 2 :]
    return sum(late) / len(late)


def open_hours(now: datetime) -> list[int]:
    """Return the slots of the next 24 hours that are not quiet (21 to 8)."""
    first = int((now - START) / timedelta(hours=1)) + 1
    return [hour % 168 for hour in range(first, first + 24) if 8 <= hour % 24 < 21]


def morning_reader(arm: str) -> float:
    """Return the rate of readers who answer in the morning, against the shipped profile."""
    return {8: 0.22, 9: 0.30, 10: 0.22}.get(int(arm) % 24, 0.10)


@pytest.mark.parametrize("seed", range(6))
def test_the_learned_hour_beats_uniform_even_against_the_shipped_profile(seed):
    learned = mean_rate(
        World("send_time"),
        seed,
        84,
        lambda snapshot, now, draw: choose_hour(snapshot, open_hours(now), draw, refused={}).arm,
        morning_reader,
    )
    everywhere = [morning_reader(str(hour)) for hour in range(8, 21)]
    assert learned > 1.5 * sum(everywhere) / len(everywhere)


@pytest.mark.parametrize("seed", range(3))
def test_the_learned_template_beats_uniform_with_late_answers(seed):
    policy = policy_name("lead", "known")
    learned = mean_rate(
        World(policy),
        seed,
        60,
        lambda snapshot, _, draw: (
            choose_template(snapshot, list(TEMPLATES), draw, refused={}, policy=policy).arm
        ),
        TEMPLATES.__getitem__,
    )
    assert learned > 1.5 * sum(TEMPLATES.values()) / len(TEMPLATES)


def lived_with_inputs(seed: int, rates: list[float], *, by_lead: bool, days: int = 45) -> float:
    """Return the mean true rate of all that was chosen; every lead has 24 inputs that say nothing of their answer."""
    policy = policy_name("lead", "known")
    world, arms = World(policy), [f"template-{number}" for number in range(len(rates))]
    total = 0.0
    for number in range(days * 30):
        now, draw = START + timedelta(days=number / 30), Draw(f"{seed}:{number}")
        world.until(now)
        inputs = bytes(int(256 * draw.uniform()) % 64 for _ in range(24))
        if by_lead:
            choice = choose_for_lead(world.snapshot, arms, inputs, draw, refused={}, policy=policy)
        else:
            choice = choose_template(world.snapshot, arms, draw, refused={}, policy=policy)
        rate = rates[arms.index(choice.arm)]
        total += rate
        world.answer(number, choice.arm, now, yes=draw.uniform() < rate, draw=draw, inputs=inputs)
    return total / (days * 30)


def test_where_nothing_of_a_lead_matters_it_is_no_worse_than_counting_answers():
    """Mean of worlds with arms of .02 to .2, as Beta Thompson counts them, with answers that come days later."""
    chance = Draw("rates")
    worlds = [[0.02 + 0.18 * chance.uniform() for _ in range(4)] for _ in range(5)]
    by_lead = [lived_with_inputs(n, rates, by_lead=True) for n, rates in enumerate(worlds)]
    by_counts = [lived_with_inputs(n, rates, by_lead=False) for n, rates in enumerate(worlds)]
    assert sum(by_lead) / 5 > sum(by_counts) / 5 - 0.002
