"""A person is erased from memory and from a real mongod alike, while every bot runs; others notice nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from agents.runtime.eraser import DONE, ERASURES, Eraser, Reach, asked
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING
from agents.runtime.replay import Replayer
from agents.runtime.sweeper import Sweeper, person_of
from agents.runtime.their_orders import WAITING
from messaging.gateway.hooks.sale import CANCELLED, ORDERED, REFUNDED, Sale
from messaging.gateway.hooks.take import take_sales
from messaging.mail.tokens import key_hash
from messaging.ports import Chunk
from messaging.store.tables import COLLECTION_HOLDS, ROW_HOLDS, ROW_INDEXES
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.events import Record, VisitorErased
from messaging.vocabulary.ids import email_key, partition_of, position, visitor_id_for
from scripts.personal import Sources, exported
from tests.contract.conftest import Keeping
from tests.gateway_builders import KEY
from tests.house_builders import SHARDS, House, a_house
from tests.runtime_builders import Silent

ANN = "ann@erase.example"
TRACES = (b"ann@erase.example", b"u-ann", b"b-ann", b"m-ann", b"Annabel", b"order-ann")
RECEIPT = "0123456789abcdef"


def veil(key: str) -> str:
    return key_hash(b"a secret of the tests", key)


class Hasty:
    """Be a house's clock that nobody waits for long."""

    def __init__(self, house: House) -> None:
        self.now = house.clock.now
        self.machine = house.clock.machine

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


class Failing:
    """Be a port whose n-th call (counted over all ports of a `Fuse`) is carried out and not answered."""

    def __init__(self, port: Any, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*arguments: Any, **more: Any) -> Any:
            answer = await method(*arguments, **more)
            self._fuse.burn(name)
            return answer

        return call


class Fuse:
    """Fail at the n-th call, or the next that is not repeated by itself: an append would not cut anything off."""

    def __init__(self) -> None:
        self.left = 0

    def burn(self, name: str) -> None:
        self.left -= 1
        if self.left == 0 and name == "append":
            self.left = 1
            return
        if self.left == 0:
            raise Unavailable("the store does not answer")


async def through_every_fault(make: Callable[[Fuse], Any], step: int = 1) -> None:
    """Let somebody made anew look, and fail at the first call, then at the next, until there is nothing left to do."""
    for call in range(1, 200, step):
        fuse = Fuse()
        fuse.left = call
        try:
            if not await make(fuse).look():
                return
        except Unavailable:
            continue


def an_eraser(house: House, keeping: Keeping, fuse: Fuse) -> Eraser:
    """Return who erases, with ports that fail once at the call that the fuse says."""
    store, sweep = Failing(house.store, fuse), Failing(keeping.sweep(), fuse)
    journal = Failing(keeping.journal(), fuse)
    reach = Reach(
        store=store,  # type: ignore[arg-type]
        sweep=sweep,  # type: ignore[arg-type]
        journal=journal,  # type: ignore[arg-type]
        peers=house,
        clock=Hasty(house),  # type: ignore[arg-type]
        shards=SHARDS,
        veil=veil,
        log=Silent(),
    )
    sweeper = Sweeper(store, sweep, journal, SHARDS, veil=veil, mailbox=lambda a: f"box of {a}")  # type: ignore[arg-type]
    return Eraser(reach, sweeper)


@asynccontextmanager
async def two_people(keeping: Keeping) -> AsyncIterator[House]:
    """Let Ann and Ben browse, say who they are, and buy."""
    async with a_house(keeping.store(), keeping.journal(), veil=veil) as house:
        for name in ("ann", "ben"):
            browser = f"b-{name}"
            await house.views("/pricing", "/specs", browser=browser)
            traits = {"email": f"{name}@erase.example", "firstName": f"{name.title()}abel"}
            said = {"userId": f"u-{name}", "messageId": f"m-{name}-1", "traits": traits}
            consent = {"consent": {"categoryPreferences": {"email": True}}}
            await house.call("identify", browser, **said, context=consent)
            bought = {"order_id": f"order-{name}", "total": 20.0, "currency": "EUR"}
            await house.call("track", browser, event="Order Completed", properties=bought)
        await until(lambda: known(house, ANN, orders=1))
        await until(lambda: known(house, "ben@erase.example", orders=1))
        await until(lambda: at_rest(house))
        yield house


async def at_rest(house: House) -> bool:
    """Say whether no shard has anything to take, or anything under way."""
    metrics = [shard.metrics() for shard in house.shards.values()]
    return not any(each["pending"] or each["undelivered_chunks"] for each in metrics)


