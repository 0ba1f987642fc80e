"""Read what the Segment routes get: batches into items, items into records, each good or refused by itself.

Rules
1. Bytes pass through as they came: an item is cut out of its batch, read once to see that it can be read,
   and never written again. Only a missing type, a batch-wide context or what `mending` leaves out makes a new text.
2. What is taken here can be read by `decode_event` everywhere: both use the same types.
3. A refusal names the item by index and the field by path, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Union, get_args

import msgspec

from messaging.gateway.hygiene import check_event, is_suspicious, read_tree
from messaging.gateway.lenient import split_batch
from messaging.gateway.limits import (
    BATCH_EVENTS_MAX,
    EVENT_BYTES_MAX,
    ID_CHARS_MAX,
    SPREAD_BYTES_MAX,
)
from messaging.gateway.mending import mended
from messaging.gateway.problems import ProblemError, unreadable
from messaging.gateway.timing import both_now, live_time, read_time
from messaging.vocabulary import ids
from messaging.vocabulary.errors import RejectedEvent
from messaging.vocabulary.events import PUBLIC_TYPES, Aliased, Call, Event, Identify, Record, Track

_public_types = tuple(t for t in get_args(Event) if t.__struct_config__.tag in PUBLIC_TYPES)
_call_decoder: msgspec.json.Decoder[Call] = msgspec.json.Decoder(Union[_public_types])  # noqa: UP007 - built at run time


class Rejection(msgspec.Struct, omit_defaults=True):
    """Name one item of a batch that was not taken, and why."""

    index: int
    reason: str
    field: str = ""


class Taken(msgspec.Struct):
    """Hold the records of one request, without positions, and what was refused of it."""

    records: list[Record]
    rejected: list[Rejection]


class Envelope(msgspec.Struct, rename="camel"):
    """Read what surrounds a single call."""

    type: Any = None
    write_key: Any = None
    sent_at: Any = None


class BatchEnvelope(msgspec.Struct, rename="camel"):
    """Read what surrounds the calls of a batch; the calls stay bytes."""

    batch: list[msgspec.Raw]
    write_key: Any = None
    sent_at: Any = None
    context: msgspec.Raw | None = None


_envelope_decoder = msgspec.json.Decoder(Envelope)
_batch_decoder = msgspec.json.Decoder(BatchEnvelope)


class Reader:
    """Turn bodies into records.

    `tag_of` returns the visitor id of a valid browser tag, or an empty string. `world_now` is world time,
    `wall_now` the machine's own, which stands for a `sentAt` that is missing.
    """

    def __init__(
        self,
        tag_of: Callable[[str], str],
        world_now: Callable[[], datetime],
        wall_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tag_of = tag_of
        self._world_now = world_now
        self._wall_now = wall_now

    def single(self, body: bytes, envelope: Envelope, kind: str) -> Taken:
        """Return the record of one call whose type the route gives, or raise the 400 that it is."""
        raw = body.strip()
        if envelope.type is None:
            rest = raw[1:].lstrip()
            comma = b"" if rest.startswith(b"}") else b","
            raw = b'{"type":"%b"%b%b' % (kind.encode(), comma, rest)
        elif envelope.type != kind:
            raise unreadable(f"is not {kind}, as the route says", "type")
        times = self._live_times(envelope.sent_at)
        try:
            record = self._record(raw, times, suspicious=is_suspicious(body))
        except RejectedEvent as error:
            raise unreadable(error.reason, error.field) from None
        return Taken([record], [])

    def batch(self, body: bytes, envelope: BatchEnvelope, *, live: bool) -> Taken:
        """Return the records of a batch and its refused items; a bad `sentAt` is a 400.

        A context that would make too much of the batch once it stands in each event is a 413.
        """
        if len(envelope.batch) > BATCH_EVENTS_MAX:
            raise ProblemError(413, f"has more than {BATCH_EVENTS_MAX} events", field="batch")
        times = self._live_times(envelope.sent_at) if live else self._given_times()
        suspicious = is_suspicious(body)
        common = _common_context(envelope.context)
        _check_spread(envelope)
        taken = Taken([], [])
        for index, item in enumerate(envelope.batch):
            raw = bytes(item)
            try:
                _check_size(raw)
                if common is not None:
                    raw = _with_context(raw, common)
                    _check_size(raw)
                taken.records.append(self._record(raw, times, suspicious=suspicious))
            except RejectedEvent as error:
                taken.rejected.append(Rejection(index, error.reason, error.field))
        return taken

    def replayed(self, raw: bytes, at: datetime) -> Record:
        """Return the record of one call whose world time is given; raise `RejectedEvent`."""
        _check_size(raw)
        return self._record(raw, lambda _: (at, at), suspicious=is_suspicious(raw))

    def _record(self, raw: bytes, times: Times, *, suspicious: bool) -> Record:
        call, raw = read_call(raw, suspicious=suspicious)
        at, received_at = times(call.timestamp or call.original_timestamp)
        return Record(
            position=0,
            message_id=call.message_id or "",
            partition=_partition(_routing_key(call)),
            at=at,
            received_at=received_at,
            tagged=self._tag(raw) if _TAG_MARK in raw else "",
            raw=raw,
        )

    def _tag(self, raw: bytes) -> str:
        for match in islice(_TAG.finditer(raw), _TAGS_MAX):
            visitor = self._tag_of(match[1].decode())
            if visitor:
                return visitor
        return ""

    def _live_times(self, sent_at: Any) -> Times:
        if sent_at is None or sent_at == "":
            now, sent = both_now(self._world_now, self._wall_now)
        elif isinstance(sent_at, str):
            try:
                now, sent = self._world_now(), read_time(sent_at, "sentAt")
            except RejectedEvent as error:
                raise unreadable(error.reason, error.field) from None
        else:
            raise unreadable("is no ISO 8601 time", "sentAt")

        def times(timestamp: str | None) -> tuple[datetime, datetime]:
            if not timestamp:
                return now, now
            return live_time(read_time(timestamp, "timestamp"), sent, now), now

        return times

    def _given_times(self) -> Times:
        now = self._world_now()

        def times(timestamp: str | None) -> tuple[datetime, datetime]:
            at = read_time(timestamp, "timestamp") if timestamp else now
            if at > now:
                raise RejectedEvent("lies in the future of this system", "timestamp")
            return at, now

        return times


Times = Callable[[str | None], tuple[datetime, datetime]]
"""Gives (at, received_at) for a call's timestamp."""


