"""Pick an e-mail's hour by what is learned of everybody and of this visitor."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from agents.protocol.draw import Draw
from agents.rules_manager.turn import Turn
from learning.serving import send_time
from learning.serving.own_hours import leaning
from learning.serving.policy import Choice
from learning.serving.presence import hour_of


def learned_hour(
    turn: Turn, zone: ZoneInfo, allowed: list[int], refused: dict[int, str], draw: Draw
) -> Choice:
    """Draw an hour of the week; the choice says from how many weeks of the visitor's own it follows, if from any."""
    snapshot, state = turn.view.snapshots.get(send_time.POLICY), turn.state
    week = hour_of(turn.now.timestamp()) // send_time.SLOTS
    own = leaning(snapshot, state.hours_week, state.hours, zone, week)
    return send_time.choose_hour(snapshot, allowed, draw, refused=refused, own=own)
