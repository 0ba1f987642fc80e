"""Show what was set aside in quarantine, replay it, or let it go. The admin API and the console share it.

Rules
1. A replay is a record of the journal: durable once it is ordered, taken once however often it is ordered or whoever is
   killed meanwhile (its message id is made of the row's), and folded again like any other input.
2. Whoever orders it stands in the row before anything is journaled, and only in one that is open: no row is both
   replayed and dropped.
3. An event comes by Behavior's door anew, for its first try gave no key to anybody: whose it is, is found out again.
   Everything else goes by Behavior to the bot that could not take it, for whoever its visitor is now.
4. What a replay came to is said by the bot, in the commit that takes it; what fails again is open again, as a row of
   its own that the first one names.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from messaging.gateway.deps import Gateway
from messaging.gateway.paging import After, cut
from messaging.gateway.problems import ProblemError
from messaging.store.audit_log import Change, note
from messaging.vocabulary.events import LetterReplayed, Record, decode_event
from messaging.vocabulary.ids import own_id, partition_of, stream_of
from messaging.vocabulary.letters import decode_letters
from messaging.vocabulary.messages import Arrived
from messaging.vocabulary.quarantine import (
    DROPPED,
    EVENT,
    OPEN,
    QUARANTINE,
    REPLAYED,
    UNREADABLE,
    replay_of,
)

SETTLE_LOOK_SECONDS = 0.05

SHOWN = (
    "id",
    "at",
    "bot",
    "shard",
    "kind",
    "reason",
    "visitor",
    "status",
    "by",
    "settled_at",
    "again",
)
"""Fields of a row that are shown; its bytes are the person's own."""

PASSED = {
    "HandOverDue": "the e-mail of this hand-over waits in the ledger, and is taken up when the system starts again",
    "TrainingScheduled": "the learner plans its next training by itself",
    "ModelTrained": "the learner's next training takes its place",
}
"""Kinds that are of their moment, and are not replayed -> why."""