def read_envelope(body: bytes) -> Envelope:
    """Read what surrounds a single call, or raise the 400 that it is."""
    try:
        return _envelope_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        rejected = rejection(error)
        raise unreadable(rejected.reason, rejected.field) from None


def read_batch(body: bytes) -> BatchEnvelope:
    """Read a batch into its items, or raise the 400 that it is.

    Where the strict reader fails, a lenient one looks for the items' ends: one bad event must not cost the
    other ninety-nine.
    """
    try:
        return _batch_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        lenient = _read_leniently(body)
        if lenient is not None:
            return lenient
        rejected = rejection(error)
        raise unreadable(rejected.reason, rejected.field) from None


def read_call(raw: bytes, *, suspicious: bool) -> tuple[Call, bytes]:
    """Read one public call and check everything that its types cannot say; raise `RejectedEvent`.

    Return it with its text: what was given, or without the parts that cannot be read and that nobody needs.
    """
    try:
        call = _call_decoder.decode(raw)
    except msgspec.ValidationError as error:
        call, raw = _read_mended(raw, error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise rejection(error) from None
    check_event(raw, suspicious=suspicious)
    for value, field in (
        (call.message_id, "messageId"),
        (call.user_id, "userId"),
        (call.anonymous_id, "anonymousId"),
    ):
        if isinstance(value, str) and len(value) > ID_CHARS_MAX:
            raise _too_long(field)
    if call.message_id is not None and call.message_id.startswith(ids.OWN):
        raise RejectedEvent(
            f"may not begin with {ids.OWN}, which is this system's own", "messageId"
        )
    if isinstance(call, Track) and not call.event:
        raise RejectedEvent("is empty", "event")
    if isinstance(call, Aliased):
        _check_previous(call.previous_id)
    return call, raw


def _read_mended(raw: bytes, refused: msgspec.ValidationError) -> tuple[Call, bytes]:
    """Read a call that was refused without what may be left out of it; raise `RejectedEvent`."""
    text = mended(raw)
    if text is None:
        raise rejection(refused) from None
    try:
        call = _call_decoder.decode(text)
    except msgspec.ValidationError as error:
        raise rejection(error) from None
    _check_size(text)  # a number may be longer when it is written anew
    return call, text


def _check_size(raw: bytes) -> None:
    if len(raw) > EVENT_BYTES_MAX:
        raise RejectedEvent(f"is larger than {EVENT_BYTES_MAX} bytes")


def _check_previous(previous: str | int) -> None:
    if isinstance(previous, str) and len(previous) > ID_CHARS_MAX:
        raise _too_long("previousId")
    if not given(previous):
        raise RejectedEvent("is empty", "previousId")


def _too_long(field: str) -> RejectedEvent:
    return RejectedEvent(f"is longer than {ID_CHARS_MAX} characters", field)


def given(id_: str | int | None) -> bool:
    """Return whether a call says who: an id of blanks alone would make one person of all whose site sends it."""
    return id_ is not None and str(id_).strip() != ""


def _routing_key(call: Call) -> str:
    """Return the identity key that decides where a call goes first: all of one browser's go to one shard."""
    if given(call.anonymous_id):
        return ids.anonymous_key(str(call.anonymous_id))
    if given(call.user_id):
        return ids.user_key(str(call.user_id))
    address = _address(call)
    if not address:
        raise RejectedEvent("needs userId, anonymousId or traits.email", "userId")
    return ids.email_key(address)


def _address(call: Call) -> str:
    traits = call.traits if isinstance(call, Identify) else None
    for known in (traits, call.context.traits if call.context else None):
        address = known.get("email") if known else None
        if isinstance(address, str) and address.strip():
            if len(address) > ID_CHARS_MAX:
                raise _too_long("traits.email")
            return address
    return ""


@lru_cache(maxsize=16_384)
def _partition(key: str) -> int:
    return ids.partition_of(ids.visitor_id_for(key))


_TAG_MARK = b"mdma_v="
_TAG = re.compile(rb"mdma_v=([A-Za-z0-9_-]{16,1024})")
_TAGS_MAX = 4
"""Page, referrer and search may each carry one; each costs a signature to check."""

_PLACE = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(\w+)`$")


def rejection(error: Exception) -> RejectedEvent:
    """Return the refusal that a decoder's error means: its words hold types and paths, never values."""
    if isinstance(error, RecursionError):
        return RejectedEvent("is nested too deep")
    if isinstance(error, UnicodeDecodeError):
        return RejectedEvent("is not UTF-8")
    if not isinstance(error, msgspec.ValidationError):
        return RejectedEvent(
            "is not JSON, or holds NaN, a lone surrogate or a raw control character"
        )
    place = _PLACE.match(str(error))
    assert place is not None
    reason, field = place[1], place[2] or ""
    if field == "type" and reason.startswith("Invalid value"):  # it quotes the value
        reason = "is none of track, identify, page, screen, group, alias"
    missing = _MISSING.match(reason)
    if missing:
        reason, field = "is missing", f"{field}.{missing[1]}" if field else missing[1]
    return RejectedEvent(reason, field)


def _common_context(raw: msgspec.Raw | None) -> dict[str, Any] | None:
    """Return the context that a batch gives to all its items, None if there is none."""
    if raw is None:
        return None
    try:
        common = read_tree(bytes(raw))
    except RejectedEvent as error:
        raise unreadable(error.reason, "context") from None
    if common not in (None, []) and not isinstance(common, dict):
        raise unreadable("Expected `object`", "context")
    return common or None


def _check_spread(envelope: BatchEnvelope) -> None:
    context = len(bytes(envelope.context)) if envelope.context is not None else 0
    if context * len(envelope.batch) > SPREAD_BYTES_MAX:
        said = "is too large to stand in each event: send fewer events at once, or a smaller one"
        raise ProblemError(413, said, field="context")


def _with_context(raw: bytes, common: dict[str, Any]) -> bytes:
    """Return an item with the batch's context under its own (the item's own members win)."""
    item = read_tree(raw)
    own = item.get("context") if isinstance(item, dict) else None
    own = None if own == [] else own
    if not isinstance(item, dict) or not isinstance(own, dict | None):
        return raw  # the typed reader says what is wrong with it
    return msgspec.json.encode({**item, "context": {**common, **(own or {})}})


def _read_leniently(body: bytes) -> BatchEnvelope | None:
    """Return a batch of which only some item is unreadable to the strict reader, else None."""
    parts = split_batch(body)
    if parts is None:
        return None
    items, others = parts
    context = others.get("context")
    try:
        envelope = _envelope_decoder.decode(
            b'{"writeKey":%b,"sentAt":%b}'
            % (others.get("writeKey", b"null"), others.get("sentAt", b"null"))
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return BatchEnvelope(
        [msgspec.Raw(item) for item in items],
        envelope.write_key,
        envelope.sent_at,
        msgspec.Raw(context) if context is not None else None,
    )
