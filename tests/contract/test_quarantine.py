"""What a bot could not take is set aside, and taken once when it is replayed; memory and mongod alike."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.protocol.bot import Bot
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING
from agents.runtime.shard import Shard
from messaging.gateway import quarantine
from messaging.gateway.problems import ProblemError
from messaging.ports import Commit, Store
from messaging.vocabulary.errors import CommitUnknown, Unavailable
from messaging.vocabulary.messages import Arrived, Message, Purchased
from scripts.audit import Auditor, Report
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import (
    ANN,
    Failing,
    Fuse,
    an_eraser,
    asks,
    at_rest,
    known,
    left,
    replayed,
    taken,
    until,
    veil,
)
from tests.gateway_builders import ADMIN
from tests.house_builders import SHARDS, House, a_house

FailsAt = Callable[[Message], bool]
BOUGHT = {"order_id": "order-ann", "total": 20.0, "currency": "EUR"}


class Failable:
    """Be a bot that fails at some messages until it is mended."""

    def __init__(self, name: str, fails_at: FailsAt) -> None:
        self._bot: Bot = WIRING[name].make()
        self.fails_at: FailsAt | None = fails_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bot, name)

    def step(self, state: Any, message: Message, *more: Any) -> Any:
        """Take one message, unless it is one of those."""
        if self.fails_at is not None and self.fails_at(message):
            raise ValueError("cannot take what ann@erase.example did")
        return self._bot.step(state, message, *more)

    def mend(self) -> None:
        self.fails_at = None


def at_raw(part: bytes) -> FailsAt:
    return lambda message: isinstance(message, Arrived) and part in message.record.raw


def at_purchases(message: Message) -> bool:
    return isinstance(message, Purchased)


either = pytest.mark.parametrize(
    ("name", "fails_at"), [("sales", at_purchases), ("behavior", at_raw(b"Order Completed"))]
)
"""A message that its bot cannot take, and an event that Behavior cannot."""


@asynccontextmanager
async def with_failing(
    keeping: Keeping, name: str, fails_at: FailsAt
) -> AsyncIterator[tuple[House, Failable]]:
    bot = Failable(name, fails_at)
    async with a_house(keeping.store(), keeping.journal(), veil=veil, bots={name: bot}) as house:
        yield house, bot


async def ann_buys(house: House, **more: Any) -> None:
    await house.call("identify", "b-ann", userId="u-ann", traits={"email": ANN})
    properties = {name: value for name, value in BOUGHT.items() if name not in more}
    await house.call(
        "track",
        "b-ann",
        event="Order Completed",
        messageId="m-ann-2",
        timestamp="2026-01-02T03:04:05Z",
        properties=properties,
    )


async def settled(house: House) -> None:
    await until(lambda: taken(house))
    await until(lambda: at_rest(house))


async def set_aside(house: House, **match: Any) -> list[dict[str, Any]]:
    return await house.store.rows("quarantine", {"status": "open", **match})


async def one_aside(house: House) -> dict[str, Any]:
    async def is_there() -> bool:
        return bool(await set_aside(house))

    await until(is_there)
    await settled(house)
    [row] = await set_aside(house)
    return row


async def audited(house: House) -> Report:
    """Return what an audit of everything finds."""
    journal, view = house.shards["behavior-0"].spec.journal, house.shards["rules-0"].spec.view
    assert journal is not None

    async def view_at(*_: object) -> Any:
        return view

    return await Auditor(house.store, journal, SHARDS, view_at, veil).run(say=lambda _: None)


async def orders(house: House, status: int, id_: str, action: str = "replay") -> dict[str, Any]:
    path = f"/api/v1/quarantine/{id_}/{action}"
    async with house.session.post(path, headers=ADMIN) as answer:
        assert answer.status == status, await answer.text()
        found: dict[str, Any] = await answer.json(content_type=None)
        return found


async def test_an_event_that_made_behavior_fail_counts_once_as_what_it_is(keeping: Keeping):
    """Its time, its person and the id of its order, which has no other than the event's, are those of its first try."""
    async with with_failing(keeping, "behavior", at_raw(b"Order Completed")) as (house, bot):
        await ann_buys(house, order_id="")
        row = await one_aside(house)
        assert (row["bot"], row["kind"]) == ("behavior", "Arrived")
        before = await audited(house)
        assert before.clean
        assert (before.looked_at["events"], before.looked_at["messages set aside"]) == (1, 1)
        assert (await StoreReader(house.store).visitor(ANN))["orders"] == []  # type: ignore[index]
        bot.mend()
        done = await orders(house, 200, row["id"])
        assert (done["status"], done["by"], done["again"]) == ("replayed", "admin", "")
        await until(lambda: known(house, ANN, orders=1))
        await orders(house, 409, row["id"])
        await settled(house)
        found = await StoreReader(house.store).visitor(ANN)
        assert found is not None
        assert found["counters"] == {"identify": 1, "Order Completed": 1}
        assert [order["order_id"] for order in found["orders"]] == ["m-ann-2"]
        assert await replayed(house) == []
        after = await audited(house)
        assert after.clean
        assert (after.looked_at["events"], after.looked_at["messages set aside"]) == (2, 0)


