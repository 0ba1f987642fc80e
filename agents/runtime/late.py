"""Say which events come too late: whom they are about was erased after what they tell of. Pure.

Rules
1. An event is as old as what it is about: a refund is of its order's time (`Identity.began_at`).
2. What names an order of somebody who was erased, under a key of theirs, is late whenever it comes.
3. A refund begins nobody. Where no key of it leads to anybody, and one of them or its order is of somebody who was
   erased, it is late; the key that a shop's webhook gives an order leads to nobody by itself.
"""

from __future__ import annotations

from agents.runtime.spec import Identity, Resolver, Rows
from messaging.vocabulary.events import Event, Fact, Record, VisitorErased
from messaging.vocabulary.ids import HOOK_PREFIX, anonymous_key, micros_of

VISITOR = "v:"
"""Begins the identity key of a visitor's own row."""
_HOOK = anonymous_key(HOOK_PREFIX)


def naming_keys(event: Event, keys: list[str]) -> list[str]:
    """Return the keys that name whom an event is about; a fact names its visitor."""
    return [VISITOR + event.visitor] if isinstance(event, Fact) else keys


def asked_keys(
    identity: Identity, record: Record, event: Event, keys: list[str], known: Rows, latest: int
) -> list[str]:
    """Return the keys of which it must be asked when their owner was erased.

    Those are the keys that lead to nobody; of events that are older than the latest erasure (`latest`, microseconds),
    and of those that name an order, all of them.
    """
    orders = identity.order_keys_of(event)
    names = naming_keys(event, keys)
    if orders or micros_of(identity.began_at(record, event)) <= latest:
        return [*names, *orders]
    return [key for key in names if key not in known]


def is_late(
    identity: Identity,
    record: Record,
    event: Event,
    keys: list[str],
    erased: dict[str, int],
    resolver: Resolver,
) -> bool:
    """Say whether an event belongs to somebody who was erased after what it tells of."""
    if isinstance(event, Fact):
        return VISITOR + event.visitor in erased and not isinstance(event, VisitorErased)
    theirs = [key for key in keys if key in erased and not key.startswith(VISITOR)]
    at = micros_of(identity.began_at(record, event))
    if any(at <= erased[key] for key in theirs):
        return True
    of_theirs = any(key in erased for key in identity.order_keys_of(event))
    if of_theirs and theirs:
        return True
    if not identity.takes_back(event) or not (of_theirs or theirs):
        return False
    return not any(resolver.leads(key) for key in keys if not key.startswith(_HOOK))
