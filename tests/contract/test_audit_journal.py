"""Each journaled event stands in its own place and is known by its message id, or the audit says which does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from messaging.journal.mongo import MongoJournal
from messaging.ports import Journal
from messaging.store.connection import Connection
from messaging.vocabulary.events import Record, erased_record
from messaging.vocabulary.ids import number_of, position
from scripts.audit_journal import misfiled
from tests.contract.conftest import Keeping
from tests.contract.tampering import (
    changed,
    first_of_journal,
    forget_message,
    mongo_of,
    swap_events,
)
from tests.contract.test_audit_planted import found_in
from tests.contract.test_quarantine import ann_buys, settled
from tests.house_builders import a_house

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UNKNOWN = "would count twice if it came again: it is not known by its message id"
MISPLACED = "does not hold the event that belongs there"


async def test_events_whose_message_id_is_not_known_are_found(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        await ann_buys(house)
        await settled(house)
        assert await found_in(house) == []
        first, _ = await first_of_journal(house.store)
        await forget_message(house.store, first)
        assert await found_in(house) == [f"journal:1 event {number_of(first)} {UNKNOWN}"]


async def test_events_that_stand_in_each_others_place_are_found(keeping: Keeping) -> None:
    """Whose they are may be the same person, who is the same in either order: nothing else would show it."""
    async with a_house(keeping.store(), keeping.journal()) as house:
        await house.views("/one", "/two", browser="b-ann")
        await settled(house)
        assert await found_in(house) == []
        first, second = await first_of_journal(house.store)
        await swap_events(house.store, first, second)
        said = await found_in(house)
        for each in (first, second):
            assert f"journal:1 event {number_of(each)} {MISPLACED}" in said


@pytest.mark.parametrize("kept_at", ["mongo"], indirect=True)
async def test_events_that_their_shard_would_not_see_and_streams_that_nobody_reads_are_found(
    keeping: Keeping,
) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        await ann_buys(house)
        await settled(house)
        first, _ = await first_of_journal(house.store)
        await changed(house.store, "journal", first, {"$bit": {"p": {"xor": 1}}})
        await mongo_of(house.store)["journal_streams"].delete_one({"_id": 1})
        said = await found_in(house)
        assert f"journal:1 event {number_of(first)} {MISPLACED}" in said
        assert "journal:1 is in no list of streams: what stands in it may be read by nobody" in said


def events(stream: int, *names: str) -> list[Record]:
    return [
        Record(position(stream, number), name, 7, NOON, NOON, "", b"{}")
        for number, name in enumerate(names, 1)
    ]


async def said_of(journal: Journal) -> tuple[list[str], dict[str, int]]:
    found, looked = await misfiled(journal)
    return found, looked


async def test_what_was_erased_is_known_by_its_hash_alone_and_believed(keeping: Keeping) -> None:
    journal = keeping.journal()
    await journal.open_stream("gateway-1")
    records = events(1, "m1", "m2", "m3")
    await journal.append(records)
    await keeping.sweep().rewrite_journal([erased_record(records[1])])
    assert await said_of(journal) == ([], {"journaled events": 3})


async def test_a_stream_that_was_written_under_another_secret_is_counted_and_no_finding(
    connection: Connection,
) -> None:
    """Its message ids are known by other hashes: none of them can be told from a planted one."""
    before, now = MongoJournal(connection, b"old"), MongoJournal(connection, b"new")
    assert [await before.open_stream("gateway-1") for _ in range(2)] == [1, 2]
    await before.append(events(1, "m1", "m2"))
    await now.append(events(2, "m3", "m4", "m5"))
    looked = {"journaled events": 5, "events journaled under another secret": 2}
    assert await said_of(now) == ([], looked)
    await connection.database["journal"].update_one({"_id": position(2, 2)}, {"$unset": {"m": ""}})
    assert await said_of(now) == ([f"journal:2 event 2 {UNKNOWN}"], looked)
