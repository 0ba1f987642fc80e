"""A broadcast comes to everybody in its cohort, once, through every fault; memory and mongod alike."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from agents.runtime.broadcaster import (
    AGAIN_SECONDS,
    BROADCASTS,
    CANCELLED,
    CANCELLING,
    DONE,
    Broadcaster,
)
from agents.runtime.filler import FILLINGS
from agents.runtime.passing import Ways
from agents.runtime.views import PUBLISHED
from config.load import compile_files
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import (
    Failing,
    Fuse,
    Hasty,
    at_rest,
    known,
    through_every_fault,
    until,
)
from tests.contract.test_mover import PEOPLE, leads_on_version_1
from tests.house_builders import SHARDS, House
from tests.runtime_builders import Silent

COHORT = "addressable-lead"


def a_broadcaster(house: House, keeping: Keeping, fuse: Fuse) -> Broadcaster:
    ways = Ways(
        store=Failing(house.store, fuse),  # type: ignore[arg-type]
        journal=Failing(keeping.journal(), fuse),  # type: ignore[arg-type]
        peers=house,
        clock=Hasty(house),  # type: ignore[arg-type]
        shards=SHARDS,
        log=Silent(),
    )
    return Broadcaster(ways, compile_files)


async def order(house: House, **changes: Any) -> None:
    """Order a broadcast, as the gateway does."""
    fields = {
        "at": house.clock.now(),
        "by": "kim",
        "template": "invite-hello",
        "cohort": COHORT,
        "path": "lead-to-customer",
        "version": 1,
        "priority": 0,
        "dry_run": False,
        "status": "ordered",
        "after": "",
        "told": {},
    }
    await house.store.put_document(BROADCASTS, "b1", fields | changes)


async def outcomes(house: House) -> Counter[tuple[str, str]]:
    """Return (status, reason) -> how many visitors' rows say so."""
    rows = await house.store.rows("recipients", {"broadcast": "b1"}, limit=1000)
    return Counter((row["status"], row["reason"]) for row in rows)


async def job(house: House) -> dict[str, Any]:
    """Return the broadcast as it stands."""
    found = await house.store.get_document(BROADCASTS, "b1")
    assert found is not None
    return found


async def a_customer(house: House) -> None:
    """Let somebody be known who is not in the cohort."""
    traits = {"email": "c@example.com", "email_consent": True}
    await house.call("identify", "bc", userId="uc", traits=traits)
    await house.call("track", "bc", userId="uc", event="Order Completed", properties={"total": 5})
    await until(lambda: known(house, "c@example.com"))
    await until(lambda: at_rest(house))


