"""Remove what is stored of a person while letters about them are still under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.runtime.passing import Passage
from tests.simulation.mutants.plant import replaced


async def settle(self: Passage, times: int) -> None:
    del self, times


async def until(self: Passage, true: Any) -> None:
    del self
    await true()


@contextmanager
def planted() -> Iterator[None]:
    with replaced(Passage, "settled", settle), replaced(Passage, "until", until):
        yield
