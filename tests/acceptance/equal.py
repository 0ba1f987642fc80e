"""Hold `mdma simulate` against the system that it foretells, visitor by visitor and stage by stage.

    python tests/acceptance/equal.py [--visitors 100] [--days 14] [--seeds 1,2] [--further 20]

For each seed an audience lives twice: in a simulation, and in `mdma up` with a real mongod, Ray, gateway and SMTP, the
hours and templates being the rules' (`MDMA_LEARNING=off`, so that no snapshot can differ). It browses, answers what the
site offers, opens, clicks, unsubscribes and buys over HTTP. What the API then says of each visitor must be what the
simulation foretold: `tests/equality/told.py` says what is equal to the letter, and which seconds times may differ.

With learning on the two cannot be equal: what is learned depends on when it is. A simulation of several audiences then
states an interval for each stage's count; of 20 further audiences at least 90 % must lie in it.

Unlike the other drivers it imports the product: the audience's minds and the simulation are what is tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from frame import ROOT, Report, say

sys.path.insert(0, str(ROOT))

from tests.equality.intervals import (
    ENOUGH,
    Asked,
    Bounds,
    counts_of,
    is_inside,
    lived,
    shares,
    stated,
)
from tests.equality.lives import Lives, simulated
from tests.equality.running import RealFailedError, really_lived
from tests.equality.told import APART, Told, differences, widest


def equal(lives: Lives, made: Report, minutes: float) -> None:
    """Let one audience live in both worlds, and compare."""
    world = simulated(lives)
    say(f"seed {lives.seed}: simulated, {_facts(world)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mdma-equal-") as folder:
        real = really_lived(lives, Path(folder), minutes * 60)
    say(f"seed {lives.seed}: lived in {time.monotonic() - began:.0f} s, {_facts(real)}")
    made.none(f"visitors of whom something differs, seed {lives.seed}", differences(world, real))
    made.fact(f"visitors, seed {lives.seed}", len(real))
    made.fact("… what became of them", _facts(real))
    made.fact(f"… times differ at most by (allowed {APART})", widest(world, real))


def _facts(told: dict[str, Told]) -> str:
    each = list(told.values())
    sends, offers, alerts = (
        sum(len(getattr(one, name)) for one in each) for name in ("sends", "offers", "alerts")
    )
    return f"{sends} e-mails, {offers} offers, {alerts} alerts"


def intervals(asked: Asked, further: int, made: Report) -> None:
    """Hold the stated intervals against further audiences."""
    say(f"{asked.seeds} audiences live, by the rules and with learning")
    bounds = stated(asked)
    say(f"{further} further audiences live")
    found = shares(is_inside(bounds, counts_of(lived(asked, number))) for number in range(further))
    for key, share in found.items():
        kind, path, name = key
        words = f"{kind} of {path}: {name}, {_bounds(bounds, key)}"
        if kind == "stages":
            made.rows.append((words, f"≥ {ENOUGH:.0%} inside", f"{share:.0%}", share >= ENOUGH))
        else:
            made.fact(words, f"{share:.0%}")


def _bounds(bounds: Bounds, key: tuple[str, str, str]) -> str:
    low, high = bounds.get(key, (0.0, 0.0))
    return f"{low:g} to {high:g}"


def main() -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(description="Hold simulations against the real system.")
    parser.add_argument("--visitors", type=int, default=100)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seeds", default="1", help="of the audiences, with commas between")
    parser.add_argument("--audiences", type=int, default=20, help="from which intervals are stated")
    parser.add_argument("--further", type=int, default=20, help="that intervals are held against")
    parser.add_argument("--minutes", type=float, default=30, help="give one world up after so long")
    given = parser.parse_args()
    made = Report()
    for seed in given.seeds.split(","):
        equal(Lives(given.visitors, given.days, int(seed)), made, given.minutes)
    if given.further:
        asked = Asked(given.visitors, given.days, given.audiences)
        intervals(asked, given.further, made)
    return made.finish()


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except RealFailedError as failure:
        raise SystemExit(f"cannot go on: {failure}") from None
