"""Learn what each arm brings, and publish it.

Rules
1. A reward is learned once, and when its decision is old enough that a "no" would be known too: a quick yes
   that overtakes the slow no's makes every arm look better the more it was sent of late.
2. Held-out visitors' rewards are summed for the lift and teach nothing: the policy must not improve on the
   yardstick's data, and both sides are counted alike.
3. Only `response` teaches; `progress`, `purchase`, `unsubscribe` and `complaint` are summed. A response counts by how
   likely a human gave it.
4. No visitor weighs more than `REWARDS_PER_SUBJECT_MAX` rewards a world-week; numbers that are none are
   refused. A refusal is counted, and the counts are published with the snapshot.
5. A snapshot goes out after 200 new rewards, or one world-hour after the first of them.
6. Probabilities are learned outside (`trainings`): the learner says when, and gives what comes of it its version.
7. A split test is a policy of its own that counts visitors (`experiments`); what it sends teaches the templates, too.
   Its snapshot goes out at once when it is decided.
8. In which hours people are there is learned from their weeks (`weeks`), beside what e-mails were answered.
9. Of a template's answer it is learned of whom it was, too (`leads`): which leads answer which template.
10. Whatever needs a person is an alert about the policy (`alerts`), with the snapshot that says so.
11. What does harm is taken back (`guarding`), and a person may turn it on again.
12. What would bring less than what acts is held (`drawn`, `holding`), and asked for again at the next publication.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from agents.learner_bot import (
    alerts,
    drawn,
    experiments,
    guarding,
    holding,
    leads,
    trainings,
    weeks,
)
from agents.learner_bot.shown import Shown
from agents.learner_bot.state import ARMS_MAX, PolicyState, Sums, Tally, is_slot
from agents.protocol.bot import View
from agents.protocol.draw import DrawFor
from learning.evaluation import experiment
from learning.serving import on_site, split_test
from learning.serving.next_best import is_policy, policy_name
from learning.serving.send_time import POLICY as SEND_TIME
from learning.serving.send_time import SLOTS, WEIGHED
from messaging.vocabulary.effects import CancelWake, Effect, PublishSnapshot, WakeAt
from messaging.vocabulary.ids import policy_key, short_hash
from messaging.vocabulary.messages import (
    AlertAnswered,
    DecisionFared,
    DecisionMade,
    Message,
    ModelTrained,
    RewardSeen,
    TrainingScheduled,
    WeekSeen,
    Woke,
)
from messaging.vocabulary.records import Decision, Snapshot, SplitTest

HALF_LIFE = timedelta(weeks=12)
"""Without forgetting a year of mail was worth less than its last weeks; 8 to 12 weeks were measured best."""

DISCOUNT_EVERY = timedelta(hours=1)
"""Steps in which the discount is taken: 0.03 % each, finer than anyone can see."""

RIPE_AFTER = timedelta(hours=96)
"""A mail is sent within 24 h of its decision and waited for for 72 h: by then its "no" is known."""

RIPE_AFTER_ON_SITE = timedelta(hours=24)
"""An offer on the site stands no longer than that."""

BUNDLE = timedelta(hours=12)
"""Decisions of half a day ripen together, so that few numbers are kept, however many rewards come."""

PUBLISH_AFTER_REWARDS = 200
PUBLISH_AFTER = timedelta(hours=1)
PUBLISH = "publish"

KINDS = ("response", "progress", "purchase", "unsubscribe", "complaint")
WEIGHS_MAX = 100.0
"""As so many sends one counts at most."""
VALUE_MAX = {**dict.fromkeys(KINDS, 1.0), "purchase": 1e9}

_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday, so that world-weeks begin on one."""

_PROBABILITY_SLACK = 1e-6


