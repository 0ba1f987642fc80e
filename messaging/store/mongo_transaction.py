"""Write one batch in one MongoDB transaction, in a thread of its own.

The driver's own threads change hands at each command; a batch has about eight. So all of it runs in one thread,
with the blocking driver that motor is made of.

Rules
1. The owner document is written first, and *written*: under snapshot isolation a commit that only read the
   epoch would not conflict with `acquire`, and a zombie's batch would go through.
2. A guarded mailbox is touched, not only read, for the same reason: a suppression that comes in at the same
   moment conflicts with the touch, and the batch is tried again and finds it.
3. A repeat is harmless: the owner document has moved on, and the batch record says whose batch it was.
4. Transactions of a shard run in one session, named in the owner document. Whoever acquires the shard ends that
   session first: otherwise documents of a process that died half-way would stay locked until the server's limit.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec
from bson import Binary, Int64
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from messaging.ports import Commit, IdentityWrite, OutboxWrite, RowWrite, StateWrite
from messaging.store.connection import duplicates, is_network, translated
from messaging.store.guards import mailbox_in, refused_by
from messaging.store.mongo_layout import states_of
from messaging.store.tables import ROW_INDEXES
from messaging.store.values import numbered, outbox_prefix, to_micros
from messaging.vocabulary.effects import Suppress
from messaging.vocabulary.errors import CommitUnknown, Conflict, Fenced, Suppressed
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import partition_of

ATTEMPTS_MAX = 6
"""Tries of a transaction that met another one on the same document."""
NETWORK_ATTEMPTS_MAX = 2
"""Tries of a transaction that lost its connection; each has waited for the server already."""
COMMIT_ATTEMPTS_MAX = 3
PAUSE_SECONDS = 0.01
"""Pause before the second try; it doubles, and each batch takes its own share of it."""

Session = ClientSession
Documents = Database[dict[str, Any]]
_Operation = InsertOne[dict[str, Any]] | ReplaceOne[dict[str, Any]] | UpdateOne


class _AlreadyThereError(Exception):
    """Say that this very batch was committed before."""


class _TryAgainError(Exception):
    """Say that the transaction is void and may be run once more."""

    def __init__(self, cause: PyMongoError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def run_commit(database: Documents, session: Session, commit: Commit) -> None:
    """Write a batch; see `Store.commit` for what is raised."""
    attempt = 0
    while True:
        attempt += 1
        try:
            _attempt(database, session, commit)
            return
        except _AlreadyThereError:
            return
        except _TryAgainError as error:
            network = is_network(error.cause)
            if attempt >= (NETWORK_ATTEMPTS_MAX if network else ATTEMPTS_MAX):
                if network:
                    raise translated(error.cause) from error
                raise Conflict(f"batch {commit.shard}:{commit.batch}: write conflict") from error
        time.sleep(_pause(commit, attempt))


def _attempt(database: Documents, session: Session, commit: Commit) -> None:
    session.start_transaction(
        read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority", j=True)
    )
    try:
        _write(database, session, commit)
    except PyMongoError as error:
        _abort(session)
        if error.has_error_label("TransientTransactionError"):
            raise _TryAgainError(error) from error
        if isinstance(error, BulkWriteError) and duplicates(error):
            # Ids are derived and batches are committed once: a second insert is our own mistake.
            raise AssertionError(f"batch {commit.shard}:{commit.batch}: inserted twice") from error
        raise translated(error) from error
    except BaseException:
        _abort(session)
        raise
    _finish(session, commit)


def _write(database: Documents, session: Session, commit: Commit) -> None:
    _take_turn(database, session, commit)
    _guard(database, session, commit)
    _suppress(database, session, commit.suppress)
    _give_identities(database, session, commit.identities)
    _put_states(database, session, commit.bot, commit.states)
    if commit.outbox:
        documents = [_outbox_document(commit.shard, write) for write in commit.outbox]
        database["outbox"].insert_many(documents, session=session)
    database["batches"].insert_one(
        {
            "_id": numbered(commit.shard, commit.batch),
            "e": commit.epoch,
            "b": Binary(msgspec.msgpack.encode(commit.record)),
        },
        session=session,
    )
    _write_rows(database, session, commit.rows)
    if commit.rewritten:
        database["journal"].bulk_write(journal_updates(commit.rewritten), session=session)


def _finish(session: Session, commit: Commit) -> None:
    """Commit; ask again while the server does not say whether it did."""
    unknown: PyMongoError | None = None
    for attempt in range(1, COMMIT_ATTEMPTS_MAX + 1):
        try:
            session.commit_transaction()
            return
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                unknown = error
            elif error.has_error_label("TransientTransactionError"):
                raise _TryAgainError(error) from error  # certain: it was rolled back
            else:
                raise translated(error) from error
        time.sleep(_pause(commit, attempt))
    raise CommitUnknown(f"batch {commit.shard}:{commit.batch}: no answer") from unknown


def _abort(session: Session) -> None:
    """End the transaction; where that fails the server ends it by itself."""
    if session.in_transaction:
        session.abort_transaction()  # the driver swallows what the world does here


def _take_turn(database: Documents, session: Session, commit: Commit) -> None:
    """Move the owner document on from the batch before, in our epoch."""
    result = database["shards"].update_one(
        {"_id": commit.shard, "epoch": commit.epoch, "batch": commit.batch - 1},
        {
            "$set": {
                "batch": commit.batch,
                "positions": {name: Int64(at) for name, at in commit.positions.items()},
                "sent": {name: Int64(at) for name, at in commit.sent.items()},
                "bot": commit.bot,
                # Pairs, since a name may hold a dot.
                "figures": list(commit.figures.items()),
            }
        },
        session=session,
    )
    if result.matched_count == 1:
        return
    owner = database["shards"].find_one({"_id": commit.shard}, session=session)
    if owner is None or owner["epoch"] != commit.epoch:
        found = owner["epoch"] if owner else "none"
        raise Fenced(f"shard {commit.shard}: epoch {commit.epoch} is over (now {found})")
    ours = database["batches"].find_one(
        {"_id": numbered(commit.shard, commit.batch), "e": commit.epoch},
        {"_id": 1},
        session=session,
    )
    assert ours is not None, f"batch {commit.shard}:{commit.batch} skips one ({owner['batch']})"
    raise _AlreadyThereError


def _guard(database: Documents, session: Session, commit: Commit) -> None:
    """Touch the mailboxes that mail is handed over to; refuse the batch if one is suppressed."""
    if not commit.guards:
        return
    # One order for all: two batches cannot hold each other up.
    mailboxes = sorted(set(map(mailbox_in, commit.guards)))
    touch = {"$set": {"touched": f"{commit.shard}:{commit.batch}"}}
    touches: list[_Operation] = [UpdateOne({"_id": box}, touch, upsert=True) for box in mailboxes]
    database["mailboxes"].bulk_write(touches, session=session)
    wanted = {"_id": {"$in": mailboxes}, "suppressed": True}
    found = database["mailboxes"].find(wanted, {"reason": 1}, session=session)
    reasons = {each.mailbox: each.reason for each in commit.suppress}
    reasons |= {document["_id"]: document["reason"] for document in found}
    refused = refused_by(reasons, commit.guards)
    if refused:
        raise Suppressed(refused)


def _suppress(database: Documents, session: Session, mailboxes: list[Suppress]) -> None:
    """Suppress mailboxes; one that is already keeps its first reason."""
    operations: list[_Operation] = []
    for each in sorted(mailboxes, key=lambda each: each.mailbox):
        fields: dict[str, Any] = {"reason": each.reason, "at": each.at}
        kept = {name: {"$cond": ["$suppressed", f"${name}", said]} for name, said in fields.items()}
        change: list[dict[str, Any]] = [{"$set": kept}, {"$set": {"suppressed": True}}]
        operations.append(UpdateOne({"_id": each.mailbox}, change, upsert=True))
    if operations:
        database["mailboxes"].bulk_write(operations, session=session)


def _give_identities(
    database: Documents, session: Session, identities: list[IdentityWrite]
) -> None:
    """Give keys to visitors, each only if its row is still the one that was read.

    The whole row: that a visitor has a user id by now shows in `n` alone, and stops a merge.
    """
    if not identities:
        return
    operations: list[_Operation] = []
    for write in identities:
        owner = {"v": write.visitor, "n": Int64(write.born)}
        if write.expected is None:
            operations.append(InsertOne({"_id": write.key, **owner}))
        else:
            visitor, born = write.expected
            read = {"_id": write.key, "v": visitor, "n": Int64(born)}
            operations.append(UpdateOne(read, {"$set": owner}))
    moved = sum(write.expected is not None for write in identities)
    try:
        result = database["identity"].bulk_write(operations, session=session)
    except BulkWriteError as error:
        if duplicates(error):
            raise Conflict("an identity key was given away by another shard") from error
        raise
    if result.matched_count != moved:
        raise Conflict("an identity key's row is another one by now")


def _put_states(database: Documents, session: Session, bot: str, states: list[StateWrite]) -> None:
    if states:
        # $set is logged as what changed, a replacement as the whole: 13 to 17 ms against 18 to 21 for 300.
        operations: list[_Operation] = [
            UpdateOne({"_id": write.visitor}, _state_update(write), upsert=True) for write in states
        ]
        database[states_of(bot)].bulk_write(operations, ordered=False, session=session)


def _state_update(write: StateWrite) -> dict[str, Any]:
    fields: dict[str, Any] = {"p": partition_of(write.visitor), "s": Binary(write.body)}
    absent: dict[str, Any] = {}
    if write.due is None:
        absent["d"] = ""
    else:
        fields["d"] = Int64(to_micros(write.due))
    if write.groups:
        fields["g"] = write.groups
    elif write.groups is not None:
        absent["g"] = ""
    return {"$set": fields, "$unset": absent} if absent else {"$set": fields}


def _outbox_document(sender: str, write: OutboxWrite) -> dict[str, Any]:
    return {
        "_id": numbered(outbox_prefix(sender, write.to), write.number),
        "at": Int64(to_micros(write.at)),
        "b": Binary(write.body),
        "c": write.count,
    }


def journal_updates(records: list[Record]) -> list[_Operation]:
    """Return what replaces journaled records by what is to be kept of them."""
    return [
        UpdateOne(
            {"_id": Int64(record.position)},
            {"$set": {"b": Binary(msgspec.msgpack.encode(record))}},
        )
        for record in records
    ]


def _write_rows(database: Documents, session: Session, rows: Iterable[RowWrite]) -> None:
    tables: dict[str, list[_Operation]] = {}
    for row in rows:
        assert row.table in ROW_INDEXES, row.table
        tables.setdefault(row.table, []).append(_row_operation(row))
    for table, operations in tables.items():
        database[table].bulk_write(operations, session=session)


def _row_operation(row: RowWrite) -> _Operation:
    document = {**row.fields, "_id": row.id}
    match row.mode:
        case "insert":
            return InsertOne(document)
        case "set":
            return UpdateOne({"_id": row.id}, {"$set": row.fields})
        case _:
            return ReplaceOne({"_id": row.id}, document, upsert=True)


def _pause(commit: Commit, attempt: int) -> float:
    """Return how long to wait: doubling, and spread by what the batch is called."""
    spread = zlib.crc32(f"{commit.shard}:{commit.batch}:{attempt}".encode()) / 2**32
    return PAUSE_SECONDS * float(2 ** (attempt - 1)) * (0.5 + spread)
