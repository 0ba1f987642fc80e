"""What the console asks of a real mongod with 100,000 people: every page reads by an index, and few documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.behavior_bot.state import ABSORBED_MAX, BehaviorState
from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from messaging.store.connection import Connection
from messaging.store.mongo import MongoStore
from messaging.vocabulary.ids import partition_of
from tests.console_builders import a_console, a_lived_world, fill, log_in
from tests.gateway_builders import NOON

MANY = 100_000
AT_ONCE = 10_000
DAYS_AGO = 400
DOCUMENTS_MAX = 300
"""What is listed is read by an index, a page at a time."""

PAGES = {
    "": "overview",
    "alerts": "alerts",
    "alerts?status=closed": "closed alerts",
    "visitors": "visitors",
    "visitors?cohort=customers": "a cohort",
    "visitors?path=lead-to-customer&stage=invited": "a stage",
    "changes": "changes",
    "rules": "rules",
    "routines/lead-to-customer": "routine",
    "templates": "templates",
    "try": "trials on the journal",
    "simulate": "simulations",
    "experiments": "experiments",
    "deliverability": "deliverability",
    "learning": "learning",
    "system": "system",
    "visitors/person-21": "one visitor",
}


async def _crowd(connection: Connection, decision: dict[str, Any], at: Any) -> None:
    """Put 100,000 further people, alerts, decisions, e-mails and changes in, as bare as they may be."""
    database = connection.database
    body = Codec(WIRING["behavior"].make()).encode(Held(BehaviorState(), {}, "", b""))
    for start in range(0, MANY, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        ids = [f"{n:024x}" for n in numbers]
        when = [at - timedelta(seconds=n) for n in numbers]
        rows = [{"visitor": v, "at": t} for v, t in zip(ids, when, strict=True)]
        states = [{"_id": v, "p": partition_of(v), "s": body} for v in ids]
        alert = {"path": "lead-to-customer", "run": "1", "kind": "x", "history": []}
        status = ["open", "closed", "resumed"]
        await database["states_behavior"].insert_many(states)
        await database["alerts"].insert_many(
            [
                {**row, **alert, "_id": f"c{n}", "status": status[n % 3], "by": "kim"}
                for n, row in zip(numbers, rows, strict=True)
            ]
        )
        refused = {"status": "refused", "template": "invite-hello", "reason": "template: x"}
        lately = timedelta(days=DAYS_AGO - 5)
        await database["sends"].insert_many(
            [
                {**row, **refused, "at": row["at"] + lately, "_id": f"r{n}"}
                for n, row in zip(numbers, rows, strict=True)
            ]
        )
        for table, fields in {
            "sends": {"status": "handed over", "template": "invite-hello"},
            "audit_log": {"by": "kim", "act": "alert.closed", "of": "", "said": ""},
            "decisions": decision,
            "story": {"kind": "x", "detail": {}},
        }.items():
            await database[table].insert_many(
                [{**fields, **row, "_id": f"c{n}"} for n, row in zip(numbers, rows, strict=True)]
            )


async def test_the_rows_of_a_visitor_and_who_was_merged_into_them_are_read_by_an_index(
    connection: Connection,
) -> None:
    """As many as a visitor can have taken in, with hundreds of rows each: a page is read, and nothing is sorted."""
    store, database = MongoStore(connection), connection.database
    await store.ensure_indexes()
    people = [f"{n:024x}" for n in range(ABSORBED_MAX + 1)]
    for table in ("alerts", "deliveries", "sends", "decisions", "audit_log", "recipients"):
        await database[table].insert_many(
            [
                {"_id": f"r{n}", "visitor": people[n % len(people)], "status": "x"}
                | {"path": "a", "at": NOON - timedelta(seconds=n)}
                for n in range(200 * len(people))
            ]
        )
        for more in ({}, {"path": "a"}):
            for after in (None, (NOON - timedelta(seconds=5_000), "r5000")):
                await database.command("profile", 2)
                match = {"visitor": tuple(people), **more}
                rows = await store.rows(table, match, limit=51, after=after)
                await database.command("profile", 0)
                first = 0 if after is None else 5_001
                assert [row["id"] for row in rows] == [f"r{n}" for n in range(first, first + 51)]
                [done] = await database["system.profile"].find({"op": "query"}).to_list(None)
                await database["system.profile"].drop()
                assert "IXSCAN" in done["planSummary"], done["planSummary"]
                assert done["docsExamined"] <= DOCUMENTS_MAX, (table, more, after)
                assert not done.get("hasSortStage"), (table, more, after)
    await store.close()


@pytest.mark.timeout(400)
async def test_no_page_reads_more_as_people_come(connection: Connection) -> None:
    """By what the server says that it did (its profiler), not by the clock."""
    store = MongoStore(connection)
    world = a_lived_world()
    await fill(store, world)
    decision = next(row for (table, _), row in world.kept.items() if table == "decisions")
    await _crowd(connection, decision, world.bots.now - timedelta(days=DAYS_AGO))
    database = connection.database
    async with a_console(store, world.bots.now) as (session, _):
        await log_in(session)
        for path, name in PAGES.items():
            await database.command("profile", 2)
            async with session.get(f"/console/{path}") as answer:
                assert answer.status == 200, name
            await database.command("profile", 0)
            operations = await database["system.profile"].find().to_list(None)
            await database["system.profile"].drop()
            asked = [each for each in operations if "planSummary" in each]
            assert asked, name
            for each in asked:
                what = (
                    name,
                    each["ns"],
                    each.get("command", {}).get("filter"),
                    each["planSummary"],
                )
                assert each.get("docsExamined", 0) <= DOCUMENTS_MAX, what
                assert not each.get("hasSortStage"), what
    await store.close()
