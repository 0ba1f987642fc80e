"""The parts that read bodies: the cheap look misses nothing, the lenient cut is exact, unpacking is bounded."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.gateway.body import unpack
from messaging.gateway.hygiene import check_event, check_tree, is_suspicious, read_tree
from messaging.gateway.lenient import split_batch
from messaging.gateway.limits import SENT_AGE_MAX
from messaging.gateway.lowwater import LowWater, oldest
from messaging.gateway.problems import ProblemError
from messaging.gateway.timing import live_time, read_time
from messaging.gateway.validate import read_batch, read_call
from messaging.vocabulary.errors import RejectedEvent

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.sampled_from([1e308, -1e308, 2**63 - 1, 2**63, -(2**63)]),
    st.text(max_size=8),
    st.uuids().map(lambda u: u.hex),
    st.sampled_from(["\0", "\ud800", "3e456", "1" * 25, "a,b}"]),
)
_json = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(_json, st.booleans(), st.sampled_from([None, 1]))
def test_what_the_cheap_look_lets_pass_the_slow_walk_lets_pass_too(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    raw = json.dumps({"a": value}, ensure_ascii=ascii_only, indent=indent).encode(
        "utf-8", "surrogatepass"
    )
    try:
        check_tree(read_tree(raw))
    except RejectedEvent as error:
        if "JSON" in error.reason:
            return  # NaN and lone surrogates: the strict reader refuses them before
        with pytest.raises(RejectedEvent):
            check_event(raw, suspicious=is_suspicious(raw))
    else:
        check_event(raw, suspicious=is_suspicious(raw))


@pytest.mark.parametrize(
    "number", ["1e309", "-1E400", "1e+999", "12.5e1000", "9223372036854775808", "9" * 30]
)
@pytest.mark.parametrize("end", ["", ",1", " ,1", "\n,1", "\t,1", "\r,1"])
def test_numbers_that_no_float_or_64_bits_hold_are_always_found(number: str, end: str) -> None:
    assert is_suspicious(b'{"x":[' + f"{number}{end}".encode() + b"]}")
    assert is_suspicious(b'{"x":' + number.encode() + b"}")


def test_hexadecimal_ids_are_not_taken_for_numbers() -> None:
    assert not is_suspicious(
        b'{"messageId":"7e123-4e567a","at":"2017-06-01T00:00:00.123Z","n":1.5e10}'
    )


@given(
    st.lists(_json, max_size=5),
    st.dictionaries(st.sampled_from(["sentAt", "writeKey", "x"]), _json),
)
def test_a_lenient_cut_gives_the_texts_of_the_items(
    items: list[Any], others: dict[str, Any]
) -> None:
    body = json.dumps({**others, "batch": items}, indent=1).encode()
    cut = split_batch(body)
    assert cut is not None
    assert [json.dumps(json.loads(item)) for item in cut[0]] == [json.dumps(item) for item in items]
    assert {name: json.dumps(json.loads(text)) for name, text in cut[1].items()} == {
        name: json.dumps(value) for name, value in others.items()
    }


@pytest.mark.parametrize("depth", [40, 990, 5_000, 15_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}"), ('["]",', '," } "]')])
def test_an_item_that_is_nested_too_deep_does_not_cost_the_others(
    depth: int, opens: str, closes: str
) -> None:
    deep = '{"type":"track","event":"e","userId":"u","properties":{"a":%s1%s}}'
    deep = deep % (opens * depth, closes * depth)
    good = b'{"type":"track","event":"e","userId":"u"}'
    body = b'{"batch":[%b,%b,%b],"sentAt":"x"}' % (good, deep.encode(), good)
    batch = read_batch(body)
    assert [bytes(each) for each in batch.batch] == [good, deep.encode(), good]
    assert batch.sent_at == "x"
    with pytest.raises(RejectedEvent):
        read_call(deep.encode(), suspicious=False)


@given(st.binary(max_size=60))
def test_a_lenient_cut_of_anything_never_raises(body: bytes) -> None:
    split_batch(body)
    split_batch(b'{"batch":[' + body)
    split_batch(b'{"batch":[' + body + b"]}")


@given(st.binary(max_size=300), st.integers(0, 300))
def test_unpacking_gives_all_or_says_that_it_is_too_large(body: bytes, bytes_max: int) -> None:
    if len(body) <= bytes_max:
        assert unpack(gzip.compress(body), bytes_max) == body
        return
    with pytest.raises(ProblemError) as refused:
        unpack(gzip.compress(body), bytes_max)
    assert refused.value.status == 413


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)), st.integers(-1439, 1439))  # noqa: DTZ001 - the zone follows
def test_times_in_any_zone_are_read_as_the_same_moment(at: datetime, minutes: int) -> None:
    zoned = at.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    assert read_time(zoned.isoformat(), "at") == at.replace(tzinfo=UTC)
    assert read_time(at.isoformat() + "Z", "at") == at.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-01T24:00:00Z", "2026-01-02T00:00:00"),
        ("2026-01-01T24:00Z", "2026-01-02T00:00:00"),
        ("2026-01-01T24", "2026-01-02T00:00:00"),
        ("2026-01-01T24:00:00.000", "2026-01-02T00:00:00"),
        ("20260101T240000Z", "2026-01-02T00:00:00"),
        ("2025-12-31T24:00:00+02:00", "2025-12-31T22:00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00"),
        ("2016-12-31T23:59:60.250Z", "2017-01-01T00:00:00.250000"),
        ("20161231T235960Z", "2017-01-01T00:00:00"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00"),
    ],
)
def test_the_end_of_a_day_and_a_leap_second_are_times(text: str, at: str) -> None:
    assert read_time(text, "at").isoformat() == f"{at}+00:00"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-01-01T24:00:01Z",
            "2026-01-01T24:01Z",
            "2026-01-01T24:00:00.5Z",
            "2026-13-01T24:00Z",
        ),
        *("2026-01-01T25:00:00Z", "2026-01-01T23:59:61Z", "2026-01-01T23:60:60Z", "24:00:00"),
        *("2026-01-01T23:60Z", "9999-12-31T24:00:00Z", "9999-12-31T23:59:60Z", "2026-01-01T60"),
        *("2026-01-01T23:59:60.Z", "2026-01-01T24:00:60Z", "2026-01-01T24:0000Z"),
    ],
)
def test_what_no_clock_shows_is_no_time(text: str) -> None:
    with pytest.raises(RejectedEvent):
        read_time(text, "at")


@given(st.text(max_size=30))
def test_no_text_makes_reading_a_time_fail_otherwise(text: str) -> None:
    with contextlib.suppress(RejectedEvent):
        assert read_time(text, "at").utcoffset() == timedelta(0)


@given(st.floats(-1e6, 1e6))
def test_a_live_call_lies_within_the_bracket(age_seconds: float) -> None:
    now = datetime(2017, 6, 1, tzinfo=UTC)
    sent = datetime(2031, 1, 1, tzinfo=UTC)
    at = live_time(sent - timedelta(seconds=age_seconds), sent, now)
    assert now - SENT_AGE_MAX <= at <= now
    if 0 <= age_seconds <= SENT_AGE_MAX.total_seconds():
        assert math.isclose((now - at).total_seconds(), age_seconds, abs_tol=1e-5)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50))))
def test_the_low_water_is_the_lowest_held_since_the_last_question(
    steps: list[tuple[bool, int]],
) -> None:
    low = LowWater()
    held: datetime | None = None
    lowest: datetime | None = None
    for is_question, number in steps:
        if is_question:
            assert low.ask(held) == lowest
            lowest = held
        else:
            held = datetime(2017, 1, 1, tzinfo=UTC) + timedelta(number)
            low.saw(held)
            lowest = oldest(lowest, held)