async def page(
    gateway: Gateway, match: dict[str, Any], limit: int, after: After | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of rows, the newest first, and where the next one begins."""
    store = gateway.deps.store
    rows, next_ = cut(await store.rows(QUARANTINE, match, limit=limit + 1, after=after), limit)
    return [shown(row) for row in rows], next_


async def one(gateway: Gateway, id_: str) -> dict[str, Any]:
    """Return one row. Raise 404."""
    return shown(await _row(gateway, id_))


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it is shown."""
    return {name: row[name] for name in SHOWN}


async def replay(gateway: Gateway, id_: str, *, by: str) -> dict[str, Any]:
    """Give a message once more to the bot that could not take it; return the row as the bot left it.

    It is `open` still where the bot has not said so within a while: it will. Raise 404; 409 where that is not to be.
    """
    row = await _open(gateway, id_)
    record = await _record(gateway, row)
    if not row["by"]:
        await _swap(gateway, row, {"by": by})
    if not (await gateway.collector.take([record]))[0]:
        raise ProblemError(409, "this is being replayed")
    await _noted(gateway, row, "replayed", by)
    return shown(await _settled(gateway, row))


async def drop(gateway: Gateway, id_: str, *, by: str) -> dict[str, Any]:
    """Let a message go; return its row, which stays. Raise 404; 409 where it was decided already."""
    row = await _open(gateway, id_)
    if row["by"]:
        stays = "if it stays so, order the replay again: it is taken once"
        raise ProblemError(409, f"this is being replayed, by {row['by']}; {stays}")
    now = gateway.deps.clock.now()
    dropped = await _swap(gateway, row, {"by": by, "status": DROPPED, "settled_at": now})
    await _noted(gateway, row, "dropped", by)
    return shown(dropped)


async def _row(gateway: Gateway, id_: str) -> dict[str, Any]:
    row = await gateway.deps.store.get_document(QUARANTINE, id_)
    if row is None:
        raise ProblemError(404, "nothing of this id is set aside; it may have been erased")
    return row


async def _open(gateway: Gateway, id_: str) -> dict[str, Any]:
    row = await _row(gateway, id_)
    if row["status"] == REPLAYED and row["again"]:
        raise ProblemError(409, f"this was replayed and failed again: see {row['again']}")
    if row["status"] != OPEN:
        raise ProblemError(409, f"this was {row['status']} already")
    return row


async def _swap(gateway: Gateway, row: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Write what was decided into a row that nobody else decided on meanwhile. Raise 404 or 409."""
    fields = {name: value for name, value in row.items() if name != "id"} | changed
    expected = {"status": OPEN, "by": ""}
    if not await gateway.deps.store.swap_document(QUARANTINE, row["id"], fields, expected):
        now = await _open(gateway, row["id"])
        raise ProblemError(409, f"somebody else was first: it is being replayed, by {now['by']}")
    return {**fields, "id": row["id"]}


async def _record(gateway: Gateway, row: dict[str, Any]) -> Record:
    """Return what is journaled for a replay. Raise 409 for what cannot be replayed."""
    if row["kind"] in PASSED:
        raise ProblemError(409, f"this is not replayed: {PASSED[row['kind']]}; drop it")
    now = gateway.deps.clock.now()
    if row["kind"] in (EVENT, UNREADABLE):
        return await _event(gateway, row, now)
    bots = gateway.deps.bots
    if bots and row["bot"] not in bots:
        raise ProblemError(409, f"bot {row['bot']} does not run: switch it on, then replay this")
    about = row["visitor"]
    if not about and row["bot"] == "learner":  # about a policy, which nobody erases
        about = decode_letters(row["body"])[0].message.visitor
    elif await gateway.deps.reader.find(about) is None:
        raise ProblemError(409, "whom this is about was erased: it is not replayed")
    fact = LetterReplayed(visitor=about, row=row["id"], bot=row["bot"], body=row["body"])
    return Record(
        position=0,
        message_id=own_id("replayed", row["id"]),
        partition=partition_of(fact.visitor),
        at=now,
        received_at=now,
        tagged="",
        raw=msgspec.json.encode(fact),
    )


async def _event(gateway: Gateway, row: dict[str, Any], now: datetime) -> Record:
    """Return the journaled event of a row, to be taken anew: its own bytes, time and tag."""
    position = row["position"]
    if row["kind"] == EVENT:
        [letter] = decode_letters(row["body"])
        assert isinstance(letter.message, Arrived), "an event is told to Behavior"
        position = letter.message.record.position
    found, _ = await gateway.deps.journal.read(stream_of(position), position - 1, 1, (0, 1))
    if not found or found[0].position != position or found[0].is_erased:
        raise ProblemError(409, "this event was erased: it is not replayed")
    record = found[0]
    try:
        decode_event(record.raw)
    except (msgspec.DecodeError, ValueError) as error:
        raise ProblemError(409, f"it can still not be read: {error}; drop it") from None
    message_id = replay_of(row["id"], record)
    return msgspec.structs.replace(record, position=0, message_id=message_id, received_at=now)


async def _settled(gateway: Gateway, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row once its bot has said what the replay came to, or as it stands after a while."""
    left = gateway.deps.limits.settle_seconds_max
    while True:
        found = await gateway.deps.store.get_document(QUARANTINE, row["id"])
        if found is None or found["status"] != OPEN or left <= 0:
            return found or row
        await asyncio.sleep(SETTLE_LOOK_SECONDS)
        left -= SETTLE_LOOK_SECONDS


async def _noted(gateway: Gateway, row: dict[str, Any], done: str, by: str) -> None:
    said = f"{row['kind']} for {row['bot']}"
    change = Change(
        by=by, act=f"quarantine.{done}", of=row["id"], visitor=row["visitor"], said=said
    )
    await note(gateway.deps.store, change, gateway.deps.wall_now())
