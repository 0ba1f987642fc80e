"""Hold what answers showed of leads, beside the counts of arms: rows that are not ripe, and sums of those that are.

Everything is bounded: rows of a bundle and pending ones (`leads.ROWS_MAX`), inputs (`leads.INPUTS_MAX`), arms by the
policy's own (`state.ARMS_MAX`), the sample by `gate.ROWS_MAX` rows.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Bundle(msgspec.Struct, array_like=True):
    """Hold the answers of half a day until a "no" of the same age is known, too."""

    arms: list[str] = []
    rows: dict[int, bytes] = {}
    """Hash of the reward -> the arm's place in `arms`, the reward in parts of 128, then the inputs, a byte each."""
    drawn: dict[int, bytes] = {}
    """The same hash -> the probability of its draw (single precision), then the places of the arms allowed."""


class Sample(msgspec.Struct, array_like=True):
    """Hold how the arms of the newest ripe answers were drawn (`drawn`)."""

    width: int = 0
    """Inputs of a row."""
    arms: list[str] = []
    rows: bytes = b""


class Acting(msgspec.Struct, array_like=True):
    """Hold the belief that was published last, and why a newer one is not (`holding`)."""

    arms: list[str] = []
    arrays: dict[str, bytes] = {}
    """Name in the snapshot -> double precision."""
    told: list[float] = []
    """What was found of the newest candidate that was judged, as it is published; empty: too little was known."""
    held_since: datetime | None = None
    """When the first of the candidates that were held since came; None: what was learned last acts."""
    held: int = 0
    """Candidates held, one after the other."""


class Shown(msgspec.Struct, array_like=True):
    """Hold what a policy's answers have shown of whom they were of."""

    width: int = 0
    """Inputs that the sums are of."""
    arms: list[str] = []
    sums: bytes = b""
    """For each of `arms`, then for all answers alike, in single precision: how many answers; the upper triangle of
    Σ share x xᵀ with a 1 in front; Σ reward x (`learning.training.earned`)."""
    lost: list[float] = []
    """Squared error of each belief (`SHRUNK`, then `POOLED`) over answers that it had not seen."""
    scored: float = 0.0
    """Of these, how many."""
    fade: float = 1.0
    """What `sums`, `lost` and `scored` have faded by since they were written."""
    ripening: dict[int, Bundle] = {}
    """Bundle number -> its rows."""
    pending: list[tuple[str, bytes]] = []
    """(arm, reward and inputs) of what is ripe and not learned yet."""
    sample: Sample = msgspec.field(default_factory=Sample)
    acting: Acting | None = None
    """None: nothing was published yet."""
