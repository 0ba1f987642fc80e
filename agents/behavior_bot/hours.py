"""Tell in which hours a lead is there: once for each of their weeks, when its first event after it comes.

Rules
1. One letter to Rules, which plans, and one to the learner, for a lead and week: an event costs a comparison.
2. Weeks that are over alone are told: of one under way only its first days are known.
3. Nobody writes to visitors without an address: their weeks are told once they are known.
"""

from __future__ import annotations

from datetime import datetime

from agents.behavior_bot.knowing import zone_of
from agents.behavior_bot.state import BehaviorState
from learning.serving.send_time import POLICY
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import HoursSeen, WeekSeen


def tell_hours(state: BehaviorState, visitor: str, now: datetime) -> list[Effect]:
    """Tell the hours of the weeks that are over, if a week has begun since that was last told."""
    presence = state.presence
    if presence.week <= state.hours_told or not state.address:
        return []
    told, state.hours_told = state.hours_told, presence.week
    if not presence.before:
        return []
    week, before = presence.week, presence.before
    seen = WeekSeen(policy_key(POLICY), now, visitor, zone_of(state), told, week, before)
    return [Tell("rules", HoursSeen(visitor, now, week, before)), Tell("learner", seen)]
