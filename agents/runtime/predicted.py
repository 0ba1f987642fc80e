"""Tell how likely a lead gets there and why, for those who look at a visitor: worked out when it is asked.

What a rule went by stands in Behavior's state and may be ten minutes older, or of an older model; see
`agents.behavior_bot.chances`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agents.behavior_bot.moments import is_lead, moment_of
from agents.behavior_bot.state import BehaviorState
from agents.runtime.lessons import newest_snapshot
from learning.serving.coherent import figures
from learning.serving.probability import POLICIES, probability
from messaging.ports import Store
from messaging.vocabulary.records import Snapshot

DECIMALS = 4


class Predictions:
    """Work out probabilities from the newest snapshots of a store.

    Parameters:
        store: where the snapshots are.
        consent: the consent setting in force.
    """

    def __init__(self, store: Store, consent: str) -> None:
        self._store = store
        self._consent = consent
        self._held: dict[str, Snapshot] = {}

    async def of(self, state: BehaviorState, now: datetime) -> dict[str, Any]:
        """Return `opportunity` and `customer` with their reasons; empty for who is no lead. Raise `Unavailable`.

        What was never learned, or cannot be read, is left out.
        """
        found: dict[str, Any] = {}
        if not is_lead(state):
            return found
        moment = moment_of(state, now.timestamp(), self._consent)
        for name, figure in figures(await self._snapshots(), moment).items():
            told = probability(figure.by, moment)
            found[name] = {
                "value": round(told.value, DECIMALS),
                "horizon_days": told.horizon_days,
                "early": told.is_early,
                "made_up": told.is_made_up,
                "reasons": [reason.words() for reason in told.reasons],
                "version": told.version,
                "in_rules": _in_rules(state, name),
            }
        return found

    async def _snapshots(self) -> dict[str, Snapshot]:
        found = {policy: await self._snapshot(policy) for policy in POLICIES}
        return {policy: snapshot for policy, snapshot in found.items() if snapshot is not None}

    async def _snapshot(self, policy: str) -> Snapshot | None:
        """Return the newest snapshot; the same object as long as it is: what was computed from it is remembered."""
        newest = await newest_snapshot(self._store, policy)
        held = self._held.get(policy)
        if newest is not None and (held is None or held.version != newest.version):
            held = self._held[policy] = newest
        return held


def _in_rules(state: BehaviorState, name: str) -> dict[str, Any] | None:
    """Return what the rules go by until it is worked out anew, None where no rule asks for it."""
    chance = state.chances.get(name)
    if chance is None or chance.value is None:
        return None
    return {
        "value": round(chance.value, DECIMALS),
        "at": datetime.fromtimestamp(chance.at, UTC),
        "version": chance.version,
    }
