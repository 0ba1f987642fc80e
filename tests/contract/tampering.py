"""Change behind everybody's back what is stored, in memory or on a mongod, as whoever has the password can."""

from __future__ import annotations

from typing import Any

from bson import Binary, Int64

from messaging.ports import Store
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.store.mongo import MongoStore
from messaging.store.mongo_layout import states_of


def memory_of(store: Store) -> MemoryDatabase | None:
    """Return what a store in memory holds, None for one on a mongod."""
    return store._database if isinstance(store, MemoryStore) else None


def mongo_of(store: Store) -> Any:
    """Return the database of a store on a mongod."""
    assert isinstance(store, MongoStore)
    return store._database


async def changed(store: Store, collection: str, key: Any, update: dict[str, Any]) -> None:
    """Change one document of a mongod, which must stand there."""
    done = await mongo_of(store)[collection].update_one({"_id": key}, update)
    assert done.modified_count == 1, f"{collection} {key} was not changed"


async def lose_wake(store: Store, bot: str, visitor: str) -> None:
    """Take away the only thing by which a shard finds who is due."""
    memory = memory_of(store)
    if memory is not None:
        del memory.states[bot].dues[visitor]
        return
    await changed(store, states_of(bot), visitor, {"$unset": {"d": ""}})


async def put_groups(store: Store, bot: str, visitor: str, groups: list[str] | None) -> None:
    """List a visitor elsewhere; None: nowhere."""
    memory = memory_of(store)
    if memory is not None:
        memory.states[bot].groups[visitor] = groups or []
        return
    update = {"$unset": {"g": ""}} if groups is None else {"$set": {"g": groups}}
    await changed(store, states_of(bot), visitor, update)


async def put_owner(store: Store, shard: str, field: str, value: dict[str, Any]) -> None:
    """Replace what an owner document says was `sent`, or its `figures`."""
    memory = memory_of(store)
    if memory is not None:
        setattr(memory.shards[shard], field, dict(value))
        return
    stored = list(value.items()) if field == "figures" else value
    await changed(store, "shards", shard, {"$set": {field: stored}})


async def first_of_journal(store: Store) -> list[int]:
    """Return the positions of the first two events of the journal."""
    memory = memory_of(store)
    if memory is not None:
        return [each.position for each in memory.streams[0][:2]]
    found = await mongo_of(store)["journal"].find({}, {"_id": 1}).sort("_id", 1).to_list(2)
    return [int(each["_id"]) for each in found]


async def forget_message(store: Store, position: int) -> None:
    """Put something else in the place of what an event's message id is known by."""
    memory = memory_of(store)
    if memory is not None:
        known = memory.message_ids
        known[b"planted"] = known.pop(next(each for each, at in known.items() if at == position))
        return
    await changed(store, "journal", Int64(position), {"$set": {"m": Binary(b"planted")}})


async def swap_events(store: Store, first: int, second: int) -> None:
    """Let two events stand in each other's place, with all that belongs to them."""
    memory = memory_of(store)
    if memory is not None:
        stream = memory.streams[0]
        one, other = (
            next(n for n, each in enumerate(stream) if each.position == at)
            for at in (first, second)
        )
        stream[one], stream[other] = stream[other], stream[one]
        return
    journal = mongo_of(store)["journal"]
    one, other = [await journal.find_one({"_id": Int64(at)}) for at in (first, second)]
    await journal.delete_many({"_id": {"$in": [Int64(first), Int64(second)]}})
    one["_id"], other["_id"] = other["_id"], one["_id"]
    await journal.insert_many([one, other])


async def put_identity(store: Store, key: str, row: tuple[str, int] | None) -> None:
    """Let an identity key lead elsewhere; None: to nobody."""
    memory = memory_of(store)
    if memory is not None:
        memory.identity.pop(key, None)
        memory.identity |= {key: row} if row is not None else {}
        return
    identity = mongo_of(store)["identity"]
    await identity.delete_one({"_id": key})
    if row is not None:
        await identity.insert_one({"_id": key, "v": row[0], "n": Int64(row[1])})


async def drop_mailbox(store: Store, mailbox: str) -> None:
    """Take a mailbox's row away."""
    memory = memory_of(store)
    if memory is not None:
        memory.touched.discard(mailbox)
        memory.suppressed.pop(mailbox, None)
        return
    done = await mongo_of(store)["mailboxes"].delete_one({"_id": mailbox})
    assert done.deleted_count == 1
