"""Take uploads of replay calls: JSON lines of `{"at": time, "call": {…}}`, each good or refused by itself.

Who imports notes it here as well: the calls themselves come by the public routes, which know no user.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import msgspec
from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.admin import PLAIN
from messaging.gateway.answering import answer, told
from messaging.gateway.asking import gateway_of, ordered
from messaging.gateway.body import JSON_TYPES, read_body
from messaging.gateway.console.users import ADMIN_NAME
from messaging.gateway.deps import GATEWAY
from messaging.gateway.limits import REPLAY_BYTES_MAX, REPLAY_LINE_BYTES_MAX
from messaging.gateway.readers import ReplayCall
from messaging.gateway.timing import read_time
from messaging.gateway.validate import Reader, Rejection, rejection
from messaging.store.audit_log import Change, without_addresses
from messaging.vocabulary.errors import RejectedEvent
from messaging.vocabulary.ids import own_id

LINE_TYPES = JSON_TYPES | {"application/x-ndjson", "application/jsonl", "application/json-lines"}

LINES_AT_ONCE = 500
"""Lines read before others get their turn: ~5 ms."""

SECONDS_MAX = 60.0


Said = Annotated[str, msgspec.Meta(max_length=500, pattern=PLAIN)]


class ImportNote(msgspec.Struct, forbid_unknown_fields=True):
    """Read what is to be noted of an import."""

    files: Annotated[list[Said], msgspec.Meta(min_length=1, max_length=20)]
    bases: Annotated[list[Said], msgspec.Meta(max_length=20)]
    """On what bases people agreed to be written to."""
    calls: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """None: the import was cut off."""
    refused: Annotated[int, msgspec.Meta(ge=0)] = 0


class ReplayLine(msgspec.Struct):
    """Read one line; the call stays bytes."""

    at: str
    call: msgspec.Raw


_decoder = msgspec.json.Decoder(ReplayLine)


async def replay(request: web.Request) -> web.Response:
    """Keep calls for the time at which the world clock reaches them."""
    gateway = request.app[GATEWAY]
    gateway.keys.check_admin(request)
    gateway.room.take(REPLAY_BYTES_MAX)
    try:
        body = await read_body(
            request, bytes_max=REPLAY_BYTES_MAX, seconds_max=SECONDS_MAX, types=LINE_TYPES
        )
        calls, rejected = await _read_lines(gateway.reader, body)
        new = await gateway.feeder.add(calls)
    finally:
        gateway.room.give(REPLAY_BYTES_MAX)
    return answer({"success": True, "added": new, "known": len(calls) - new, "rejected": rejected})


async def note_import(request: web.Request) -> web.Response:
    """Write into the audit log that calls were imported."""
    gateway, noted = gateway_of(request), await ordered(request, ImportNote)
    came = "cut off" if noted.calls is None else f"{noted.calls:,} calls, {noted.refused:,} refused"
    consent = "; ".join(noted.bases) or "nothing said of it"
    change = Change(
        by=ADMIN_NAME,
        act="calls.imported",
        of=without_addresses(", ".join(noted.files)),
        said=without_addresses(f"{came}, consent: {consent}"),
    )
    await acts.noted(gateway, change)
    return answer({"success": True})


async def waiting(request: web.Request) -> web.Response:
    """Show how many calls wait."""
    gateway = request.app[GATEWAY]
    gateway.keys.check_admin(request)
    return told(request, {"waiting": await gateway.feeder.waiting()})


async def _read_lines(reader: Reader, body: bytes) -> tuple[list[ReplayCall], list[Rejection]]:
    calls: list[ReplayCall] = []
    rejected: list[Rejection] = []
    order = time.time_ns()  # a later upload comes after an earlier one, also after a restart
    for index, line in enumerate(body.split(b"\n")):
        if index % LINES_AT_ONCE == LINES_AT_ONCE - 1:
            await asyncio.sleep(0)
        if not line.strip():
            continue
        try:
            calls.append(_read_line(reader, line, order + index))
        except RejectedEvent as error:
            rejected.append(Rejection(index, error.reason, error.field))
    return calls, rejected


def _read_line(reader: Reader, line: bytes, order: int) -> ReplayCall:
    if len(line) > REPLAY_LINE_BYTES_MAX:
        raise RejectedEvent("is too long")
    try:
        read = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise rejection(error) from None
    at = read_time(read.at, "at")
    raw = bytes(read.call)
    record = reader.replayed(raw, at)
    # Without a message id, the same call at the same time is the same call.
    id_ = record.message_id or own_id("replay", at.isoformat(), raw.decode())
    return ReplayCall(id_, at, order, raw)
