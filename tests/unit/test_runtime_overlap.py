"""A batch is built while another one is committed: what it sees, and what becomes of it after a conflict."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from agents.runtime.committing import OutcomeUnknown
from messaging.ports import Commit
from messaging.store.memory import MemoryStore
from messaging.vocabulary.errors import CommitUnknown, Conflict
from messaging.vocabulary.messages import CohortLeft
from tests.runtime_builders import (
    START,
    FakeClock,
    Peer,
    Running,
    a_chunk,
    a_database,
    a_shard,
    a_store,
    entered,
    settle,
    state_of,
    visitor,
)


async def seen(store: MemoryStore, number: int) -> list[str]:
    """Return the cohorts a visitor's stored state has counted."""
    return (await state_of(store, number)).seen


class Gated(MemoryStore):
    """Hold each commit until it is let go; the first ones may end in errors."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.asked: list[int] = []
        self.go = asyncio.Semaphore(0)
        self.errors: list[Exception | None] = []

    async def commit(self, commit: Commit) -> None:
        """Commit when let go."""
        self.asked.append(commit.batch)
        await self.go.acquire()
        error = self.errors.pop(0) if self.errors else None
        if error is not None and not isinstance(error, CommitUnknown):
            raise error
        await super().commit(commit)
        if error is not None:
            raise error


async def until(condition: object) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(2):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.001)


async def test_a_batch_built_upon_a_commit_under_way_sees_its_states_and_leaves_after_its_own() -> (
    None
):
    store, peer = Gated(a_database()), Peer()
    async with Running(a_shard(store, peer=peer, overlap_letters_min=1)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        await until(lambda: store.asked == [1])
        shard.deliver(a_chunk(2, entered(1, "b")))
        await until(lambda: shard._committer.overlapped_total == 1)
        assert peer.got == []
        store.go.release()
        await until(lambda: store.asked == [1, 2])
        assert [chunk.first for _, chunk in peer.got] == [1]
        store.go.release()
        await settle(shard, 2)
    assert await seen(store, 1) == ["a", "b"]


async def test_a_conflict_voids_what_was_built_upon_it_and_both_are_taken_once() -> None:
    store = Gated(a_database())
    store.errors = [Conflict("somebody else was there")]
    for _ in range(9):
        store.go.release()
    async with Running(a_shard(store, overlap_letters_min=1)) as shard:
        store.go = asyncio.Semaphore(0)
        shard.deliver(a_chunk(1, entered(1, "a")))
        await until(lambda: store.asked == [1])
        shard.deliver(a_chunk(2, entered(1, "b"), entered(2, "b")))
        await until(lambda: shard._committer.overlapped_total == 1)
        for _ in range(9):
            store.go.release()
        await settle(shard, 2)
        assert shard.metrics()["voided_total"] == 1
    assert await seen(store, 1) == ["a", "b"]
    assert await seen(store, 2) == ["b"]


async def test_poison_in_a_batch_built_upon_a_commit_loses_nothing_of_either() -> None:
    store = Gated(a_database())
    async with Running(a_shard(store, overlap_letters_min=1)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        await until(lambda: store.asked == [1])
        shard.deliver(a_chunk(2, entered(1, "b"), entered(1, "poison"), entered(1, "c")))
        for _ in range(9):
            store.go.release()
        await settle(shard, 2)
    assert await seen(store, 1) == ["a", "b", "c"]
    assert len(await store.rows("quarantine", {})) == 1


async def test_states_newer_than_the_stored_ones_stay_in_memory_however_small_it_is() -> None:
    store = a_store(a_database())
    async with Running(
        a_shard(store, overlap_letters_min=1, visitors_in_memory_max=1, batch_letters_max=2)
    ) as shard:
        for number in range(1, 40):
            shard.deliver(a_chunk(number, *(entered(v, str(number)) for v in (1, 2, 3))))
        await until(lambda: shard.positions().get("behavior-0") == 39)
        assert shard.metrics()["visitors_in_memory"] <= 3
    for each in (1, 2, 3):
        assert await seen(store, each) == [str(number) for number in range(1, 40)]


async def test_an_owner_that_cannot_know_whether_its_commit_happened_ends_and_its_heir_finds_out() -> (
    None
):
    database = a_database()
    store = Gated(database)
    store.errors = [CommitUnknown("no answer"), Conflict("the first try still holds it")]
    shard = a_shard(store)
    running = Running(shard)
    async with running:
        for _ in range(9):
            store.go.release()
        shard.deliver(a_chunk(1, entered(1, "a")))
        assert running.task is not None
        with pytest.raises(OutcomeUnknown):
            await asyncio.wait_for(running.task, 2)
    heir = a_store(database)
    async with Running(a_shard(heir)) as shard:
        shard.deliver(a_chunk(1, entered(1, "a")))
        shard.deliver(a_chunk(2, entered(1, "b")))
        await settle(shard, 1)
    assert await seen(heir, 1) == ["a", "b"]


async def test_a_wake_up_whose_commit_is_under_way_fires_once_and_the_world_waits_for_it() -> None:
    store, clock = Gated(a_database()), FakeClock()
    store.go.release()
    async with Running(a_shard(store, clock=clock, overlap_letters_min=1)) as shard:
        shard.deliver(a_chunk(1, CohortLeft(visitor=visitor(1), at=START, cohort="wake")))
        await settle(shard, 1)
        clock.world = due = START + timedelta(hours=1)
        shard.poke()
        await until(lambda: store.asked == [1, 2])
        for number in (2, 3):
            shard.deliver(a_chunk(number, entered(1, str(number))))
        await until(lambda: shard._committer.overlapped_total == 1)
        report = shard.report()
        assert report is not None
        assert report.next_due == due, "what is due next is not known before the commit"
        for _ in range(9):
            store.go.release()
        await until(lambda: shard.positions().get("behavior-0") == 3)
        await until(lambda: shard._next_due is None and shard._fired_at is None)
        after = shard.report()
        assert after is not None
        assert after.next_due is None
    state = await state_of(store, 1)
    assert (state.woken, state.seen) == (1, ["2", "3"])


async def test_a_conflict_of_a_batch_that_fired_wake_ups_fires_them_once() -> None:
    store, clock = Gated(a_database()), FakeClock()
    store.errors = [None, Conflict("somebody else was there")]
    store.go.release()
    async with Running(a_shard(store, clock=clock, overlap_letters_min=1)) as shard:
        shard.deliver(a_chunk(1, CohortLeft(visitor=visitor(1), at=START, cohort="wake")))
        await settle(shard, 1)
        clock.world = START + timedelta(hours=1)
        shard.poke()
        await until(lambda: store.asked == [1, 2])
        shard.deliver(a_chunk(2, entered(1, "a")))
        await until(lambda: shard._committer.overlapped_total == 1)
        for _ in range(9):
            store.go.release()
        await until(lambda: shard.positions().get("behavior-0") == 2)
    state = await state_of(store, 1)
    assert (state.woken, state.seen) == (1, ["a"])
