"""A webhook's refund that names nobody waits for its order, and begins nobody; memory and mongod alike."""

from __future__ import annotations

from typing import Any

import msgspec

from agents.runtime.readers import StoreReader
from messaging.gateway.hooks.sale import ORDERED, REFUNDED, Sale
from messaging.gateway.hooks.take import take_sales
from messaging.gateway.hooks.waiting import WAITING
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import (
    ANN,
    Fuse,
    an_eraser,
    asks,
    known,
    taken,
    two_people,
    until,
    veil,
)
from tests.house_builders import House, a_house

ORDER = Sale(
    source="stripe",
    event=ORDERED,
    order_id="pi_1",
    amount=20.0,
    currency="EUR",
    address=ANN,
    payment_id="pi_1",
)
REFUND = msgspec.structs.replace(ORDER, event=REFUNDED, address="", refund_id="re_1", amount=5.0)


async def waiting(house: House) -> int:
    return len(await house.store.rows(WAITING, {}, limit=9))


async def visitors(house: House) -> int:
    await until(lambda: taken(house))
    return len(await house.store.visitors("behavior", "", 100))


async def left_of_order(house: House) -> Any:
    found = await StoreReader(house.store).visitor(ANN)
    return [each["left"] for each in found["orders"]] if found is not None else []


async def test_a_refund_of_an_order_that_was_told_otherwise_brings_nobody_back_who_was_erased(
    keeping: Keeping,
) -> None:
    """Ann's order is known by the shop's id alone: nothing says that the payment is hers. Nor is Ben's."""
    async with two_people(keeping) as house:
        await asks(house, ANN)
        await an_eraser(house, keeping, Fuse()).look()
        before = await visitors(house)
        assert await take_sales(house.gateway, [REFUND]) == "waiting"
        assert await house.gateway.refunds.look() == 0
        assert (await visitors(house), await waiting(house)) == (before, 1)
        house.skip(days=3)
        assert await take_sales(house.gateway, [REFUND]) == "waiting"  # told again, it is the same
        await house.gateway.refunds.look()
        assert await waiting(house) == 1
        house.skip(days=3)
        await house.gateway.refunds.look()
        assert (await visitors(house), await waiting(house)) == (before, 0)
        dump = await keeping.dump()
        assert not [name for name, some in dump.items() if any(b"pi_1" in each for each in some)]


async def test_a_refund_that_comes_before_its_order_is_taken_once_it_has_come(
    keeping: Keeping,
) -> None:
    async with a_house(keeping.store(), keeping.journal(), veil=veil) as house:
        assert await take_sales(house.gateway, [REFUND]) == "waiting"
        assert await visitors(house) == 0
        assert await take_sales(house.gateway, [ORDER]) == "taken"
        await until(lambda: known(house, ANN, orders=1))
        assert await house.gateway.refunds.look() == 1

        async def is_less() -> bool:
            return await left_of_order(house) == [15.0]

        await until(is_less)
        assert (await visitors(house), await waiting(house)) == (1, 0)
        assert await take_sales(house.gateway, [REFUND]) == "repeated"
        again = msgspec.structs.replace(REFUND, refund_id="re_2", amount=1.0)
        assert await take_sales(house.gateway, [again]) == "taken"


async def test_whoever_looks_does_so_by_itself(keeping: Keeping) -> None:
    """Nobody asks for it: the gateway finds the order that came, also after another gateway began to wait."""
    quick = {"refunds_look_seconds": 0.02}
    async with a_house(keeping.store(), keeping.journal(), veil=veil, **quick) as house:
        await take_sales(house.gateway, [REFUND, ORDER])

        async def is_less() -> bool:
            return await left_of_order(house) == [15.0]

        await until(is_less)
        assert await waiting(house) == 0


async def test_a_refund_that_names_an_address_waits_for_nothing(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal(), veil=veil) as house:
        named = msgspec.structs.replace(REFUND, address=ANN)
        assert await take_sales(house.gateway, [named]) == "taken"
        assert await waiting(house) == 0
