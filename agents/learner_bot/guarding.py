"""Hold what was learned against held out, and take learning back where it does harm (`learning.evaluation.guardrail`).

Rules
1. Only outcomes of the era under way count, and none once learning was taken back: what comes then is of the rules.
2. At the alarm the snapshot says so at once, and a person is called. It says so until a person turns learning on again;
   to close the alert is to have seen it, and turns nothing on.
3. Turned on again, a new era begins: it knows nothing of the one before, and may be taken back anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from agents.learner_bot import alerts
from agents.learner_bot.state import PolicyState
from learning.evaluation import guardrail
from learning.evaluation.guardrail import MEASURES, NAMES
from learning.serving.fallback import ERA, FALLBACK
from learning.serving.next_best import place_of
from messaging.vocabulary.effects import HARM, Effect
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import AlertAnswered, DecisionFared

RESUME = "resume"
RESUMED = "resumed"


class Fared(NamedTuple):
    """Say what an outcome came to."""

    told: list[Effect]
    """The alert, if there is one."""
    is_news: bool = False
    """It was counted: the next snapshot says so."""
    is_due: bool = False
    """A snapshot is due at once."""


def fared(state: PolicyState, message: DecisionFared, now: datetime) -> Fared:
    """Count what came of a decision, and call a person where that was harm enough."""
    if reason := _refusal(state, message):
        state.refuse(reason)
        return Fared([])
    state.policy = message.policy
    guard = state.guard
    if guardrail.is_over(guard, now):
        state.guard = guardrail.next_era(guard)
        state.refuse("era over")
        return Fared([], is_news=True, is_due=True)
    if message.era != guard.era or guard.is_harmful:
        state.refuse("era over")
        return Fared([])
    guardrail.take(guard, message.came, message.at, is_held_out=message.holdout)
    if not state.guard.is_harmful:
        return Fared([], is_news=True)
    path, _ = place_of(state.policy)
    told = alerts.call(state, HARM, path, guardrail.found(guard), now, era=guard.era)
    return Fared(told, is_news=True, is_due=True)


def resumed(state: PolicyState, message: AlertAnswered) -> list[Effect]:
    """Turn learning on again at a person's word, whether or not the alert was closed meanwhile; once an era."""
    guard = state.guard
    raised = state.raised.get(HARM)
    named = alerts.alert_id(state.policy, HARM, guard.era)
    if raised is None or not guard.is_harmful or message.alert_id != named:
        state.refuse("alert not open")
        return []
    settled = alerts.settle(state, HARM, RESUMED, message)
    del state.raised[HARM]  # of the next era it is another one
    state.guard = guardrail.next_era(guard)
    return [settled]


def arrays(state: PolicyState) -> dict[str, list[float]]:
    """Return what the snapshot says of the guardrail; nothing before anybody was judged.

    `guard/<measure>`: learned came true, of; the rules' came true, of; the logarithm of the evidence for harm.
    """
    guard = state.guard
    told: dict[str, list[float]] = {}
    if guard.era:
        told[ERA] = [float(guard.era)]
    if guard.is_harmful:
        told[FALLBACK] = [1.0]
    rules, learned = guard.judged
    if not learned.visitors:
        return told
    told["guard"] = [guardrail.log_harm(guard)]
    logs = guardrail.log_harms(guard)
    for place, measure in enumerate(MEASURES):
        counts = (learned.yes[place], learned.visitors, rules.yes[place], rules.visitors)
        told[f"guard/{measure.name}"] = [*map(float, counts), logs[place]]
    return told


def _refusal(state: PolicyState, message: DecisionFared) -> str:
    if policy_key(message.policy) != message.visitor:
        return "outcome of another policy"
    if state.experiment is not None:
        return "outcome of a split test"
    return "" if set(message.came) <= set(NAMES) else "outcome unknown"
