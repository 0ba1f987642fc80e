"""Take what a visitor did with an interaction: count it, learn from the answers, pass it on to Engagement.

Rules
1. Each response is counted once under `engagement_<response>:<type>`: the gateway journals a second one never.
2. To click, to dismiss and to submit is activity; to be shown something is not.
3. Engagement is told of every response, also beyond a visitor's bound: a touch must count.
"""

from __future__ import annotations

from agents.behavior_bot.evaluate import Moment
from agents.behavior_bot.intake import count, note_marks
from agents.behavior_bot.knowing import learn_answers
from agents.behavior_bot.sessions import note_activity
from agents.behavior_bot.state import RECENT_CHARACTERS_MAX, RECENT_MAX, BehaviorState, keep
from agents.behavior_bot.tallies import put_in_hours, tally_of
from learning.serving.presence import note
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.events import Engaged, Record
from messaging.vocabulary.messages import EngagementAnswered


def take_engaged(
    state: BehaviorState, event: Engaged, record: Record, here: Moment
) -> tuple[Tell, list[str]]:
    """Return what Engagement is told, and the kinds of events that happened (none: over the bound)."""
    answered = EngagementAnswered(
        here.visitor, here.now, event.engagement_id, event.response, event.tab
    )
    told = Tell("engagement", answered)
    name = f"engagement_{event.response}:{event.interaction_type}"
    if not count(state, name, record, here.rules):
        return told, []
    at = record.at.timestamp()
    put_in_hours(state, tally_of(state, name, here.rules.counted), at)
    what = f"{event.response} {event.interaction_type}"
    keep(state.recent, (at, what[:RECENT_CHARACTERS_MAX]), RECENT_MAX)
    kinds = [f"engagement_{event.response}"]
    kinds += note_marks(state, here.rules, name, None, at)
    if event.answers:
        kinds += learn_answers(state, event.answers, at, record.position, here.rules.turning)
    if event.response != "shown":
        note(state.presence, at)
        kinds += note_activity(state, at, here.seconds, 0)
    return told, kinds
