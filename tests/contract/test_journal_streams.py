"""What is acknowledged stands once and is read in order: the same on memory and on MongoDB."""

import asyncio
from datetime import UTC, datetime

import pytest

from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import position

NOON = datetime(2026, 3, 2, 12, 0, 0, 123457, tzinfo=UTC)


def a_record(stream, number, message_id=None, partition=0):
    at = position(stream, number)
    raw = b'{"type":"track"}'
    return Record(at, message_id or f"{stream}-{number}", partition, NOON, NOON, "", raw)


async def test_every_incarnation_of_a_writer_gets_a_stream_of_its_own(keeping):
    journals = [keeping.journal() for _ in range(4)]
    streams = await asyncio.gather(*(journal.open_stream("gateway-1") for journal in journals))
    assert sorted(streams) == [1, 2, 3, 4]
    assert await journals[0].open_stream("gateway-1") == 5


async def test_records_come_back_as_they_were_written_and_in_order(keeping):
    journal = keeping.journal()
    stream = await journal.open_stream("gateway-1")
    other = await journal.open_stream("gateway-2")
    records = [a_record(stream, number, partition=number) for number in range(1, 6)]
    assert (await journal.append(records)).fresh == [True] * 5
    await journal.append([a_record(other, 1)])
    assert await journal.read(stream, 0, 10, (0, 1)) == (records, records[-1].position)
    middle = await journal.read(stream, records[1].position, 2, (0, 1))
    assert middle == (records[2:4], records[3].position)
    assert await journal.read(stream, records[-1].position, 9, (0, 1)) == (
        [],
        records[-1].position,
    )
    assert await journal.append([]) == type(await journal.append([]))([])


async def test_a_reader_gets_beyond_records_that_are_not_its_own(keeping):
    journal = keeping.journal()
    stream = await journal.open_stream("gateway-1")
    records = [a_record(stream, number, partition=number * 40) for number in range(1, 7)]
    await journal.append(records)
    ours, reached = await journal.read(stream, 0, 100, (1, 2))
    assert (ours, reached) == (records[3:], records[-1].position)
    assert await journal.read(stream, 0, 3, (1, 2)) == ([], records[2].position)
    assert await journal.read(stream, records[2].position, 3, (0, 2)) == ([], reached)


async def test_a_message_id_stands_once_whoever_brings_it(keeping):
    journal = keeping.journal()
    one, two = await journal.open_stream("gateway-1"), await journal.open_stream("gateway-2")
    first = [a_record(one, 1, "m1"), a_record(one, 2, "m2"), a_record(one, 3, "m1")]
    assert (await journal.append(first)).fresh == [True, True, False]
    second = [a_record(two, 1, "m2"), a_record(two, 2, "m3"), a_record(two, 3, "m1")]
    assert (await journal.append(second)).fresh == [False, True, False]
    assert (await journal.read(two, 0, 10, (0, 1)))[0] == [second[1]]
    later = [a_record(one, 4, "m3"), a_record(one, 5, "m4")]
    assert (await journal.append(later)).fresh == [False, True]
    records, reached = await journal.read(one, 0, 10, (0, 1))
    assert [record.message_id for record in records] == ["m1", "m2", "m4"]
    assert reached == position(one, 5)


async def test_the_same_append_again_reports_the_same(keeping):
    journal = keeping.journal()
    stream = await journal.open_stream("gateway-1")
    await journal.append([a_record(stream, 1, "old")])
    again = [a_record(stream, 2, "new"), a_record(stream, 3, "old"), a_record(stream, 4, "more")]
    for _ in range(3):
        assert (await journal.append(again)).fresh == [True, False, True]
    records, _ = await journal.read(stream, 0, 10, (0, 1))
    assert [record.message_id for record in records] == ["old", "new", "more"]


async def test_an_append_that_got_half_way_is_completed_by_its_repeat(keeping):
    journal = keeping.journal()
    stream = await journal.open_stream("gateway-1")
    records = [a_record(stream, number) for number in range(1, 7)]
    await journal.append(records[:3])
    assert (await journal.append(records)).fresh == [True] * 6
    assert (await journal.read(stream, 0, 10, (0, 1)))[0] == records


async def test_two_gateways_that_bring_one_message_at_once_take_it_once(keeping):
    journals = [keeping.journal() for _ in range(2)]
    streams = [await journal.open_stream("gateway") for journal in journals]
    for turn in range(10):
        numbers = range(turn * 10 + 1, turn * 10 + 11)
        answers = await asyncio.gather(
            *(
                journal.append([a_record(stream, number, f"m{number}") for number in numbers])
                for journal, stream in zip(journals, streams, strict=True)
            )
        )
        for pair in zip(answers[0].fresh, answers[1].fresh, strict=True):
            assert sorted(pair) == [False, True]


async def test_a_position_that_holds_another_event_is_our_own_mistake(keeping):
    journal = keeping.journal()
    stream = await journal.open_stream("gateway-1")
    await journal.append([a_record(stream, 1, "m1")])
    with pytest.raises(AssertionError):
        await journal.append([a_record(stream, 1, "m2")])


async def test_tails_name_the_last_position_of_every_stream_that_has_one(keeping):
    journal = keeping.journal()
    assert await journal.tails() == {}
    streams = [await journal.open_stream("gateway-1") for _ in range(3)]
    await journal.append([a_record(streams[0], number) for number in (1, 2, 7)])
    await journal.append([a_record(streams[2], 1)])
    assert await journal.tails() == {
        streams[0]: position(streams[0], 7),
        streams[2]: position(streams[2], 1),
    }
