"""Name every bound of the gateway. One place, so that README, OpenAPI page and code cannot differ."""

from __future__ import annotations

from datetime import timedelta

import msgspec

EVENT_BYTES_MAX = 32 * 1024
"""Segment's limit for one event."""

BATCH_BYTES_MAX = 500 * 1024
"""Segment's limit for one batch, unpacked; the packed body may not be larger either."""

BATCH_EVENTS_MAX = 2_500

SPREAD_BYTES_MAX = 4 * 1024 * 1024
"""A batch once its own context stands in each of its events: a few kB on the wire must not become tens of MB here."""

HOOK_BYTES_MAX = 1024 * 1024
"""One webhook; an order of hundreds of lines has less."""

ID_CHARS_MAX = 512
PAGE_ROWS, PAGE_ROWS_MAX = 100, 1_000
"""Rows of a page of the admin API: where nothing is said, and at most."""

ENTERING_MAX = 500
"""People that one call of the API lets onto a path."""

REPORTS_MAX = 100
"""Reports of what became of e-mails that one call of the API takes."""

REPORT_BYTES_MAX = 1024 * 1024
"""Of a report: it may bring back the whole e-mail, of which mailbox providers show 102 kB."""

DEPTH_MAX = 32
KEYS_MAX = 1_000
"""Objects deeper or wider than this are no events: they are somebody's attempt on our parsers."""

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1
"""BSON and most clients have no larger integers."""

SENT_AGE_MAX = timedelta(hours=24)
"""How far before its sending an event may lie; older ones come by `/v1/import`."""

REPLAY_LINE_BYTES_MAX = EVENT_BYTES_MAX + 1024
REPLAY_BYTES_MAX = 8 * 1024 * 1024
"""One upload of replay calls; a longer file is sent in parts."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the bounds that a deployment or a test may set otherwise."""

    body_seconds_max: float = 15.0
    """A body that takes longer is a slow loris."""
    head_seconds_max: float = 10.0
    keepalive_seconds: float = 75.0
    connections_max: int = 2_000
    commit_events_max: int = 2_500
    """Records of one insert: beyond ~1,000 the rate grows no more, only the wait does."""
    commit_bytes_max: int = 12 * 1024 * 1024
    """MongoDB takes messages of 48 MB; a group of this size is still one message."""
    crowd_requests_min: int = 8
    crowd_events_max: int = 200
    crowd_seconds_max: float = 0.006
    """An insert waits for those of the last to be back if they were so many requests, until so many events wait,
    and no longer than this."""
    bodies_bytes_max: int = 128 * 1024 * 1024
    """Bytes of all bodies that are being read at one time."""
    waiting_events_max: int = 20_000
    waiting_bytes_max: int = 48 * 1024 * 1024
    """What may wait for the insert under way; over it the answer is 503."""
    append_seconds_max: float = 8.0
    """How long an insert is tried again before its requests are answered 503."""
    chunk_events_max: int = 2_000
    chunk_bytes_max: int = 4 * 1024 * 1024
    linger_seconds_an_event: float = 0.002
    linger_seconds_max: float = 0.5
    """How long the chunk after one of so many events waits for more: above 500 events a second chunks grow."""
    backlog_events_max: int = 20_000
    backlog_bytes_max: int = 32 * 1024 * 1024
    """What is held for one slow shard; over it the shard gets a hint and reads the journal itself."""
    settle_seconds_max: float = 2.0
    """How long the answer to an alert waits for what its bot makes of it."""
    drain_seconds_max: float = 10.0
    streams_max: int = 1_000
    """Browsers that are told of engagements as they come; over it they are asked to poll."""
    stream_seconds_max: float = 3_600.0
    """A stream ends then, and its browser comes back: nobody is held for ever."""
    heartbeat_seconds: float = 15.0
    look_seconds: float = 0.5
    """How often the engagements of all connected browsers are looked at, in one go."""
    refunds_look_seconds: float = 5.0
    """How often it is looked whether a refund's order came that waits for it."""
    look_visitors_max: int = 500
    """Browsers of one look."""
    write_seconds_max: float = 10.0
    """A browser that takes longer for a line is gone."""
    logins_max: int = 10
    logins_of_user_max: int = 50
    logins_window_seconds: float = 300.0
    """Attempts to log in that may fail from one address, and for one user name, in this time."""
    logins_waiting_max: int = 8
    """Attempts whose password is being looked at: each costs 32 MiB and a quarter of a second of a core."""
    slow_seconds: float = 1.0
    """A request that takes longer gets its line in the log even when all went well."""