def step(
    state: PolicyState,
    message: Message,
    now: datetime,
    view: View,  # noqa: ARG001 - the learner needs no rules
    draw: DrawFor,  # noqa: ARG001 - and no chance
) -> list[Effect]:
    """Take one message for one policy; every other bot's messages are refused and counted."""
    match message:
        case DecisionMade(test=None):
            _note_decision(state, message)
            return []
        case DecisionMade(test=SplitTest() as test):
            _note_tested(state, message, test)
            return []
        case RewardSeen():
            _take_reward(state, message, now)
        case WeekSeen():
            _take_week(state, message, now)
        case DecisionFared():
            return _take_outcome(state, message, now)
        case AlertAnswered(action=guarding.RESUME):
            return _resume(state, message, now)
        case AlertAnswered():
            return alerts.answered(state, message)
        case TrainingScheduled():
            return trainings.scheduled(state, message, now)
        case ModelTrained():
            return trainings.trained(state, message, now)
        case Woke(key=trainings.TRAIN):
            return trainings.due(state, now)
        case Woke(key=key) if key == PUBLISH:
            state.wake_at = None
        case _:
            state.refuse("not for the learner")
            return []
    _ripen(state, now)
    told = experiments.alarm(state, now)
    return told + _publish_if_due(state, now) + _wake_when_needed(state)


def policy_of(decision: Decision) -> str:
    """Return the name of the policy that a decision teaches, whoever made it."""
    if decision.kind == "send_hour":
        return SEND_TIME
    if decision.kind == "interaction":
        return on_site.policy_name(decision.step)
    return policy_name(decision.path, decision.stage)


def _note_decision(state: PolicyState, message: DecisionMade) -> None:
    decision = message.decision
    name = policy_of(decision)
    if policy_key(name) != message.visitor:
        state.refuse("decision of another policy")
    elif not _is_honest(decision):
        state.refuse("propensities broken")
    else:
        state.policy = name
        state.decisions += 1
        state.held_out += decision.holdout


def _note_tested(state: PolicyState, message: DecisionMade, test: SplitTest) -> None:
    if _is_honest(message.decision):
        experiments.note(state, message, test)
    else:
        state.refuse("propensities broken")


def _is_honest(decision: Decision) -> bool:
    """Return whether a decision's probabilities are such, and its arm could have been drawn."""
    allowed = [candidate.arm for candidate in decision.candidates if not candidate.refused]
    chances = decision.probabilities
    return (
        len(allowed) == len(chances)
        and all(0.0 <= chance <= 1.0 for chance in chances)
        and abs(math.fsum(chances) - 1.0) <= _PROBABILITY_SLACK
        and any(
            arm == decision.arm and chance > 0.0
            for arm, chance in zip(allowed, chances, strict=True)
        )
    )


def _take_reward(state: PolicyState, message: RewardSeen, now: datetime) -> None:
    if not state.policy and policy_key(message.policy) == message.visitor:
        state.policy = message.policy
    bundle = _bundle(min(message.decided_at, now) + _ripe_after(state, message))
    reason = _refusal(state, message, bundle)
    number = _number("reward", _reward_id(message))
    if reason is None and not state.remember(number):
        reason = "reward again"
    if reason is None:
        week = (now - _EPOCH) // timedelta(weeks=1)
        if not state.subjects.admit(_number("subject", message.subject), week):
            reason = "visitor over its bound"
    if reason is not None:
        state.refuse(reason)
        return
    state.rewards += 1
    if state.experiment is not None:
        experiments.take(state.ripening.setdefault(bundle, {}), message)
        return
    _measure(state, message)
    if message.holdout or message.reward.kind != "response":
        _count_unpublished(state, 1, now)
        return
    tally = state.ripening.setdefault(bundle, {}).setdefault(message.arm, Tally())
    reward = message.reward.value * message.reward.human
    tally.successes += reward
    tally.exposures += 1.0
    if state.policy == SEND_TIME:
        tally.leaned += message.weighs - 1.0
    if is_policy(state.policy):
        state.shown = state.shown or Shown()
        leads.put(state.shown, bundle, number, message.arm, reward, message.inputs)
        drawn.put(state.shown, bundle, number, message)