async def known(house: House, id_: str, *, orders: int = 0) -> bool:
    found = await StoreReader(house.store).visitor(id_)
    return found is not None and len(found["orders"]) >= orders


async def until(true: Any, seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


async def asks(house: House, id_: str, receipt: str = RECEIPT) -> str:
    """Ask for an erasure as the command does; return whose it is."""
    visitor = await StoreReader(house.store).find(id_)
    assert visitor is not None
    await house.store.put_document(ERASURES, receipt, asked([visitor], house.clock.now()))
    return visitor


async def left(keeping: Keeping, *more: str) -> dict[str, int]:
    """Return collection -> how many of its documents hold a trace of Ann."""
    traces = (*TRACES, *(each.encode() for each in more))
    dump = await keeping.dump()
    counts = {
        name: sum(any(trace in each for trace in traces) for each in some)
        for name, some in dump.items()
    }
    return {name: count for name, count in counts.items() if count}


async def replayed(house: House) -> list[str]:
    """Return the bots whose recorded batches do not end in the stored states."""
    view = house.shards["behavior-0"].spec.view

    async def view_at(*_: object) -> Any:
        return view

    unequal = []
    for bot in SHARDS:
        replayer = Replayer(
            WIRING[bot].make(),
            (0, 1),
            house.store,
            house.shards["behavior-0"].spec.journal,
            view_at,
        )  # type: ignore[arg-type]
        await replayer.advance()
        folded = replayer.bodies()
        stored = await house.store.load(bot, await house.store.visitors(bot, "", 1000))
        if {who: folded.get(who) for who in stored} != stored:
            unequal.append(bot)
    return unequal


async def test_who_is_erased_twice_keeps_nobody_waiting(keeping: Keeping):
    """A second erasure finds no state to set a tombstone in; behind it others wait."""
    async with two_people(keeping) as house:
        visitor = await asks(house, ANN)
        await house.store.put_document(ERASURES, "again", asked([visitor], house.clock.now()))
        async with asyncio.timeout(120):
            assert await an_eraser(house, keeping, Fuse()).look() == 2
        for receipt in (RECEIPT, "again"):
            found = await house.store.get_document(ERASURES, receipt)
            assert found is not None
            assert found["status"] == DONE
        assert await left(keeping, visitor) == {}


async def test_nothing_is_left_of_who_was_erased_and_others_notice_nothing(keeping: Keeping):
    """Every collection is scanned for the bytes of ids, address, name, order and message ids."""
    async with two_people(keeping) as house:
        before = await StoreReader(house.store).visitor("ben@erase.example")
        visitor = await asks(house, ANN)
        waiting = {"status": "waiting", "path": "welcome", "data": {"traits": {"email": ANN}}}
        call = {"visitor": visitor, "at": house.clock.now(), **waiting}
        await house.store.put_document("webhooks", "call-1", call)
        assert await left(keeping, visitor)
        assert await an_eraser(house, keeping, Fuse()).look() == 1
        assert await left(keeping, visitor) == {}
        assert await StoreReader(house.store).visitor("ben@erase.example") == before
        assert await replayed(house) == []
        receipt = await house.store.get_document(ERASURES, RECEIPT)
        assert receipt is not None
        assert receipt["status"] == DONE
        assert receipt["removed"]["events"] == 4
        assert receipt["removed"]["states"] >= 4
        assert (await StoreReader(house.store).stats())["sales"]["revenue"] == 40.0


async def test_late_messages_do_not_bring_them_back_and_new_ones_begin_anew(keeping: Keeping):
    """Late: older than the erasure, a repeat, or a fact about the old visitor. All are erased as they come."""
    async with two_people(keeping) as house:
        visitor = await asks(house, ANN)
        await an_eraser(house, keeping, Fuse()).look()
        old = (house.clock.now() - timedelta(hours=1)).isoformat()
        late = {"userId": "u-ann", "anonymousId": "b-ann", "timestamp": old, "event": "Late"}
        again = {"type": "identify", "userId": "u-ann", "messageId": "m-ann-1"}
        batch = [{"type": "track", **late}, {**again, "traits": {"email": ANN}}]
        body = {"batch": batch, "writeKey": KEY}
        async with house.session.post("/v1/import", json=body) as answer:
            assert answer.status == 200
        await until(lambda: taken(house))
        await until(lambda: at_rest(house))
        assert not await known(house, ANN)
        assert await left(keeping, visitor) == {}
        await house.views("/pricing", browser="b-ann")
        await house.call("identify", "b-ann", userId="u-ann", traits={"email": ANN})
        await until(lambda: known(house, ANN))
        found = await StoreReader(house.store).visitor(ANN)
        assert found is not None
        assert found["visitor_id"] not in (visitor, visitor_id_for(email_key(ANN)))
        assert found["counters"] == {"page": 1, "identify": 1}
        assert found["orders"] == []
        assert await replayed(house) == []


async def taken(house: House) -> bool:
    """Say whether Behavior has taken all that is journaled."""
    journal = house.shards["behavior-0"].spec.journal
    assert journal is not None
    positions = house.shards["behavior-0"].positions()
    tails = await journal.tails()
    return all(positions.get(f"journal:{stream}", 0) >= last for stream, last in tails.items())


def sources_of(house: House) -> Sources:
    """Return what an export reads."""
    journal = house.shards["behavior-0"].spec.journal
    return Sources(house.store, journal, SHARDS, lambda address: f"box of {address}", veil)


async def shop_tells(house: House, *sales: Sale) -> None:
    """Let the gateway take what a shop's webhooks come to, as it does once their signature is checked."""
    await take_sales(house.gateway, list(sales))


def a_taking_back(house: House, event: str, order_id: str, **more: Any) -> Sale:
    """Return a cancellation or refund by a webhook, of this moment."""
    told = {"source": "shopify", "currency": "EUR", "amount": None, "at": house.clock.now()}
    return Sale(event=event, order_id=order_id, **(told | more))


async def test_what_is_taken_back_after_an_erasure_brings_nobody_back(keeping: Keeping):
    """Its own date is new, but it is about an order from before: by its id, its date, or the keys it comes under."""
    async with two_people(keeping) as house:
        paid = a_taking_back(house, ORDERED, "hook-order-ann", amount=9.0, address=ANN)
        paid_by = msgspec.structs.replace(paid, source="stripe", payment_id="pi-order-ann")
        await shop_tells(house, paid_by)
        await until(lambda: known(house, ANN, orders=2))
        visitor = await asks(house, ANN)
        erased_at = house.clock.now()
        house.skip(hours=1)
        await an_eraser(house, keeping, Fuse()).look()
        house.skip(hours=1)
        back = partial(a_taking_back, house)
        never_told = back(CANCELLED, "order-ann-unknown", address=ANN)
        dated = back(CANCELLED, "order-ann-dated", address=ANN, ordered_at=erased_at)
        cancelled = back(CANCELLED, "hook-order-ann", address=ANN)
        by_payment = back(REFUNDED, "pi-order-ann", source="stripe", amount=1.0, refund_id="r-1")
        late = (never_told, dated, cancelled, by_payment)
        await shop_tells(house, *late)
        for order in ("order-ann", "order-ann-unknown"):
            of = {"order_id": order, "total": 2.0}
            await house.call(
                "track", "b-ann", event="Order Refunded", userId="u-ann", properties=of
            )
        of = {"order_id": "order-ben", "total": 5.0, "refund_id": "r-ben"}
        await house.call("track", "b-ben", event="Order Refunded", properties=of)
        await until(lambda: taken(house))
        await until(lambda: at_rest(house))
        assert not await known(house, ANN)
        assert len(await house.store.visitors("behavior", "", 1000)) == 1
        assert await left(keeping, visitor) == {}
        assert (await StoreReader(house.store).visitor("u-ben"))["orders"][0]["left"] == 15.0
        assert await replayed(house) == []


async def test_a_refund_that_waits_for_an_order_of_theirs_goes_too(keeping: Keeping):
    """The shop told of the order, the payment's refund names it: no key says whose it is, the order's id does."""
    async with two_people(keeping) as house:
        refunds = [
            a_taking_back(
                house, REFUNDED, f"order-{name}", source="stripe", amount=1.0, refund_id=name
            )
            for name in ("ann", "ben")
        ]
        await shop_tells(house, *refunds)
        assert len(await house.store.rows(WAITING, {}, limit=10)) == 2
        found = await exported(sources_of(house), ANN, at=house.clock.now(), say=lambda _: None)
        assert [
            json.loads(each["record"]["raw"])["properties"]["order_id"] for each in found[WAITING]
        ] == ["order-ann"]
        visitor = await asks(house, ANN)
        person = await person_of(keeping.sweep(), [visitor])
        sweeper = an_eraser(house, keeping, Fuse())._sweeper
        assert (await sweeper.walk(person, remove=False))[WAITING] == 1, "a dry run counts it"
        await an_eraser(house, keeping, Fuse()).look()
        assert await left(keeping, visitor) == {}
        receipt = await house.store.get_document(ERASURES, RECEIPT)
        assert receipt is not None
        assert receipt["removed"][WAITING] == 1
        (ben,) = await house.store.rows(WAITING, {}, limit=10)
        assert b"order-ben" in ben["record"]
        await shop_tells(house, refunds[0])
        await until(lambda: taken(house))
        assert len(await house.store.rows(WAITING, {}, limit=10)) == 1
        assert await left(keeping, visitor) == {}


async def test_who_comes_back_is_told_nothing_of_orders_from_before(keeping: Keeping):
    """Whoever was erased and begins anew owns the same address: only what was ordered since is theirs."""
    async with two_people(keeping) as house:
        ordered_at = house.clock.now()
        visitor = await asks(house, ANN)
        await an_eraser(house, keeping, Fuse()).look()
        house.skip(hours=1)
        await house.call("identify", "b-new", userId="u-ann", traits={"email": ANN})
        new = {"order_id": "second", "total": 8.0}
        await house.call("track", "b-new", event="Order Completed", properties=new)
        await until(lambda: known(house, ANN, orders=1))
        dated = a_taking_back(house, CANCELLED, "order-ann-dated", address=ANN)
        await shop_tells(house, msgspec.structs.replace(dated, ordered_at=ordered_at))
        for order in ("order-ann", "second"):
            of = {"order_id": order, "total": 2.0}
            await house.call(
                "track", "b-new", event="Order Refunded", userId="u-ann", properties=of
            )
        await until(lambda: taken(house))
        await until(lambda: at_rest(house))
        found = await StoreReader(house.store).visitor(ANN)
        assert found["counters"] == {"identify": 1, "Order Completed": 1, "Order Refunded": 1}
        assert [(each["order_id"], each["left"]) for each in found["orders"]] == [("second", 6.0)]
        traces = (b"order-ann", visitor.encode())
        dump = await keeping.dump()
        assert [
            n for n, some in dump.items() if any(t in each for each in some for t in traces)
        ] == []


async def test_an_erasure_that_is_cut_off_at_any_call_is_completed_by_the_next(keeping: Keeping):
    """Each try gets a little further before it is cut off; the last finds the rest, and the receipt is whole."""
    async with two_people(keeping) as house:
        visitor = await asks(house, ANN)
        fuse, at, tries = Fuse(), 1.0, 0
        while True:
            fuse.left = int(at)
            try:
                await an_eraser(house, keeping, fuse).look()
                break
            except Unavailable:
                tries += 1
                at = at * 1.25 + 1
        assert tries > 5
        assert await left(keeping, visitor) == {}
        receipt = await house.store.get_document(ERASURES, RECEIPT)
        assert receipt is not None
        assert receipt["removed"]["events"] == 4
        assert await replayed(house) == []


async def test_what_a_killed_eraser_had_journaled_is_taken_before_anything_is_removed(
    keeping: Keeping,
):
    """Nobody was told of it: taken afterwards, it would set tombstones anew, and be told to every bot."""
    async with two_people(keeping) as house:
        visitor, journal, now = await asks(house, ANN), keeping.journal(), house.clock.now()
        stream = await journal.open_stream("eraser")
        place, raw = position(stream, 1), msgspec.json.encode(VisitorErased(visitor=visitor))
        await journal.append([Record(place, "", partition_of(visitor), now, now, "", raw)])
        assert await an_eraser(house, keeping, Fuse()).look() == 1

        async def taken() -> bool:
            await house.deliver("behavior-0", Chunk(f"journal:{stream}", place, place, now, b""))
            owner = await house.store.owner("behavior-0")
            return owner is not None and owner.positions.get(f"journal:{stream}", 0) >= place

        await until(taken)
        await until(lambda: at_rest(house))
        assert await left(keeping, visitor) == {}
        assert await replayed(house) == []


async def test_every_collection_says_what_of_a_visitor_is_in_it(keeping: Keeping):
    """A new collection must be declared, or an erasure would walk past it."""
    assert set(ROW_HOLDS) == set(ROW_INDEXES)
    async with two_people(keeping) as house:
        await asks(house, ANN)
        dump = await keeping.dump()
        parts = {"tables", "suppressed", "touched", "streams", "message_ids", "documents", "kept"}
        assert set(dump) - parts <= set(COLLECTION_HOLDS)
