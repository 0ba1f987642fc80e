"""Learning that does harm is taken back, told, and turned on again by a person, through restarts; on both stores."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from learning.serving.fallback import era_of, is_taken_back
from messaging.ports import Store
from messaging.vocabulary.effects import HARM
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.messages import DecisionFared
from messaging.vocabulary.records import Snapshot
from tests.alert_builders import Told, a_notifier
from tests.contract.conftest import Keeping
from tests.contract.test_learner_alerts import nobody_but_policies, until_open, until_taken
from tests.contract.test_quarantine import audited
from tests.gateway_builders import ADMIN
from tests.house_builders import House, a_house

POLICY = "next_best/lead-to-customer/invited"


def tell(house: House, pairs: int, era: int = 0) -> None:
    """Let so many held-out visitors have answered, and as many for whom learning decided not."""
    learner, now = house.shards["learner-0"], house.clock.now()
    for _ in range(pairs):
        for is_held_out in (True, False):
            came = ["response"] if is_held_out else []
            learner.tell(
                DecisionFared(policy_key(POLICY), now, POLICY, era, holdout=is_held_out, came=came)
            )


async def newest(store: Store) -> Snapshot | None:
    rows = await store.rows("snapshots", {"policy": POLICY}, limit=1)
    return msgspec.convert(rows[0], Snapshot) if rows else None


async def until_era(store: Store, era: int, *, taken_back: bool) -> None:
    end = time.monotonic() + 10.0
    while (now := await newest(store)) is None or (era_of(now), is_taken_back(now)) != (
        era,
        taken_back,
    ):
        assert time.monotonic() < end, now
        await asyncio.sleep(0.02)


async def ask(house: House, method: str, path: str, status: int, body: Any = None) -> Any:
    call = house.session.request(method, f"/api/v1/{path}", headers=ADMIN, json=body)
    async with call as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def resume(house: House, status: int, policy: str = POLICY) -> Any:
    return await ask(house, "POST", "learning/resume", status, {"policy": policy, "by": "kim"})


async def test_it_is_taken_back_told_closed_resumed_and_taken_back_anew(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        tell(house, 5)
        await until_taken(house)
        found = await resume(house, 404)
        assert "there is none yet" in found["detail"]
        house.skip(hours=2)
        await until_era(house.store, 0, taken_back=False)
        found = await resume(house, 409)
        assert "not taken back" in found["detail"]
        found = await resume(house, 404, "next_best/x")
        assert POLICY in found["detail"]
        tell(house, 40)
        await until_taken(house)
        await until_era(house.store, 0, taken_back=True)
        [row] = await house.store.rows("alerts", {})
        assert (row["kind"], row["status"], row["visitor"]) == (HARM, "open", "")
    first = row["id"]
    mail, hook = Told("email"), Told("webhook")
    await (await a_notifier(keeping.store(), mail, hook)).look()
    assert [notice.policy for notice in (*mail.notices, *hook.notices)] == [POLICY] * 2

    async with a_house(keeping.store(), keeping.journal(), build="other") as house:
        house.skip(hours=3)
        tell(house, 10)
        await until_open(house, {first: "open"})
        body = {"by": "kim", "stage": "invited"}
        assert "resume" in (await ask(house, "POST", f"alerts/{first}/change", 409, body))["detail"]
        await ask(house, "POST", f"alerts/{first}/close", 200, {"by": "kim"})
        await until_open(house, {first: "closed"})
        assert is_taken_back(await newest(house.store)), "closed is seen, not resumed"
        await ask(house, "POST", f"alerts/{first}/close", 409, {"by": "kim"})
        assert (await resume(house, 200))["status"] == "resumed"
        await until_era(house.store, 1, taken_back=False)
        await resume(house, 409)
        report = await audited(house)
        assert report.clean, report.findings
        assert await nobody_but_policies(house.store)

    async with a_house(keeping.store(), keeping.journal()) as house:
        house.skip(hours=4)
        tell(house, 40)
        await until_open(house, {first: "resumed"})
        tell(house, 45, era=1)
        await until_taken(house)
        await until_era(house.store, 1, taken_back=True)
        [second] = await house.store.rows("alerts", {"status": "open"})
        assert second["id"] != first
        await ask(house, "POST", f"alerts/{second['id']}/resume", 200, {"by": "kim"})
        await until_era(house.store, 2, taken_back=False)
        report = await audited(house)
        assert report.clean, report.findings