def _take_week(state: PolicyState, message: WeekSeen, now: datetime) -> None:
    """Learn a lead's weeks that are over; they hurry nobody: an hour later is time enough to publish them."""
    if policy_key(SEND_TIME) != message.visitor:
        state.refuse("hours of another policy")
        return
    state.policy = SEND_TIME
    if state.hours is None:
        state.hours = weeks.Weeks()
    if reason := weeks.take(state.hours, message):
        state.refuse(reason)
    else:
        _count_unpublished(state, 0, now)


def _take_outcome(state: PolicyState, message: DecisionFared, now: datetime) -> list[Effect]:
    fared = guarding.fared(state, message, now)
    if fared.is_news:
        _count_unpublished(state, PUBLISH_AFTER_REWARDS if fared.is_due else 1, now)
    return fared.told + _publish_if_due(state, now) + _wake_when_needed(state)


def _resume(state: PolicyState, message: AlertAnswered, now: datetime) -> list[Effect]:
    told = guarding.resumed(state, message)
    if not told:
        return []
    _count_unpublished(state, PUBLISH_AFTER_REWARDS, now)
    return told + _publish_if_due(state, now) + _wake_when_needed(state)


def _ripe_after(state: PolicyState, message: RewardSeen) -> timedelta:
    """Return how old a decision must be for its "no" to be known."""
    of_test = experiments.ripe_after(state)
    if of_test is not None:
        return of_test
    return RIPE_AFTER_ON_SITE if on_site.is_policy(message.policy) else RIPE_AFTER


def _refusal(state: PolicyState, message: RewardSeen, bundle: int) -> str | None:
    """Return why a reward can't be taken, or None."""
    reward = message.reward
    if reward.kind not in KINDS:
        return "kind unknown"
    # Written so that NaN fails as well.
    if not 0.0 <= reward.value <= VALUE_MAX[reward.kind]:
        return "value out of range"
    if not 0.0 <= reward.human <= 1.0:
        return "human out of range"
    if not 0.0 < message.weighs <= WEIGHS_MAX:
        return "weight out of range"
    if state.policy == SEND_TIME and not is_slot(message.arm):
        return "arm unknown"
    if split_test.is_policy(message.policy):
        return experiments.refusal(state, message)
    arms = state.ripening.get(bundle, {})
    if message.arm not in arms and len(arms) >= ARMS_MAX and not is_slot(message.arm):
        return "too many arms"
    return None


def _measure(state: PolicyState, message: RewardSeen) -> None:
    """Add a reward to the sums the lift is computed from; decisions of neither side are left out."""
    if not message.in_lift or (not message.holdout and message.policy != state.policy):
        return
    side = "holdout" if message.holdout else "learned"
    value = message.reward.value * message.reward.human
    sums = state.lift.setdefault(f"{side}/{message.reward.kind}", Sums())
    sums.count += 1
    sums.total += value
    sums.squares += value * value


def _ripen(state: PolicyState, now: datetime) -> None:
    """Move what is ripe into the arms' counts, after discounting those."""
    _discount(state, now)
    ripe_to = (now - _EPOCH) // BUNDLE
    for bundle in sorted(bundle for bundle in state.ripening if bundle <= ripe_to):
        arms = state.ripening.pop(bundle)
        if state.experiment is not None:
            decided = experiments.ripen(state.experiment, arms)
            known = round(sum(tally.exposures for tally in arms.values()))
            _count_unpublished(state, PUBLISH_AFTER_REWARDS if decided else known, now)
            continue
        learned = 0.0
        for arm, ripe in arms.items():
            tally = state.tally(arm)
            tally.successes += ripe.successes
            tally.exposures += ripe.exposures
            tally.leaned += ripe.leaned
            learned += ripe.exposures
        if state.shown is not None:
            drawn.ripen(state.shown, bundle)
            leads.ripen(state.shown, bundle, state.arms)
        _count_unpublished(state, round(learned), now)


