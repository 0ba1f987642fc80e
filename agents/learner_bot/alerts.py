"""Call a person in about a policy, once for each kind of alert, and close the alert at a person's word.

Rules
1. An alert's id is derived from the policy and the kind: a replay writes the same row, another test's alert is another.
2. What it said when it came is kept: it says the same when it is closed, though more is known by then.
3. Closed means seen: what an alert is about calls nobody a second time, however long it lasts.
"""

from __future__ import annotations

from datetime import datetime

from agents.learner_bot.state import PolicyState, Raised
from messaging.vocabulary.effects import Effect, PutAlert
from messaging.vocabulary.ids import policy_alert_id
from messaging.vocabulary.messages import AlertAnswered

CLOSE = "close"


def call(
    state: PolicyState,
    kind: str,
    path: str,
    history: list[dict[str, str | int | float]],
    now: datetime,
    *,
    era: int = 0,
) -> list[Effect]:
    """Call a person in, unless that was done."""
    if kind in state.raised:
        return []
    state.raised[kind] = Raised(now, path, history, era=era)
    return [_alert(state, kind, "open")]


def answered(state: PolicyState, message: AlertAnswered) -> list[Effect]:
    """Close the alert that a person closed; what is not open, or no alert of this policy, is refused and counted."""
    for kind, raised in state.raised.items():
        if alert_id(state.policy, kind, raised.era) == message.alert_id and raised.is_open:
            if message.action != CLOSE:
                break
            raised.is_open = False
            return [settle(state, kind, "closed", message)]
    state.refuse("alert not open")
    return []


def settle(state: PolicyState, kind: str, status: str, message: AlertAnswered) -> PutAlert:
    """Return what an alert says once a person has settled it."""
    settled = _alert(state, kind, status)
    settled.by, settled.settled_at = message.by, message.at
    return settled


alert_id = policy_alert_id


def _alert(state: PolicyState, kind: str, status: str) -> PutAlert:
    raised = state.raised[kind]
    return PutAlert(
        alert_id=alert_id(state.policy, kind, raised.era),
        kind=kind,
        path=raised.path,
        run="",
        status=status,
        at=raised.at,
        history=[dict(line) for line in raised.history],
        policy=state.policy,
    )