async def test_a_first_event_gives_its_keys_only_when_it_is_replayed(keeping: Keeping):
    async with with_failing(keeping, "behavior", at_raw(b"u-ann")) as (house, bot):
        await house.call("identify", "b-ann", userId="u-ann", traits={"email": ANN})
        row = await one_aside(house)
        assert await StoreReader(house.store).find(ANN) is None
        bot.mend()
        await orders(house, 200, row["id"])
        found = await StoreReader(house.store).visitor("b-ann")
        assert found is not None
        assert (found["email"], found["counters"]) == (ANN, {"identify": 1})


async def test_a_message_that_made_sales_fail_goes_to_it_once_more(keeping: Keeping):
    async with with_failing(keeping, "sales", at_purchases) as (house, bot):
        await ann_buys(house)
        row = await one_aside(house)
        assert (row["bot"], row["kind"], row["stream"]) == ("sales", "Purchased", "behavior-0")
        lines = await StoreReader(house.store).timeline(ANN)
        assert lines is not None
        [line] = [line for line in lines if line["kind"] == "quarantine: Purchased"]
        assert (line["status"], line["why"]) == ("open", "the program failed at it")
        assert ANN not in str(line)
        bot.mend()
        told = await asyncio.gather(*(ordered(house, row["id"]) for _ in range(3)))
        assert sorted(told) == [200, 409, 409]
        await until(lambda: known(house, ANN, orders=1))
        await settled(house)
        found = await StoreReader(house.store).visitor(ANN)
        assert found is not None
        assert (found["revenue"], found["counters"]["Order Completed"]) == (20.0, 1)
        assert (await StoreReader(house.store).stats())["quarantined"] == 0
        assert await replayed(house) == []
        assert (await audited(house)).clean
        [kept] = await house.store.rows("quarantine", {})
        fields = {each: value for each, value in kept.items() if each != "id"}
        await house.store.put_document("quarantine", row["id"], fields | {"status": "dropped"})
        [finding] = (await audited(house)).findings
        assert finding.what == f"message {row['id']} is set aside, and was taken as well"
        await house.store.put_document("quarantine", "never", fields)
        said = {each.what for each in (await audited(house)).findings}
        assert "message never is said to be replayed, and nobody took it" in said


async def ordered(house: House, id_: str) -> int:
    async with house.session.post(f"/api/v1/quarantine/{id_}/replay", headers=ADMIN) as answer:
        return answer.status


@either
async def test_what_fails_again_is_open_again_and_is_taken_in_the_end(
    keeping: Keeping, name: str, fails_at: FailsAt
):
    async with with_failing(keeping, name, fails_at) as (house, bot):
        browser = {"order_id": f"order-{name}"}
        await house.call("track", name, event="Order Completed", properties=BOUGHT | browser)
        first = await one_aside(house)
        failed = await orders(house, 200, first["id"])
        again = await one_aside(house)
        assert (failed["status"], failed["again"]) == ("replayed", again["id"])
        assert again["id"] != first["id"]
        assert (again["kind"], again["visitor"]) == (first["kind"], first["visitor"])
        problem = await orders(house, 409, first["id"])
        assert again["id"] in problem["detail"]
        bot.mend()
        assert (await orders(house, 200, again["id"]))["again"] == ""
        await until(lambda: known(house, name, orders=1))
        assert await set_aside(house) == []
        assert await replayed(house) == []


@either
async def test_a_replay_that_is_cut_off_at_any_call_is_ordered_again_and_taken_once(
    keeping: Keeping, name: str, fails_at: FailsAt
):
    """Each call is carried out and its answer lost; whoever orders again does no harm, whatever was done before."""
    async with with_failing(keeping, name, fails_at) as (house, bot):
        for number in range(1, 30):
            who, bot.fails_at = f"{name}-{number}", fails_at
            bought = BOUGHT | {"order_id": f"order-{who}"}
            await house.call("track", who, event="Order Completed", properties=bought)
            row = await one_aside(house)
            bot.mend()
            is_whole = await cut_off(house, row["id"], at_call=number)
            await until(lambda w=who: known(house, w, orders=1))  # type: ignore[misc]
            await settled(house)
            found = await StoreReader(house.store).visitor(who)
            assert found is not None
            assert (len(found["orders"]), found["revenue"]) == (1, 20.0)
            assert found["counters"]["Order Completed"] == 1
            if is_whole:
                break
        assert number > 4
        assert await set_aside(house) == []
        assert await replayed(house) == []


