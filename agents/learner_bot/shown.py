"""Hold what answers showed of leads, beside the counts of arms: rows that are not ripe, and sums of those that are.

Everything is bounded: rows of a bundle and pending ones (`leads.ROWS_MAX`), inputs (`leads.INPUTS_MAX`), arms by the
policy's own (`state.ARMS_MAX`).
"""

from __future__ import annotations

import msgspec


class Bundle(msgspec.Struct, array_like=True):
    """Hold the answers of half a day until a "no" of the same age is known, too."""

    arms: list[str] = []
    rows: dict[int, bytes] = {}
    """Hash of the reward -> the arm's place in `arms`, the reward in parts of 128, then the inputs, a byte each."""


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
