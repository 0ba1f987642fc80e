"""A split test's alarm is one alert, through restarts and its closing, and no visitor is made of it; on both stores."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import msgspec

from messaging.gateway import acts
from messaging.ports import Store
from messaging.vocabulary.messages import AlertAnswered, Message
from tests.alert_builders import Told, a_notifier
from tests.contract.conftest import Keeping
from tests.contract.test_quarantine import audited, one_aside, orders, settled, with_failing
from tests.gateway_builders import ADMIN, a_gateway
from tests.house_builders import House, a_house
from tests.unit.test_learner_experiments import TEST, a_decision, a_reward


async def until_open(house: House, wanted: dict[str, str]) -> None:
    """Wait until these alerts stand as they should: id -> status."""
    await until_taken(house)
    end = time.monotonic() + 10.0
    while (found := await statuses(house.store)) != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def until_taken(house: House) -> None:
    end = time.monotonic() + 10.0
    while any(shard.metrics()["pending"] for shard in house.shards.values()):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def statuses(store: Store) -> dict[str, str]:
    return {row["id"]: row["status"] for row in await store.rows("alerts", {})}


def tell(house: House, first: int, last: int) -> None:
    """Let these visitors' answers become known, two of three of them with variant a."""
    learner, now = house.shards["learner-0"], house.clock.now()
    decision = msgspec.structs.replace(a_decision().decision, at=now)
    learner.tell(msgspec.structs.replace(a_decision(), at=now, decision=decision))
    for number in range(first, last):
        arm = "a" if number % 3 else "b"
        learner.tell(a_reward(number, arm, at=now, decided_at=now - timedelta(days=10)))


async def close(house: House, alert: str, status: int) -> None:
    path = f"/api/v1/alerts/{alert}/close"
    async with house.session.post(path, headers=ADMIN, json={"by": "kim"}) as answer:
        assert answer.status == status, await answer.text()


async def listed(house: House) -> list[dict[str, Any]]:
    """Return the alerts that are open, once there is one: what was told may be under way to the store."""
    end, found = time.monotonic() + 10.0, []
    while not found and time.monotonic() < end:
        path = "/api/v1/alerts?status=open&path=to-customer"
        async with house.session.get(path, headers=ADMIN) as answer:
            found = (await answer.json())["alerts"]
        await asyncio.sleep(0.02)
    return found


async def nobody_but_policies(store: Store) -> bool:
    counts = [await store.visitors(bot, "", 10) for bot in ("behavior", "rules", "email", "sales")]
    return not any(counts) and not await store.figures("behavior")


async def test_it_comes_once_closes_once_and_survives_every_restart(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        tell(house, 1, 400)
        await until_taken(house)
        [row] = await listed(house)
        assert (row["visitor"], row["policy"], row["run"]) == ("", TEST.policy, "")
        assert {line["template"]: line["share"] for line in row["history"]} == {"a": 0.5, "b": 0.5}
    alert = row["id"]
    mail, hook = Told("email"), Told("webhook")
    await (await a_notifier(keeping.store(), mail, hook)).look()
    assert [notice.policy for notice in (*mail.notices, *hook.notices)] == [TEST.policy] * 2

    async with a_house(keeping.store(), keeping.journal(), build="other") as house:
        tell(house, 400, 500)
        await until_open(house, {alert: "open"})
        await close(house, alert, 200)
        await until_open(house, {alert: "closed"})
        await close(house, alert, 409)
        tell(house, 500, 600)
        await until_open(house, {alert: "closed"})
        report = await audited(house)
        assert report.clean, report.findings
        assert await nobody_but_policies(house.store)

    async with a_house(keeping.store(), keeping.journal()) as house:
        tell(house, 600, 700)
        await until_open(house, {alert: "closed"})
        [row] = await house.store.rows("alerts", {})
        assert (row["by"], row["history"][0]["seen"] < 400) == ("kim", True)
    again = Told("email")
    await (await a_notifier(keeping.store(), again, Told("webhook"))).look()
    assert again.notices == []


async def test_a_closing_that_no_bot_was_there_to_take_is_taken_at_the_next_start(
    keeping: Keeping,
) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        tell(house, 1, 400)
        await until_taken(house)
        [row] = await listed(house)
    async with a_gateway(store=keeping.store(), journal=keeping.journal()) as gateway:
        assert await acts.settle(gateway, row["id"], "close", by="kim") == "closed"
        assert await statuses(gateway.deps.store) == {row["id"]: "open"}
    async with a_house(keeping.store(), keeping.journal()) as house:
        await until_open(house, {row["id"]: "closed"})
        assert await nobody_but_policies(house.store)
        report = await audited(house)
        assert report.clean, report.findings


def at_closing(message: Message) -> bool:
    return isinstance(message, AlertAnswered)


async def test_a_closing_that_the_learner_failed_at_is_set_aside_and_taken_when_it_is_replayed(
    keeping: Keeping,
) -> None:
    async with with_failing(keeping, "learner", at_closing) as (house, bot):
        tell(house, 1, 400)
        await until_taken(house)
        [alert] = await listed(house)
        await close(house, alert["id"], 200)
        row = await one_aside(house)
        assert (row["bot"], row["kind"], row["visitor"]) == ("learner", "AlertAnswered", "")
        bot.mend()
        await orders(house, 200, row["id"])
        await until_open(house, {alert["id"]: "closed"})
        await settled(house)
        assert await nobody_but_policies(house.store)
        report = await audited(house)
        assert report.clean, report.findings
