"""Count a batch whose commit met a conflict once more when it is built anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.runtime import committing
from agents.runtime.committing import Batch, Committer
from tests.simulation.mutants.plant import replaced

_forget = Committer._forget


def forget(self: Committer, batch: Batch) -> None:
    _forget(self, batch)
    if batch.built is not None:
        self.owner.figures = batch.commit.figures
        self.head = self.owner


@contextmanager
def planted() -> Iterator[None]:
    with replaced(committing.Committer, "_forget", forget):
        yield