def _discount(state: PolicyState, now: datetime) -> None:
    if state.discounted_at is None:
        state.discounted_at = now
    passed = now - state.discounted_at
    if passed >= DISCOUNT_EVERY:
        factor = 0.5 ** (passed / HALF_LIFE)
        for tally in state.arms.values():
            tally.successes *= factor
            tally.exposures *= factor
            tally.leaned *= factor
        if state.shown is not None:
            leads.fade(state.shown, factor)
        state.discounted_at = now


def _count_unpublished(state: PolicyState, rewards: int, now: datetime) -> None:
    if state.unpublished_since is None:
        state.unpublished_since = now
    state.unpublished += rewards


def _publish_if_due(state: PolicyState, now: datetime) -> list[Effect]:
    since = state.unpublished_since
    if since is None or not state.policy:
        return []
    if state.unpublished < PUBLISH_AFTER_REWARDS and now < since + PUBLISH_AFTER:
        return []
    if state.shown is not None:
        leads.learn(state.shown, state.arms)
    state.version += 1
    state.unpublished = 0
    state.unpublished_since = None
    told = snapshot_of(state)
    return [
        PublishSnapshot(told if state.shown is None else holding.settle(state.shown, told, now))
    ]


def snapshot_of(state: PolicyState) -> Snapshot:
    """Return what is known now, as it is published if it is not held."""
    if state.experiment is not None:
        told = experiment.snapshot_of(state.experiment, state.version, state.rewards)
        told.arrays.update(_refused(state))
        return told
    by_hour = state.policy == SEND_TIME
    arms = [str(slot) for slot in range(SLOTS)] if by_hour else sorted(state.arms)
    tallies = [state.arms.get(arm) or Tally() for arm in arms]
    arrays = {
        "successes": [tally.successes for tally in tallies],
        "exposures": [tally.exposures for tally in tallies],
        "decisions": [float(state.decisions), float(state.held_out)],
    }
    for key, sums in sorted(state.lift.items()):
        arrays[f"lift/{key}"] = [float(sums.count), sums.total, sums.squares]
    arrays.update(guarding.arrays(state))
    if state.shown is not None:
        arrays.update(leads.arrays_of(state.shown, state.arms))
    arrays.update(_refused(state))
    if state.hours is not None:
        arrays.update(weeks.arrays_of(state.hours))
        arrays[WEIGHED] = [max(0.0, tally.exposures + tally.leaned) for tally in tallies]
    return Snapshot(
        policy=state.policy,
        version=state.version,
        learned_to={"rewards": state.rewards},
        arms=arms,
        arrays=arrays,
    )


def _refused(state: PolicyState) -> dict[str, list[float]]:
    return {f"refused/{reason}": [float(n)] for reason, n in sorted(state.refused.items())}


def _wake_when_needed(state: PolicyState) -> list[Effect]:
    """Keep one wake-up standing at the next moment at which something can ripen or be published."""
    moments = [_ripe_at(min(state.ripening))] if state.ripening else []
    if state.unpublished_since is not None and state.policy:
        moments.append(state.unpublished_since + PUBLISH_AFTER)
    wanted = min(moments, default=None)
    if wanted == state.wake_at:
        return []
    state.wake_at = wanted
    return [CancelWake(PUBLISH)] if wanted is None else [WakeAt(PUBLISH, wanted)]


def _bundle(ripe_at: datetime) -> int:
    """Return the number of the first half-day that begins no earlier than what ripens in it."""
    return -((_EPOCH - ripe_at) // BUNDLE)


def _ripe_at(bundle: int) -> datetime:
    return _EPOCH + bundle * BUNDLE


def _reward_id(message: RewardSeen) -> str:
    return f"{message.reward.decision_id}:{message.reward.kind}"


def _number(kind: str, name: str) -> int:
    """Return 48 bits of a name's hash: a short key where a rare mix-up does no harm."""
    return int(short_hash(kind, name), 16)
