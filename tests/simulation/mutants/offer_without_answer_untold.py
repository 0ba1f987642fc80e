"""Tell the reward of an offer only where it was answered: what nobody answers looks as good as what many do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.rules_manager import engaging
from tests.simulation.mutants.plant import replaced

_settled = engaging._settled


def settled(turn: Any, message: Any) -> None:
    offer = turn.state.offered.get(message.engagement_id)
    if offer is not None and message.outcome not in ("shown", *engaging.ANSWERS):
        offer.choice.open = False
    _settled(turn, message)


@contextmanager
def planted() -> Iterator[None]:
    with replaced(engaging, "_settled", settled):
        yield
