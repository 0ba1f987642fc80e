"""Forget a report on an e-mail whose hand-over has no outcome yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.email_bot import answers
from agents.email_bot.state import OpenSend
from agents.email_bot.turn import Turn
from tests.simulation.mutants.plant import replaced


def settle_reported(turn: Turn, send: OpenSend) -> None:
    """Do nothing."""


@contextmanager
def planted() -> Iterator[None]:
    with replaced(answers, "settle_reported", settle_reported):
        yield
