"""Keep with one visitor that their mailbox does not exist, and let others go on writing to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.email_bot.turn import Turn
from tests.simulation.mutants.plant import replaced


def suppress(self: Turn, mailbox: str, reason: str) -> None:
    """Do nothing."""


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Turn, "suppress", suppress):
        yield
