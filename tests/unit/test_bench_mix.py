"""Hold the benchmark's traffic: the shares that the design names, and answers to what was sent."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import orjson

from messaging.vocabulary.events import decode_event
from scripts.bench_mix import Mix, bodies, records
from scripts.bench_processed import Counting
from scripts.bench_simulator import default_view

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
EVENTS = 6_000


def test_the_same_seed_gives_the_same_events() -> None:
    assert list(records(200, 1, START, seed=5)) == list(records(200, 1, START, seed=5))
    assert list(records(200, 1, START, seed=5)) != list(records(200, 1, START, seed=6))


def test_the_mix_has_the_shares_that_the_design_names() -> None:
    kinds: Counter[str] = Counter()
    for record in records(EVENTS, 1, START):
        told = orjson.loads(record.raw)
        kinds["order" if told.get("event") == "Order Completed" else told["type"]] += 1
    share = {kind: count / EVENTS for kind, count in kinds.items()}
    assert 0.77 < share["page"] + share["track"] < 0.83
    assert 0.06 < share["identify"] < 0.10
    assert 0.012 < share["order"] < 0.028
    assert 0.08 < share["mail_opened"] + share["mail_clicked"] < 0.12


def test_enough_events_change_a_cohort_or_band_and_cause_a_decision() -> None:
    counting = Counting(default_view(), START)
    counting.feed(records(EVENTS, 1, START))
    assert counting.changed / EVENTS >= 0.10
    assert counting.decided / EVENTS >= 0.02


def test_every_answer_is_to_the_success_mail_of_an_order_before_it() -> None:
    counting = Counting(default_view(), START)
    sent: set[str] = set()
    for record in records(EVENTS, 1, START):
        event = decode_event(record.raw)
        if hasattr(event, "send_id"):
            assert event.send_id in sent
        counting.feed([record])
        sent |= {row.id for row in counting.rows if row.table == "sends"}
        counting.rows.clear()
    assert sent


def test_a_mix_that_goes_on_repeats_no_message_id() -> None:
    mix = Mix(3)
    drawn = [r for stream in (1, 2) for r in records(500, stream, START, mix=mix)]
    assert len({record.message_id for record in drawn}) == len(drawn)


def test_a_body_is_a_batch_of_calls() -> None:
    (body,) = bodies(1, 100, START)
    assert len(orjson.loads(body)["batch"]) == 100
