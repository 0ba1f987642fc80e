"""Set Python's garbage collector for a process that holds many small states for long.

States are trees without cycles: what falls out of memory is freed at once, by counting. The collector only looks
for cycles, and finds next to none, but by default it begins to look after every 700 new objects and walks through
all states whenever their number has grown by a quarter. In a Behavior that filled up it had a third of the time.
"""

from __future__ import annotations

import gc

YOUNG_MAX = 100_000
"""New objects before the collector looks at them: about one batch."""
YOUNG_ROUNDS = 20
OLD_ROUNDS = 100


def collect_seldom() -> None:
    """Let the collector leave alone what is there now, and look at what is new by the batch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, YOUNG_ROUNDS, OLD_ROUNDS)
