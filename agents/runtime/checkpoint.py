"""Keep the states from which another version of the code folds on.

A bot's state is the fold of its batch records since its last checkpoint. What one version of the code recorded,
another may fold otherwise, or not at all: so whoever owns a shard and was built otherwise than its last batch keeps
the states as they stand, before the first batch of its own.

Rules
1. The head is removed first and written last: what was cut off on its way is no checkpoint, and is begun anew.
2. States are copied inside the store, so many at a time; they are not read, so also those of layouts that nobody
   knows any more.
3. A shard has one checkpoint: a newer one takes the place of an older one.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.runtime.batch import maker_in
from agents.runtime.patience import patiently
from agents.runtime.spec import ShardSpec
from messaging.ports import Checkpoint, Ownership

STATES_MAX = 5_000
"""States that are copied in one call."""

SAID_EVERY = 100_000
"""States between two lines in the log."""


async def keep_if_upgraded(
    spec: ShardSpec, owner: Ownership, told: Callable[[int], None] = lambda _: None
) -> Checkpoint | None:
    """Write a checkpoint of a shard that another version of the code wrote; return it, None if there was no need.

    `told` hears how many states were copied by now. Raise `Unavailable` where the store does not answer for long.
    """
    if not owner.batch:
        return None
    store, name = spec.store, spec.name
    [(_, last)] = await patiently(spec, lambda: store.batches(name, owner.batch - 1, 1))
    if maker_in(last.code) == (spec.bot.version, spec.build):
        return None
    stands = await patiently(spec, lambda: store.checkpoint(name))
    if stands is not None and stands.batch == owner.batch:
        return None  # the last start came so far, and no further
    head = Checkpoint(owner.batch, owner.positions, last.at, last.code, owner.figures)
    await patiently(spec, lambda: store.remove_checkpoint(name))
    spec.log.info("checkpoint.begun", shard=name, batch=head.batch)
    states = await _copy(spec, head, told)
    await patiently(spec, lambda: store.put_checkpoint(name, head))
    spec.log.info("checkpoint.written", shard=name, batch=head.batch, states=states)
    return head


async def _copy(spec: ShardSpec, head: Checkpoint, told: Callable[[int], None]) -> int:
    """Copy the states of a shard's visitors; return how many there are."""
    store, count, after, said = spec.store, 0, "", SAID_EVERY
    while True:
        copied, after = await patiently(
            spec,
            lambda a=after: store.copy_states(  # type: ignore[misc]
                spec.name, spec.bot.name, spec.slice, head.batch, a, STATES_MAX
            ),
        )
        count += copied
        told(count)
        if not after:
            return count
        if count >= said:
            said += SAID_EVERY
            spec.log.info("checkpoint.grows", shard=spec.name, states=count)
