"""Count what came of a split test's variants, judge it, and say so in its snapshot.

Rules
1. The first decision that a test tells of brings the test itself: the learner needs no rules. A reward that nobody
   decided for is refused.
2. Answers ripen as all others do (`step`, rule 1), until a no of the same age is known too; then they are counted
   together, one visitor each, and nothing is discounted.
3. A visitor converted if a human answered within the response window (more likely than not). Purchases are not counted.
4. Two visitors who became one, one of them held out, belong to neither side.
5. A person is called where visitors do not come by the shares: the machine cannot mend what loses them (`alerts`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.learner_bot import alerts
from agents.learner_bot.state import PolicyState, Tally
from learning.evaluation import experiment
from learning.evaluation.experiment import HOLDOUT, Count
from learning.serving.split_test import ALARM
from messaging.vocabulary.effects import SAMPLE_RATIO, Effect
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import DecisionMade, RewardSeen
from messaging.vocabulary.records import SplitTest, place_of_test

CONVERTED = 0.5


def note(state: PolicyState, message: DecisionMade, test: SplitTest) -> None:
    """Count a decision of a test; the first one begins it, later ones may move what ends it."""
    if policy_key(test.policy) != message.visitor:
        state.refuse("decision of another policy")
        return
    if state.experiment is None:
        state.experiment = experiment.begin(test)
    state.experiment.test = test  # its variants and shares are in its name: they never change
    state.policy = test.policy
    state.decisions += 1
    state.held_out += message.decision.holdout


def refusal(state: PolicyState, message: RewardSeen) -> str | None:
    """Return why a test can't count a reward, or None."""
    if state.experiment is None:
        return "test unknown"
    if not message.in_lift:
        return "of two visitors who became one"
    if message.reward.kind != "response":
        return "not what is tested"
    if not message.holdout and message.arm not in state.experiment.variants:
        return "arm unknown"
    return None


def ripe_after(state: PolicyState) -> timedelta | None:
    """Return how old a decision must be to be counted, None where the policy is no test."""
    known = state.experiment
    return None if known is None else timedelta(hours=known.test.known_after_hours)


def take(bundle: dict[str, Tally], message: RewardSeen) -> None:
    """Put a visitor into the bundle that ripens."""
    tally = bundle.setdefault(HOLDOUT if message.holdout else message.arm, Tally())
    tally.successes += message.reward.value * message.reward.human >= CONVERTED
    tally.exposures += 1.0


def ripen(known: experiment.Experiment, bundle: dict[str, Tally]) -> bool:
    """Count a bundle that is ripe; True if the verdict changed by it."""
    before = known.verdict
    counts = {arm: Count(int(t.exposures), int(t.successes)) for arm, t in bundle.items()}
    experiment.learn(known, counts)
    return known.verdict != before


def alarm(state: PolicyState, now: datetime) -> list[Effect]:
    """Call a person if visitors do not come by the shares; also where that was found before it raised any alert."""
    known = state.experiment
    if known is None or known.verdict != ALARM:
        return []
    path, _, _ = place_of_test(known.test.policy)
    return alerts.call(state, SAMPLE_RATIO, path, experiment.by_shares(known), now)
