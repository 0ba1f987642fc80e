"""Set Python's garbage collector for a process that holds many small states for long.

States are trees without cycles: what falls out of memory is freed at once, by counting. The collector only looks
for cycles, and finds next to none, but by default it begins to look after every 700 new objects and walks through
all states whenever their number has grown by a quarter. In a Behavior that filled up it had a third of the time.
"""

from __future__ import annotations

import gc

YOUNG_MAX = 1_000_000
"""New objects before the collector looks at them: a few large batches, most of which are freed by then."""
YOUNG_ROUNDS = 10
OLD_ROUNDS = 20


def collect_seldom() -> None:
    """Let the collector leave alone what is there now, and look at what is new by the batch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, YOUNG_ROUNDS, OLD_ROUNDS)
