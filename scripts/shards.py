"""Keep by how many shards each bot's visitors are divided: the number of the first start holds for its data.

A visitor's partition belongs to a shard by the number of shards. Other numbers on stored data would give visitors
to shards that have never read what the others had taken, so a start with them is refused.
"""

from __future__ import annotations

from agents.runtime.batch import maker_in
from agents.runtime.registry import WIRING
from messaging.ports import Store
from scripts.folder import Refused

SHARDS = ("control", "shards")


async def agree_on_shards(store: Store, asked: dict[str, int]) -> None:
    """Keep the numbers of a first start. Raise Refused where the data was divided otherwise."""
    kept = await _kept(store, asked)
    other = {bot: of for bot, of in kept.items() if asked.get(bot, of) != of}
    if other:
        names = " ".join(f"bots.{bot}={of}" for bot, of in other.items())
        flags = " ".join(f"--set {each}" for each in names.split())
        raise Refused(
            f"this data was started with {names}, and its visitors cannot be divided anew yet: "
            f"start with {flags}, or name an empty folder with --data"
        )
    if kept != kept | asked:
        await store.put_document(*SHARDS, {"shards": kept | asked})


async def refuse_newer(store: Store, shards: dict[str, int]) -> None:
    """Raise Refused where a newer version of the product wrote states that this one cannot read."""
    newer = []
    for bot, count in shards.items():
        layout = WIRING[bot].make().version
        for index in range(count):
            owner = await store.owner(f"{bot}-{index}")
            if owner is None or not owner.batch:
                continue
            [(_, last)] = await store.batches(f"{bot}-{index}", owner.batch - 1, 1)
            if maker_in(last.code)[0] > layout:
                newer.append(f"{bot}: layout {maker_in(last.code)[0]}, this code knows {layout}")
                break
    if newer:
        raise Refused(
            f"this data was written by a newer version of the product ({'; '.join(newer)}): "
            "start it with that version or a later one, or name another folder with --data"
        )


async def all_shards(store: Store, running: dict[str, int]) -> dict[str, int]:
    """Return how the visitors of every bot are divided, of one that does not run now as well: its record stands."""
    found = await store.get_document(*SHARDS)
    return (dict(found["shards"]) if found is not None else {}) | running


async def _kept(store: Store, asked: dict[str, int]) -> dict[str, int]:
    """Return what is written down; for older data, how many shards of each bot have ever run."""
    found = await store.get_document(*SHARDS)
    if found is not None:
        return dict(found["shards"])
    counts = {bot: await _owned(store, bot) for bot in asked}
    return {bot: count for bot, count in counts.items() if count}


async def _owned(store: Store, bot: str) -> int:
    count = 0
    while await store.owner(f"{bot}-{count}") is not None:
        count += 1
    return count
