"""Work probabilities out by the newest model that this process has seen, whatever the batch names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from agents.behavior_bot import evaluate
from agents.behavior_bot.state import BehaviorState
from agents.protocol.bot import View
from messaging.vocabulary.records import Snapshot
from tests.simulation.mutants.plant import replaced

_refresh = evaluate.refresh
_seen: dict[str, Snapshot] = {}


def refresh(state: BehaviorState, seconds: float, view: View) -> bool:
    for policy, snapshot in view.snapshots.items():
        if policy not in _seen or _seen[policy].version < snapshot.version:
            _seen[policy] = snapshot
    return _refresh(state, seconds, msgspec.structs.replace(view, snapshots=dict(_seen)))


@contextmanager
def planted() -> Iterator[None]:
    _seen.clear()
    with replaced(evaluate, "refresh", refresh):
        yield
