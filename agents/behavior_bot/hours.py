"""Tell in which hours a lead is there: once for each of their weeks, when its first event after it comes.

Pages, screens, calls of a browser, human clicks and answers on the site say that somebody is there. An open does not:
it says when an e-mail came. Nor does what a server tells, even during a visit: whether it is taken for part of one
depends on what was known when it came.

Rules
1. One letter to Rules, which plans, and one to the learner, for a lead and week: an event costs a comparison.
2. Weeks that are over alone are told: of one under way only its first days are known.
3. Nobody writes to visitors without an address: their weeks are told once they are known.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from agents.behavior_bot.knowing import zone_of
from agents.behavior_bot.state import BehaviorState
from agents.behavior_bot.tallies import FIRST_HOUR
from learning.serving.presence import HOUR_SECONDS, MONDAY_SECONDS, before_week
from learning.serving.send_time import POLICY, SLOTS
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import HoursSeen, WeekSeen

MONDAY_HOURS = MONDAY_SECONDS // HOUR_SECONDS


def tell_hours(state: BehaviorState, visitor: str, now: datetime) -> list[Effect]:
    """Tell the hours of the weeks that are over, if a week has begun since that was last told."""
    presence = state.presence
    if presence.week <= state.hours_told or not state.address:
        return []
    told, state.hours_told = state.hours_told, presence.week
    if not presence.before:
        return []
    week, before = presence.week, presence.before
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
    return [Tell("rules", HoursSeen(visitor, now, week, before)), Tell("learner", seen)]


def _prompted(state: BehaviorState, told: int, week: int) -> bytes:
    """Return in which hours of these weeks an e-mail brought the visitor."""
    clicked = state.tallies.get("mail_clicked")
    if clicked is None or not clicked.hours:
        return b""
    hours = np.asarray(sorted(clicked.hours), dtype=np.int64) + FIRST_HOUR - MONDAY_HOURS
    return before_week(hours[hours >= told * SLOTS], week)
