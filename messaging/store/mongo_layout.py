"""Say which collections there are, their indexes, and what a document of each holds.

    shards           _id shard; bot, epoch, batch, positions, sent, figures, session (of its owner's transactions)
    states_<bot>     _id visitor; p partition, s state, d earliest wake-up (microseconds; absent if none),
                     g groups the visitor is listed in (absent if none; of the bots in `LISTED` only)
    outbox           _id "from>to:number"; at, b letters, c count
    batches          _id "shard:number"; e epoch, b record
    checkpoints      and checkpoint_states: see `mongo_checkpoints`
    identity         _id key; v visitor, n born
    mailboxes        _id keyed hash; touched, suppressed, reason, at
    journal          _id position; m keyed hash of the message id, p partition, b record
    journal_streams  _id stream; w writer, left: when the writer opened another one
    rows             decisions, rewards, story, sends, alerts, notices, deliveries, engagements, orders, moments,
                     quarantine, snapshots, audit_log, sessions (of the console), rules_versions, trials (of drafts),
                     trial_people (whom a trial names)
    users            _id name; role, password (scrypt), at, by

Short names where a document is written for every event; words elsewhere. No key of a user's becomes a field
that is searched, and no index removes documents by itself.
"""

from __future__ import annotations

import contextlib

from pymongo import ASCENDING, IndexModel
from pymongo.errors import CollectionInvalid

from messaging.store.connection import Database, world
from messaging.store.tables import BOTS, LISTED, ROW_INDEXES, SOME_HAVE

_PLAIN = (
    "shards",
    "outbox",
    "batches",
    "identity",
    "mailboxes",
    "journal_streams",
    "checkpoints",
    "checkpoint_states",
)
"""Searched by `_id` alone; made beforehand, since a collection that appears inside a transaction conflicts."""


GROUPS_INDEX = "groups"
REFUSALS_INDEX = "refusals"


def states_of(bot: str) -> str:
    """Return the collection of a bot's states."""
    return f"states_{bot}"


async def ensure_store(database: Database, bots: tuple[str, ...] = BOTS) -> None:
    """Create the store's collections and indexes; those that stand are left alone. Raise `Unavailable`."""
    with world():
        for name in _PLAIN:
            await _create(database, name, [])
        await _create(database, "mailboxes", [_suppressed_index()])
        for bot in bots:
            indexes = [_due_index(), _groups_index()] if bot in LISTED else [_due_index()]
            await _create(database, states_of(bot), indexes)
        for table, keys in ROW_INDEXES.items():
            await _create(database, table, [_row_index(each) for each in keys])
        await _create(database, "sends", [_refusals_index()])


async def ensure_journal(database: Database) -> None:
    """Create the journal's collections and its unique index. Raise `Unavailable`."""
    with world():
        await _create(database, "journal_streams", [])
        await _create(database, "journal", [IndexModel([("m", ASCENDING)], unique=True)])


def _row_index(fields: tuple[str, ...]) -> IndexModel:
    """Return an index of rows. `_id` at its end gives rows of one moment a fixed order without a sort in memory."""
    keys = [(key, ASCENDING) for key in (*fields, "_id")]
    if fields[0] not in SOME_HAVE:
        return IndexModel(keys)
    return IndexModel(keys, partialFilterExpression={fields[0]: {"$exists": True}})


def _refusals_index() -> IndexModel:
    """Return the index of refused sends alone, with all that is counted of them: any other write costs it nothing."""
    keys = [(name, ASCENDING) for name in ("status", "at", "template", "reason", "visitor")]
    refused = {"status": "refused"}
    return IndexModel(keys, name=REFUSALS_INDEX, partialFilterExpression=refused)


def _suppressed_index() -> IndexModel:
    """Return the index of suppressed mailboxes alone: those that are only touched are in none."""
    keys = [("at", ASCENDING), ("_id", ASCENDING), ("reason", ASCENDING)]
    return IndexModel(keys, partialFilterExpression={"suppressed": True})


def _due_index() -> IndexModel:
    """Return the index that answers `due` by itself: no state is read to find who has to be woken."""
    keys = [("d", ASCENDING), ("_id", ASCENDING), ("p", ASCENDING)]
    return IndexModel(keys, partialFilterExpression={"d": {"$exists": True}})


def _groups_index() -> IndexModel:
    """Return the index that lists who is in a group, in the order of their ids; a write costs what changes of `g`."""
    keys = [("g", ASCENDING), ("_id", ASCENDING)]
    return IndexModel(keys, name=GROUPS_INDEX, partialFilterExpression={"g": {"$exists": True}})


async def _create(database: Database, name: str, indexes: list[IndexModel]) -> None:
    with contextlib.suppress(CollectionInvalid):  # it stands; actors start together
        await database.create_collection(name)
    if indexes:
        await database[name].create_indexes(indexes)