async def test_everybody_in_the_cohort_is_told_once(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        await a_customer(house)
        await order(house)
        broadcaster = a_broadcaster(house, keeping, Fuse())
        assert await broadcaster.look() == 1

        async def are_planned() -> bool:
            return await outcomes(house) == {("planned", ""): PEOPLE}

        await until(are_planned)
        assert ((await job(house))["status"], (await job(house))["told"]) == (
            DONE,
            {"would get it": PEOPLE},
        )
        assert await broadcaster.look() == 0, "it is done"


async def test_a_pass_that_fails_at_any_call_is_gone_on_with_and_tells_nobody_twice(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        await order(house)
        await through_every_fault(lambda fuse: a_broadcaster(house, keeping, fuse))
        await until(lambda: at_rest(house))
        assert await outcomes(house) == {("planned", ""): PEOPLE}
        assert (await job(house))["told"] == {"would get it": PEOPLE}
        story = await house.store.rows("story", {"kind": "broadcast.planned"}, limit=1000)
        assert len(story) == PEOPLE


async def test_who_may_not_be_written_to_is_refused_with_the_reason(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        # In the cohort by Behavior's word, and out of it before the e-mail is planned: consent comes first.
        await order(house, template="nothing-of-this-name")
        await a_broadcaster(house, keeping, Fuse()).look()
        await until(lambda: at_rest(house))
        assert await outcomes(house) == {("refused", "no_such_template"): PEOPLE}


async def test_a_dry_run_counts_and_tells_nobody(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        await order(house, dry_run=True)
        await a_broadcaster(house, keeping, Fuse()).look()
        assert (await job(house))["told"] == {"would get it": PEOPLE}
        assert await outcomes(house) == {}


async def test_who_is_suppressed_is_counted_as_such(keeping):
    """Another visitor may have left by that mailbox, or whoever had it before an erasure."""
    async with leads_on_version_1(keeping) as (house, _):
        broadcaster = a_broadcaster(house, keeping, Fuse())
        page = await broadcaster._page("")
        assert page is not None
        boxes = {state.mailbox for state in page[1].values() if COHORT in state.cohorts}
        assert len(boxes) == PEOPLE
        await house.store.suppress(min(boxes), "bounced", house.clock.now())
        await order(house, dry_run=True)
        await broadcaster.look()
        told = {"would get it": PEOPLE - 1, "suppressed": 1}
        assert (await job(house))["told"] == told


async def test_a_later_time_is_waited_for(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        await order(house, at=house.clock.now() + timedelta(days=2))
        assert await a_broadcaster(house, keeping, Fuse()).look() == 0
        house.skip(days=2, minutes=1)
        assert await a_broadcaster(house, keeping, Fuse()).look() == 1


async def test_what_is_called_off_is_not_sent_through_every_fault(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        house.skip(hours=(22 - house.clock.now().hour) % 24)  # quiet hours: nothing goes yet
        await until(lambda: at_rest(house))
        await order(house)
        await a_broadcaster(house, keeping, Fuse()).look()
        await until(lambda: at_rest(house))
        planned = (await outcomes(house))["planned", "quiet_hours"]
        assert planned > 0
        fields = {name: value for name, value in (await job(house)).items() if name != "id"}
        await house.store.put_document(BROADCASTS, "b1", fields | {"status": CANCELLING})
        await through_every_fault(lambda fuse: a_broadcaster(house, keeping, fuse))
        await until(lambda: at_rest(house))
        assert (await job(house))["status"] == CANCELLED
        assert (await outcomes(house))["cancelled", ""] == planned


async def until_called_off(house: House, broadcaster: Broadcaster) -> None:
    """Let a broadcaster look until what is called off is."""
    async with asyncio.timeout(30):
        while (await job(house))["status"] != CANCELLED:
            await broadcaster.look()
            await until(lambda: at_rest(house))
            await broadcaster._to.clock.sleep(AGAIN_SECONDS)


async def test_what_is_called_off_keeps_no_other_order_waiting(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        house.skip(hours=(22 - house.clock.now().hour) % 24)  # quiet hours: nothing goes yet
        await order(house)
        broadcaster = a_broadcaster(house, keeping, Fuse())
        await broadcaster.look()
        await until(lambda: at_rest(house))
        fields = {name: value for name, value in (await job(house)).items() if name != "id"}
        await house.store.put_document(BROADCASTS, "b1", fields | {"status": CANCELLING})
        count = fields | {"status": "ordered", "dry_run": True, "told": {}, "after": ""}
        await house.store.put_document(BROADCASTS, "b2", count)
        slept: list[float] = []
        sleep = broadcaster._to.clock.sleep

        async def counted_sleep(seconds: float) -> None:
            slept.append(seconds)
            await sleep(seconds)

        broadcaster._to.clock.sleep = counted_sleep  # type: ignore[method-assign]
        await broadcaster.look()
        assert AGAIN_SECONDS not in slept
        counted = await house.store.get_document(BROADCASTS, "b2")
        assert counted is not None
        assert counted["status"] == DONE
        await until_called_off(house, broadcaster)


async def test_what_is_due_waits_while_its_cohort_is_being_filled(keeping):
    async with leads_on_version_1(keeping) as (house, _):
        last = await house.store.get_document(*PUBLISHED) or {"number": 1, "version": 1}
        await house.store.put_document(*PUBLISHED, {"number": last["number"], "version": 1})
        number = str(last["number"])
        filling = {"version": 1, "status": "under way", "cohorts": [COHORT]}
        await house.store.put_document(FILLINGS, number, filling)
        await order(house)
        broadcaster = a_broadcaster(house, keeping, Fuse())
        assert await broadcaster.look() == 0
        assert (await job(house))["status"] == "ordered"
        await house.store.put_document(FILLINGS, number, filling | {"status": "done"})
        assert await broadcaster.look() == 1
        assert (await job(house))["told"] == {"would get it": PEOPLE}


async def test_who_is_being_sent_to_is_told_as_well_and_gets_it_now_or_never(keeping):
    """Nobody hands over in this house: what Email is asked for stays on its way."""
    async with leads_on_version_1(keeping) as (house, _):
        house.skip(hours=(36 - house.clock.now().hour) % 24)  # noon
        await until(lambda: at_rest(house))
        await order(house)
        broadcaster = a_broadcaster(house, keeping, Fuse())
        await broadcaster.look()

        async def is_asked_for() -> bool:
            """What is due is no work that waits: it is woken for."""
            page = await broadcaster._page("")
            runs = [state.runs.get("broadcast:b1") for state in page[1].values()] if page else []
            found = {run.status for run in runs if run is not None}
            assert found <= {"planned", "sending"}
            return "sending" in found

        await until(is_asked_for)
        await until(lambda: at_rest(house))
        fields = {name: value for name, value in (await job(house)).items() if name != "id"}
        await house.store.put_document(BROADCASTS, "b1", fields | {"status": CANCELLING})
        await until_called_off(house, broadcaster)
        page = await broadcaster._page("")
        assert page is not None
        runs = [state.runs["broadcast:b1"] for state in page[1].values()]
        assert len(runs) == PEOPLE
        assert all(run.called_off or run.status == "closed" for run in runs)
