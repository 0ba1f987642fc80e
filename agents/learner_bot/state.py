"""Hold what the learner knows of one policy: its arms, what is not ripe yet, and how it fares.

Rules
1. Everything is bounded: arms, ripening bundles, remembered rewards, counted subjects, reasons of refusal.
2. All counts are finite and not below 0 (but what sends weigh more or less than one each); what would break that is
   refused before it is added.
3. Counts of arms are discounted in world time, lazily; the sums of the lift are plain sums.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from agents.learner_bot.shown import Shown
from agents.learner_bot.weeks import Weeks
from learning.evaluation.experiment import Experiment
from learning.evaluation.guardrail import Guard

ARMS_MAX = 64
"""Templates of one stage with counts of their own; the least used makes room for a new one."""

REMEMBERED_MAX = 1_024
"""Rewards remembered against a second coming; the runtime's exactly-once is the first guard."""

SUBJECTS_MAX = 1_024
"""Visitors counted at a time, see `Subjects`."""

REWARDS_PER_SUBJECT_MAX = 20
"""Rewards one visitor may give a policy in one world-week; the caps leave an honest one far fewer."""


class Tally(msgspec.Struct, array_like=True):
    """Count what an arm was sent and what came of it, both discounted."""

    successes: float = 0.0
    exposures: float = 0.0
    leaned: float = 0.0
    """Of an hour: by how much its sends weigh more than one each, since their readers' own hours leaned to it; below 0:
    less. Nothing of what was counted before that was known."""


class Sums(msgspec.Struct, array_like=True):
    """Sum rewards of one kind on one side of the holdout: enough for a mean and its interval."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0


class Subjects(msgspec.Struct, array_like=True):
    """Count the rewards of each visitor within one world-week, in bounded memory.

    Misra and Gries (1982): when the table is full, a newcomer takes one from everybody. A count is never too
    high, so no honest visitor is refused; it is too low by at most N / (SUBJECTS_MAX + 1) after N rewards,
    so one visitor's weight stays below 20 + N / 1,025.
    """

    week: int = 0
    counts: dict[int, int] = {}

    def admit(self, subject: int, week: int) -> bool:
        """Count one more reward of a subject; False if its week is full."""
        if week != self.week:
            self.week = week
            self.counts = {}
        count = self.counts.get(subject, 0)
        if count >= REWARDS_PER_SUBJECT_MAX:
            return False
        if count or len(self.counts) < SUBJECTS_MAX:
            self.counts[subject] = count + 1
        else:
            self.counts = {key: less - 1 for key, less in self.counts.items() if less > 1}
        return True


class Raised(msgspec.Struct, array_like=True):
    """Hold what an alert about the policy said when it came."""

    at: datetime
    path: str
    history: list[dict[str, str | int | float]]
    is_open: bool = True
    era: int = 0
    """Of an alert that may come once in each era of the policy."""


class PolicyState(msgspec.Struct):
    """Hold one policy's learning; the learner's "visitor" is the policy's key."""

    policy: str = ""
    """Its name; empty until a message named it."""
    version: int = 0
    """Of the snapshot published last; 0 before the first."""
    arms: dict[str, Tally] = {}
    ripening: dict[int, dict[str, Tally]] = {}
    """Bundle number -> arm -> what is learned when the bundle is ripe."""
    discounted_at: datetime | None = None
    lift: dict[str, Sums] = {}
    """`learned/response`, `holdout/purchase`, … -> sums."""
    decisions: int = 0
    held_out: int = 0
    """Of the decisions, those of held-out visitors."""
    rewards: int = 0
    """Rewards taken, of all kinds and both sides."""
    refused: dict[str, int] = {}
    """Reason -> how many messages were not learned from."""
    remembered: dict[int, bool] = {}
    """Rewards taken of late, oldest first."""
    subjects: Subjects = msgspec.field(default_factory=Subjects)
    unpublished: int = 0
    unpublished_since: datetime | None = None
    wake_at: datetime | None = None
    """The wake-up that stands under the key `publish`."""
    train_every_hours: int = 0
    """Of a probability; 0: it is none."""
    train_at: datetime | None = None
    """The wake-up that stands under the key `train`."""
    trainings: dict[str, int] = {}
    """Outcome -> how many trainings came to it."""
    experiment: Experiment | None = None
    """Of a split test; None: it is none."""
    raised: dict[str, Raised] = {}
    """Kind of an alert about the policy -> what was said: each comes once, of what an era has once an era."""
    hours: Weeks | None = None
    """Of the hours of e-mails: in which people are there; None: it is about something else, or nothing was told."""
    guard: Guard = msgspec.field(default_factory=Guard)
    """Learned held against held out in the era under way."""
    shown: Shown | None = None
    """What answers have shown of whom they were of; None where nothing is asked of that."""

    def refuse(self, reason: str) -> None:
        """Count a message that was not learned from."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def remember(self, reward: int) -> bool:
        """Remember a reward; False if it was remembered already."""
        if reward in self.remembered:
            return False
        if len(self.remembered) >= REMEMBERED_MAX:
            del self.remembered[next(iter(self.remembered))]
        self.remembered[reward] = True
        return True

    def tally(self, arm: str) -> Tally:
        """Return an arm's tally; a new arm takes the place of the least used one if there is no room."""
        tally = self.arms.get(arm)
        if tally is None:
            if len(self.arms) >= ARMS_MAX and not is_slot(arm):
                least = min(self.arms, key=lambda name: (self.arms[name].exposures, name))
                del self.arms[least]
            tally = self.arms[arm] = Tally()
        return tally


def is_slot(arm: str) -> bool:
    """Return whether an arm names an hour of a week, in the one way it is written."""
    return arm.isascii() and arm.isdecimal() and int(arm[:4]) < 168 and str(int(arm[:4])) == arm
