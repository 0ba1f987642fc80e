"""Close the loop of an e-mail's hour: people come and go, are written to once a week, and the bots' own code learns.

What leads do is packed and told as Behavior does (`learning.serving.presence`), the learner is the learner, the hour is
chosen as Rules chooses it. Truth comes in as acts and answers alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from agents.learner_bot.bot import LearnerBot
from agents.learner_bot.state import PolicyState
from agents.learner_bot.step import snapshot_of
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from learning.serving.own_hours import leaning
from learning.serving.presence import HOUR_SECONDS, MONDAY_SECONDS, Presence, before_week, note
from learning.serving.send_time import POLICY, SLOTS, choose_hour
from messaging.vocabulary.ids import derive, policy_key
from messaging.vocabulary.messages import RewardSeen, WeekSeen, Woke
from messaging.vocabulary.records import Reward, Snapshot

FIRST_WEEK = 2_900
UTC_ZONE = ZoneInfo("UTC")
ANSWERED = 0.3
"""Share of the e-mails that are answered by who is there within two hours."""

_VIEW = View(rules=None, rules_version=1, pinned={}, snapshots={})


class Lived(msgspec.Struct):
    """Hold, for each week, how likely an e-mail is answered: as chosen, at one hour for all, at each lead's best."""

    chosen: list[float]
    one: float
    best: float

    def gain(self, week: int) -> float:
        """Return which share of what each lead's best hour has over the best one for all is won in a week."""
        return (self.chosen[week] - self.one) / (self.best - self.one)


def live(
    there: np.ndarray,
    weeks: int,
    rng: np.random.Generator,
    *,
    own: bool = True,
    on_site: bool = True,
    answered: np.ndarray | float = ANSWERED,
) -> Lived:
    """Live so many weeks, one e-mail a lead and week.

    Args:
        there: how likely each lead is there in each hour of a week: (leads, 168).
        weeks: how many.
        rng: all chance.
        own: whether leads' own hours are told.
        on_site: whether there is a site on which they are seen; else their clicks are all that is known.
        answered: how likely an e-mail that is seen is answered, for each hour at which it is sent.
    """
    leads = len(there)
    by_hour = np.broadcast_to(np.asarray(answered), (SLOTS,))
    seen = (1.0 - (1.0 - there) * (1.0 - np.roll(there, -1, axis=1))) * by_hour
    known = [Presence() for _ in range(leads)]
    told = [0] * leads
    clicked: list[list[int]] = [[] for _ in range(leads)]
    learner, bot = PolicyState(), LearnerBot()
    lived = Lived([], float(seen.mean(axis=0).max()), float(seen.max(axis=1).mean()))
    for number in range(weeks):
        week, now = FIRST_WEEK + number, _monday(number)
        bot.step(learner, Woke(policy_key(POLICY), now, "publish", now, ""), now, _VIEW, Draw)
        snapshot = snapshot_of(learner)
        drawn = rng.random((leads, SLOTS)) < there
        came = 0.0
        for lead in range(leads):
            slot, chance, weighs = _chosen(
                snapshot, known[lead], week, seen[lead], f"{number}/{lead}"
            )
            came += chance
            is_seen = bool(drawn[lead, slot] or drawn[lead, (slot + 1) % SLOTS])
            is_answered = is_seen and rng.random() < by_hour[slot]
            if is_answered:
                here = slot if drawn[lead, slot] else slot + 1
                clicked[lead].append(week * SLOTS + here % SLOTS)
            reward = _reward(number, lead, slot, answered=is_answered, weighs=weighs)
            bot.step(learner, reward, now, _VIEW, Draw)
        lived.chosen.append(came / leads)
        for lead in range(leads) if own else ():
            acts = (week * SLOTS + drawn[lead].nonzero()[0]).tolist() if on_site else []
            for hour in sorted({*acts, *(each for each in clicked[lead] if each >= week * SLOTS)}):
                note(known[lead], MONDAY_SECONDS + hour * HOUR_SECONDS)
            _tell(bot, learner, known[lead], told, lead, now, clicked[lead])
    return lived


def _chosen(
    snapshot: Snapshot, known: Presence, week: int, seen: np.ndarray, name: str
) -> tuple[int, float, float]:
    """Return the slot that is drawn, how likely an e-mail is answered by what could have been, and its weight."""
    before = Presence(known.week, known.here, known.before)
    if before.here:
        note(before, MONDAY_SECONDS + week * SLOTS * HOUR_SECONDS)  # a week begins
    own = leaning(snapshot, before.week, before.before, UTC_ZONE, week)
    draw = Draw(derive("decision", name))
    choice = choose_hour(snapshot, list(range(SLOTS)), draw, refused={}, own=own)
    chances = np.asarray(choice.probabilities)
    slot = int(choice.arm)
    return slot, float(chances @ seen), choice.weighs


def _tell(
    bot: LearnerBot,
    learner: PolicyState,
    known: Presence,
    told: list[int],
    lead: int,
    now: datetime,
    clicked: list[int],
) -> None:
    if known.week <= told[lead]:
        return
    if known.before:
        new = np.asarray([hour for hour in clicked if hour >= told[lead] * SLOTS], dtype=np.int64)
        packed = known.before, before_week(new, known.week)
        seen = WeekSeen(policy_key(POLICY), now, f"v{lead}", "", told[lead], known.week, *packed)
        bot.step(learner, seen, now, _VIEW, Draw)
    told[lead] = known.week


def _reward(number: int, lead: int, slot: int, *, answered: bool, weighs: float) -> RewardSeen:
    at = _monday(number)
    reward = Reward(decision_id=f"{number}/{lead}", kind="response", value=float(answered), at=at)
    return RewardSeen(
        policy_key(POLICY), at, reward, str(slot), POLICY, at, False, f"v{lead}", weighs=weighs
    )


def _monday(number: int) -> datetime:
    begins = MONDAY_SECONDS + (FIRST_WEEK + number) * SLOTS * HOUR_SECONDS
    return datetime.fromtimestamp(begins, UTC)
