"""Tell in which hours a lead is there: their first few as they come, then once for each of their weeks.

Pages, screens, calls of a browser, human clicks and answers on the site say that somebody is there. An open does not:
it says when an e-mail came. Nor does what a server tells, even during a visit: whether it is taken for part of one
depends on what was known when it came.

Rules
1. One letter to Rules, which plans, and one to the learner, for a lead and week: an event costs a comparison.
2. Weeks that are over alone are told: of one under way only its first days are known. But of a lead's first few hours
   Rules hears at once: most e-mails go to who was seen once, and where one visit falls says more than nothing.
3. Nobody writes to visitors without an address: their weeks are told once they are known.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from agents.behavior_bot.knowing import zone_of
from agents.behavior_bot.state import BehaviorState
from agents.behavior_bot.tallies import FIRST_HOUR
from learning.serving.presence import (
    HOUR_SECONDS,
    MONDAY_SECONDS,
    before_week,
    hours_of,
    occasions,
)
from learning.serving.send_time import POLICY, SLOTS
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import HoursSeen, WeekSeen

MONDAY_HOURS = MONDAY_SECONDS // HOUR_SECONDS

FEW = 4
"""Hours of a lead that are told as they come."""


def is_news(state: BehaviorState) -> bool:
    """Say whether there may be something to tell; quick, for it is asked at each event."""
    presence = state.presence
    return presence.week > state.hours_told or state.few_told < min(occasions(presence), FEW)


def tell_hours(state: BehaviorState, visitor: str, now: datetime) -> list[Effect]:
    """Tell the hours of the weeks that are over, once a week has begun, and the first few hours as they come."""
    if not state.address or not is_news(state):
        return []
    presence = state.presence
    few = occasions(presence)
    is_few, state.few_told = few <= FEW, min(few, FEW)
    effects: list[Effect] = []
    if is_few and few:
        week = presence.week + 1
        effects.append(
            Tell("rules", HoursSeen(visitor, now, week, before_week(hours_of(presence), week)))
        )
    if presence.week <= state.hours_told:
        return effects
    told, state.hours_told = state.hours_told, presence.week
    if not presence.before:
        return effects
    week, before = presence.week, presence.before
    if not effects:
        effects.append(Tell("rules", HoursSeen(visitor, now, week, before)))
    seen = WeekSeen(
        policy_key(POLICY),
        now,
        visitor,
        zone_of(state),
        told,
        week,
        before,
        _prompted(state, told, week),
    )
    return [*effects, Tell("learner", seen)]


def _prompted(state: BehaviorState, told: int, week: int) -> bytes:
    """Return in which hours of these weeks an e-mail brought the visitor."""
    clicked = state.tallies.get("mail_clicked")
    if clicked is None or not clicked.hours:
        return b""
    hours = np.asarray(sorted(clicked.hours), dtype=np.int64) + FIRST_HOUR - MONDAY_HOURS
    return before_week(hours[hours >= told * SLOTS], week)