async def cut_off(house: House, id_: str, *, at_call: int) -> bool:
    """Order a replay whose n-th call loses its answer, and then as often as it takes; say whether none was lost."""
    gateway, fuse = house.gateway, Fuse()
    fuse.left = at_call
    deps, collector = gateway.deps, gateway.collector
    store, journal = deps.store, deps.journal
    deps.store, deps.journal = Failing(store, fuse), Failing(journal, fuse)
    gateway.collector = Failing(collector, fuse)
    is_whole, conflicts = True, []
    try:
        for _ in range(5):
            try:
                await quarantine.replay(gateway, id_, by="kim")
            except Unavailable:
                is_whole = False
                continue
            except ProblemError as problem:
                conflicts.append(problem.status)
            break
    finally:
        deps.store, deps.journal, gateway.collector = store, journal, collector
    assert conflicts in ([], [409])
    return is_whole


class Forgetful(Failing):
    """Be a store of which every other commit gives no answer: it did not happen, or it did."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, Fuse())
        self._commits = 0

    async def commit(self, commit: Commit) -> None:
        """Commit, or not, and say so or not."""
        self._commits += 1
        if self._commits % 4 == 1:
            raise Unavailable("before")
        await self._port.commit(commit)
        if self._commits % 4 == 3:
            raise CommitUnknown("after")


@either
async def test_a_replay_is_taken_once_by_successors_of_shards_whose_commits_give_no_answer(
    keeping: Keeping, name: str, fails_at: FailsAt
):
    """Whoever owns a shard is put out at once when the replay is ordered, and again and again until it is taken."""
    async with with_failing(keeping, name, fails_at) as (house, bot):
        await ann_buys(house)
        row = await one_aside(house)
        bot.mend()
        ordering = asyncio.ensure_future(orders(house, 200, row["id"]))
        successors: list[asyncio.Task[None]] = []
        try:
            while await set_aside(house) or len(successors) < 6:
                for each in ("behavior-0", "sales-0"):
                    spec = dataclasses.replace(
                        house.shards[each].spec, store=Forgetful(keeping.store())
                    )
                    house.shards[each] = Shard(spec)
                    successors.append(asyncio.ensure_future(house.shards[each].run()))
                await asyncio.sleep(0.05)
            await ordering
            await until(lambda: known(house, ANN, orders=1))
            await settled(house)
            found = await StoreReader(house.store).visitor(ANN)
            assert found is not None
            assert (found["revenue"], found["counters"]["Order Completed"]) == (20.0, 1)
            assert await replayed(house) == []
            assert (await audited(house)).clean
        finally:
            for task in successors:
                task.cancel()
            await asyncio.gather(*successors, return_exceptions=True)


async def test_what_is_dropped_is_never_replayed_and_its_row_stays(keeping: Keeping):
    async with with_failing(keeping, "sales", at_purchases) as (house, bot):
        await ann_buys(house)
        row = await one_aside(house)
        bot.mend()
        dropped = await orders(house, 200, row["id"], "drop")
        assert (dropped["status"], dropped["by"]) == ("dropped", "admin")
        for action in ("drop", "replay"):
            problem = await orders(house, 409, row["id"], action)
            assert problem["detail"] == "this was dropped already"
        await settled(house)
        found = await StoreReader(house.store).visitor(ANN)
        assert found is not None
        assert found["orders"] == []


async def test_what_is_of_a_merged_visitor_goes_to_who_they_are_now(keeping: Keeping):
    async with with_failing(keeping, "sales", at_purchases) as (house, bot):
        await house.call("identify", "b-old", userId="u-ann", traits={"email": ANN})
        await settled(house)
        await house.call("track", "b-ann", event="Order Completed", properties=BOUGHT)
        row = await one_aside(house)
        await house.call("identify", "b-ann", userId="u-ann")
        await settled(house)
        older = await StoreReader(house.store).find(ANN)
        assert older not in (None, row["visitor"])
        bot.mend()
        assert (await orders(house, 200, row["id"]))["status"] == "replayed"
        await until(lambda: known(house, ANN, orders=1))
        await settled(house)
        assert await replayed(house) == []


@either
async def test_of_who_is_erased_nothing_is_replayed_and_nothing_stays(
    keeping: Keeping, name: str, fails_at: FailsAt
):
    """Neither of the row that is open, nor of those that were replayed and failed again."""
    async with with_failing(keeping, name, fails_at) as (house, bot):
        await ann_buys(house)
        first = await one_aside(house)
        await orders(house, 200, first["id"])
        again = await one_aside(house)
        visitor = await asks(house, ANN)
        assert await an_eraser(house, keeping, Fuse()).look() == 1
        assert await left(keeping, visitor) == {}
        bot.mend()
        await orders(house, 404, again["id"])
        row = {**again, "visitor": visitor}
        await house.store.put_document("quarantine", "kept", row)
        problem = await orders(house, 409, "kept")
        assert "erased" in problem["detail"]
        assert await replayed(house) == []
        await house.store.remove_document("quarantine", "kept")
