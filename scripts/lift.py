"""Compare two shares: what learning brings against what the rules alone bring to those held out."""

from __future__ import annotations

from math import sqrt

from messaging.gateway.told import LiftNow

CERTAIN = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""

ENOUGH = 2
"""Runs of each arm without which there is nothing to compare."""


def wilson(won: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927): it holds for few, and for shares near 0.

    >>> [round(each, 4) for each in wilson(1, 10)]
    [0.0179, 0.4042]
    """
    z = CERTAIN
    share, unit = won / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / unit
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / unit
    # At 0 and 1 the bound is the share itself, but for the last bits of a float.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def difference(after: tuple[int, int], before: tuple[int, int]) -> tuple[float, float, float]:
    """Return (difference, low, high) of two shares, each given as (won, of how many).

    Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10: of both Wilson intervals. His example:

    >>> [round(each, 4) for each in difference((56, 70), (48, 80))]
    [0.2, 0.0524, 0.3339]
    """
    p, q = after[0] / after[1], before[0] / before[1]
    (p_low, p_high), (q_low, q_high) = wilson(*after), wilson(*before)
    low = p - q - sqrt((p - p_low) ** 2 + (q_high - q) ** 2)
    high = p - q + sqrt((p_high - p) ** 2 + (q - q_low) ** 2)
    return p - q, low, high


def lift_now(path: str, arms: dict[str, tuple[int, int]]) -> LiftNow:
    """Return the comparison of one path in words; `arms`: arm -> (runs, of these won).

    >>> lift_now("lead", {"rules": (80, 48), "learning": (70, 56)}).interval
    '+5.2 to +33.4 points'
    """
    runs, won = arms.get("learning", (0, 0))
    held, held_won = arms.get("rules", (0, 0))
    said, interval = "no verdict", "too few runs to compare"
    if runs >= ENOUGH and held >= ENOUGH:
        points = [100 * each for each in difference((won, runs), (held_won, held))]
        middle, low, high = (f"{each:+.1f}".replace("-", "−") for each in points)
        said, interval = f"{middle} points", f"{low} to {high} points"
    return LiftNow(
        path=path,
        learning=_share(won, runs),
        rules=_share(held_won, held),
        difference=said,
        interval=interval,
    )


def _share(won: int, of: int) -> str:
    return f"{100 * won / of:.1f} % ({won:,} of {of:,})" if of else "nobody"
