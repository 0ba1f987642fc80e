"""The demo beside the system: its settings, its own data, what it says of progress, and its pace."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.cluster.keeper import CONTROL
from config.settings import read_settings
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.demo import (
    CALM,
    DEMO,
    NUMBERS_APART,
    ROWS_SECONDS,
    ROWS_TAKE,
    SENDER,
    SPEED,
    Demo,
    pace,
    spare_seconds,
    with_demo,
)
from scripts.folder import Refused

THURSDAY = datetime(2026, 11, 26, 14, 37, 5, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
ALIVE, GONE = "ada@people.example", "ben@gone.example"


def a_demo(said: list[str] | None = None, **given: Any) -> Demo:
    settings = with_demo(read_settings(Path("/nonexistent"), **given), THURSDAY)
    return Demo(settings, [].append if said is None else said.append)


def test_what_nobody_has_set_is_made_for_a_demo() -> None:
    settings = with_demo(read_settings(Path("/nonexistent")), THURSDAY)
    assert (settings.speed, settings.clock_start) == (SPEED, MONDAY)
    assert settings.sender == SENDER
    assert settings.postal_address


def test_what_somebody_has_set_stays() -> None:
    given = {"speed": 60.0, "clock_start": THURSDAY, "sender": "Me <me@shop.example>"}
    settings = with_demo(read_settings(Path("/nonexistent"), **given), THURSDAY)
    for name, value in given.items():
        assert getattr(settings, name) == value


async def test_a_demo_begins_on_empty_data_and_goes_on_behind_everybody_before() -> None:
    store = MemoryStore(MemoryDatabase())
    first = a_demo()
    await first.begin(store, is_new=True)
    assert first._first == 0
    await first._keep(123)
    for _ in range(2):
        later = a_demo()
        await later.begin(store, is_new=False)
        assert later._first == NUMBERS_APART


async def test_the_data_of_a_system_are_refused_and_left_alone() -> None:
    store = MemoryStore(MemoryDatabase())
    with pytest.raises(Refused, match=r"not a demo's.*--data") as no:
        await a_demo().begin(store, is_new=False)
    assert no.value.code == 2
    assert await store.get_document(CONTROL, DEMO) is None


async def test_before_it_lives_and_after_its_end_it_holds_no_clock() -> None:
    demo = a_demo()
    assert (demo.report().held_since, demo.report().next_due) == (None, None)
    assert demo.numbers() == {}
    await demo.end()


def test_who_names_a_speed_gets_it_throughout() -> None:
    assert a_demo()._calm == CALM
    assert a_demo(speed=60.0)._calm == 60.0
    assert a_demo(speed=5_000.0)._calm == 5_000.0


def test_who_stays_in_the_shop_is_made_up_for_and_leaves_time_for_every_row() -> None:
    """Whoever holds the world for as long as it has time to spare, at a machine that keeps up with it."""
    seconds, world = 0.0, timedelta(0)
    while spare_seconds(seconds, world) > 0:
        seconds += 1.0
        world += timedelta(seconds=30)
    assert seconds > 240.0, "four minutes are told on the page"
    while world < ROWS_TAKE:
        seconds += 1.0
        world += timedelta(seconds=pace(spare_seconds(seconds, world)))
    assert seconds < ROWS_SECONDS
    assert pace(spare_seconds(60.0, timedelta(seconds=60 * SPEED))) == SPEED


def test_its_sink_refuses_who_has_no_mailbox_and_takes_the_rest(tmp_path: Path) -> None:
    sink = a_demo().sink()
    port = sink.start(tmp_path)
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            refused = client.sendmail("a@shop.example", [ALIVE, GONE], b"Subject: Hi\r\n\r\nHi\r\n")
        assert set(refused) == {GONE}
        assert refused[GONE][0] == 550
        assert [mail["to"] for mail in sink.mails()] == [[ALIVE]]
    finally:
        sink.stop()
