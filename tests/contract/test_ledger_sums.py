"""Sums of the send ledger and the list of suppressed mailboxes: the same from memory and from a real mongod."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from messaging.store.connection import Connection
from messaging.store.mongo import MongoStore
from messaging.store.mongo_layout import REFUSALS_INDEX
from messaging.store.mongo_refusals import refusal_stages
from scripts.sent import EVERY_DAY
from scripts.sent import FIELDS as SENT_FIELDS
from tests.contract.conftest import Keeping

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FIELDS = ("day", "domain", "status", "left")


async def test_rows_are_summed_up_by_several_fields_from_a_day_on(keeping: Keeping) -> None:
    store = keeping.store()
    rows = [
        ("2026-11-24", "a.example", "handed over", False),
        ("2026-11-25", "a.example", "handed over", False),
        ("2026-11-25", "a.example", "handed over", False),
        ("2026-11-25", "a.example", "handed over", True),
        ("2026-11-26", "", "bounced", False),
    ]
    for number, row in enumerate(rows):
        fields = dict(zip(FIELDS, row, strict=True))
        await store.put_document("sends", f"s{number}", {**fields, "at": NOON})
    await store.put_document("sends", "waits", {"status": "waiting", "at": NOON})
    assert await store.tallies("sends", FIELDS, "2026-11-25") == {
        rows[1]: 2,
        rows[3]: 1,
        rows[4]: 1,
    }
    assert await store.tallies("sends", FIELDS, "2026-11-27") == {}


def a_refusal(template: str, reason: str, visitor: str, minutes: int) -> dict[str, object]:
    at = NOON + timedelta(minutes=minutes)
    row = {"status": "refused", "template": template, "reason": reason}
    return {**row, "visitor": visitor, "at": at}


async def test_refusals_are_counted_by_template_and_reason_with_the_newest_visitor(
    keeping: Keeping,
) -> None:
    store = keeping.store()
    rows = [
        a_refusal("hello", "template: 'x' is undefined", "ann", 1),
        a_refusal("hello", "template: 'x' is undefined", "bob", 3),
        a_refusal("hello", "template: 'x' is undefined", "cid", 2),
        a_refusal("hello", "no consent", "ann", 0),
        a_refusal("help", "no consent", "dan", 4),
        a_refusal("help", "no consent", "eve", -1),  # before the period
        {**a_refusal("help", "", "fay", 5), "status": "handed over"},
    ]
    for number, row in enumerate(rows):
        await store.put_document("sends", f"s{number}", row)
    found = await store.refusals(NOON)
    assert sorted(found) == [
        ("hello", "no consent", 1, NOON, "ann"),
        ("hello", "template: 'x' is undefined", 3, NOON + timedelta(minutes=3), "bob"),
        ("help", "no consent", 1, NOON + timedelta(minutes=4), "dan"),
    ]
    assert await store.refusals(NOON + timedelta(hours=1)) == []


async def test_suppressed_mailboxes_are_listed_newest_first_page_by_page(keeping: Keeping) -> None:
    store = keeping.store()
    for number in range(7):
        reason = "unsubscribed" if number % 2 else "complained"
        at = NOON + timedelta(seconds=number // 2)  # two of a moment
        await store.suppress(f"box-{number}", reason, at)
    found, after = [], None
    while page := await store.suppressions(3, after):
        found += page
        after = page[-1]["at"], page[-1]["id"]
    assert [each["id"] for each in found] == [f"box-{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert found[0] == {"id": "box-6", "at": NOON + timedelta(seconds=3), "reason": "complained"}
    assert await store.suppression_reasons() == {"unsubscribed": 3, "complained": 4}


async def test_the_sums_read_keys_alone_and_the_list_sorts_nothing(connection: Connection) -> None:
    """By what the server says it will do: as rows become many, that is what it costs."""
    await MongoStore(connection).ensure_indexes()
    database = connection.database
    sent = {"day": "2026-11-25", "domain": "a", "status": "x", "left": False, "at": NOON}
    await database["sends"].insert_many([sent, {"at": NOON}])
    await database["mailboxes"].insert_one({"_id": "b", "suppressed": True, "at": NOON})
    for fields, least in ((FIELDS, "2026-11-01"), (SENT_FIELDS, EVERY_DAY)):
        group = {"$group": {"_id": {name: f"${name}" for name in fields}, "n": {"$sum": 1}}}
        stages = [{"$match": {"day": {"$gte": least}}}, group]
        command = {"aggregate": "sends", "pipeline": stages, "cursor": {}}
        plan = str(await database.command("explain", command))
        assert "IXSCAN" in plan
        assert "'stage': 'FETCH'" not in plan
    refused = a_refusal("hello", "no consent", "ann", 0)
    await database["sends"].insert_many([refused] + [{**refused, "_id": n} for n in range(9)])
    command = {"aggregate": "sends", "pipeline": refusal_stages(NOON), "cursor": {}}
    plan = str(await database.command("explain", command | {"hint": REFUSALS_INDEX}))
    assert "IXSCAN" in plan
    assert "'stage': 'FETCH'" not in plan
    find = {"find": "mailboxes", "filter": {"suppressed": True}, "sort": {"at": -1, "_id": -1}}
    plan = str(await database.command("explain", find))
    assert "IXSCAN" in plan
    assert "'stage': 'SORT'" not in plan
