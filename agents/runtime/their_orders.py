"""Find a person's orders, and what waits for one of them: a refund that names nobody is theirs by its order alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from agents.runtime.held import Codec
from agents.runtime.registry import IDENTITY, WIRING
from messaging.ports import Store
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import erased_key, order_key

WAITING = "refunds_waiting"
ROWS_MAX = 1_000_000


async def orders_of(store: Store, visitors: list[str]) -> list[str]:
    """Return the ids of a person's orders: Behavior's name the payments too, the table has the older ones."""
    codec, named = Codec(WIRING["behavior"].make()), set[str]()
    for body in (await store.load("behavior", visitors)).values():
        named |= IDENTITY.orders_named(codec.decode(body).state)
    for visitor in visitors:
        rows = await store.rows("orders", {"visitor": visitor}, limit=ROWS_MAX)
        named.update(row["id"].removeprefix(f"{visitor}:") for row in rows)
    return sorted(named)


async def refunds_waiting_for(
    store: Store, visitors: list[str], keys: Collection[str], veil: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Return the refunds that wait for an order of a person's, or of somebody's who is erased: nobody else's will come.

    What is late for whoever was erased is known by the same hashes: see `late`. An erasure notes them before it counts,
    for the states that name the orders are gone by then.
    """
    rows = await store.rows(WAITING, {}, limit=ROWS_MAX, newest=False)
    if not rows:
        return []
    theirs = {*keys, *(order_key(each) for each in await orders_of(store, visitors))}
    named = {row["id"]: {row["key"], *_orders_named_by(row)} for row in rows}
    notes = {key: erased_key(veil(key)) for key in set[str]().union(*named.values())}
    noted = await store.identities(sorted(notes.values()))
    return [
        row for row in rows if any(key in theirs or notes[key] in noted for key in named[row["id"]])
    ]


def _orders_named_by(row: dict[str, Any]) -> list[str]:
    return IDENTITY.order_keys_of(msgspec.msgpack.decode(row["record"], type=Record).event)
