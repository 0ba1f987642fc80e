"""Say when a probability is learned anew, and publish what comes of it.

Rules
1. The training itself happens outside the batch. What it comes to is a message of the shard's own hands, which the
   batch record keeps: a replay trains nothing.
2. A training whose answer has not come within a day (the process died) is asked for again. Two answers to one
   question publish two versions, which harms nobody.
3. A version is given here, one after the other, also after a training that was lost.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.learner_bot.state import PolicyState
from messaging.vocabulary.effects import Effect, PublishSnapshot, TrainModel, WakeAt
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import ModelTrained, TrainingScheduled

TRAIN = "train"
AGAIN_AFTER_HOURS = 24


def scheduled(state: PolicyState, message: TrainingScheduled, now: datetime) -> list[Effect]:
    """Take the schedule that the settings give; a training that is planned for earlier stays planned."""
    if policy_key(message.policy) != message.visitor or message.every_hours < 1:
        state.refuse("schedule of another policy")
        return []
    state.policy = message.policy
    state.train_every_hours = message.every_hours
    wanted = now + timedelta(hours=message.every_hours)
    if state.train_at is not None and state.train_at <= wanted:
        return []
    return _plan(state, wanted)


def due(state: PolicyState, now: datetime) -> list[Effect]:
    """Ask for a training, and plan to ask again if no answer comes."""
    hours = min(AGAIN_AFTER_HOURS, state.train_every_hours)
    return [TrainModel(state.policy, now), *_plan(state, now + timedelta(hours=hours))]


def trained(state: PolicyState, message: ModelTrained, now: datetime) -> list[Effect]:
    """Plan the next training, and publish what was learned if it is better than what acts."""
    snapshot = message.snapshot
    is_own = policy_key(message.policy) == message.visitor
    if not is_own or (snapshot is not None and snapshot.policy != message.policy):
        state.refuse("model of another policy")
        return []
    state.trainings[message.outcome] = state.trainings.get(message.outcome, 0) + 1
    effects = _plan(state, now + timedelta(hours=state.train_every_hours))
    if snapshot is not None:
        state.version += 1
        own = msgspec.structs.replace(snapshot, version=state.version)
        effects.append(PublishSnapshot(own))
    return effects


def _plan(state: PolicyState, at: datetime) -> list[Effect]:
    state.train_at = at
    return [WakeAt(TRAIN, at)]
