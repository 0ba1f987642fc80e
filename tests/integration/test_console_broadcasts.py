"""A broadcast from the console: counted, confirmed, watched, called off; nothing goes out that was not counted."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import unescape

import pytest

from agents.runtime.broadcaster import Broadcaster
from agents.runtime.passing import Ways
from config.load import DEFAULTS, compile_files, read_folder
from messaging.gateway.broadcasts import CANCELLING, OPEN, STATUSES
from messaging.gateway.console.broadcasts import BECAME, STANDS, counts_of
from messaging.journal.memory import MemoryJournal
from messaging.ports import Store
from messaging.store.memory import MemoryDatabase
from scripts.rules import publish, push_files
from scripts.wording import moment
from tests.console_builders import a_console, form_key, lived_in, log_in
from tests.gateway_builders import ADMIN, FakePeers, StillClock
from tests.runtime_builders import Silent

COHORT = "addressable-lead"
ORDER = {"template": "invite-hello", "cohort": COHORT, "path": "lead-to-customer"}
BASE = "/console/broadcasts"


async def _post(session, where: str, status: int = 303, **fields: str) -> str:
    """Send a form; return where it leads, or the page."""
    form = {"form_key": await form_key(session), **fields}
    async with session.post(where, data=form, allow_redirects=False) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return answer.headers.get("Location", said).partition("?said")[0]


async def _get(session, path: str, status: int = 200) -> str:
    async with session.get(path) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return unescape(said)


async def _passed(store: Store, now: datetime) -> int:
    """Let the one who passes over the visitors look once; nobody is told, for nothing but counts is due."""
    clock = StillClock(now)
    ways = Ways(store, MemoryJournal(MemoryDatabase()), FakePeers(), clock, {}, Silent())  # type: ignore[arg-type]
    return await Broadcaster(ways, compile_files).look()


async def _counted(session, store: Store, now: datetime) -> str:
    where = await _post(session, BASE, **ORDER)
    assert "Counting" in await _get(session, where)
    assert await _passed(store, now) == 1
    return where


async def test_what_is_counted_says_whom_it_reaches_and_why_not_and_is_sent_once() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        html = await _get(session, f"{BASE}?cohort={COHORT}")
        assert f'<option value="{COHORT}" selected>' in html
        where = await _counted(session, store, now)
        html = await _get(session, where)
        [counted] = await store.rows("broadcasts", {})
        told = counted["told"]
        assert told["would get it"] > 0
        assert f"Send it to {told['would get it']} people" in html
        assert sum(told.values()) == int((await store.figures("behavior"))[f"cohorts/{COHORT}"])
        assert await store.rows("audit_log", {"act": "broadcast.ordered"}) == []
        at = (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        order = {"at": at, "priority": "7"}
        sent = {await _post(session, f"{where}/send", **order) for _ in range(2)}
        [found] = await store.rows("broadcasts", {"dry_run": False})
        assert sent == {f"{BASE}/{found['id']}"}
        assert (found["by"], found["priority"], found["status"]) == ("kim", 7, "ordered")
        assert found["at"].strftime("%Y-%m-%dT%H:%M") == at
        [row] = await store.rows("audit_log", {"act": "broadcast.ordered"})
        assert row["by"] == "kim"
        assert f"{BASE}/{found['id']}" in await _get(session, where)
        assert "Call it off" in await _get(session, sent.pop())
        async with session.get("/api/v1/broadcasts", headers=ADMIN) as answer:
            assert len((await answer.json())["broadcasts"]) == 2


async def test_who_may_not_be_written_to_is_counted_with_the_reason() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _post(session, BASE, **ORDER)
        id_ = where.rpartition("/")[2]
        row = {**(await store.get_document("broadcasts", id_) or {}), "status": "done"}
        for told, says in (
            ({"consent": 3, "would get it": 1}, "Not: the visitor has not agreed to it"),
            ({"mailbox_of_another_visitor": 3}, "there is nothing to send"),
        ):
            await store.put_document("broadcasts", id_, {**row, "told": told})
            assert says in await _get(session, where)


async def test_it_is_watched_listed_by_reason_and_called_off() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _counted(session, store, now)
        where = await _post(session, f"{where}/send", priority="0")
        id_ = where.rpartition("/")[2]
        visitors = await store.visitors("behavior", "", 60)
        for number, visitor in enumerate(visitors):
            status, reason = ("refused", "weekly_cap") if number else ("planned", "")
            row = {"broadcast": id_, "visitor": visitor, "status": status, "reason": reason}
            row["at"] = now - timedelta(minutes=number)
            await store.put_document("recipients", f"{id_}:{visitor}", row)
        found = await store.get_document("broadcasts", id_)
        assert found is not None
        fields = {name: value for name, value in found.items() if name != "id"}
        await store.put_document("broadcasts", id_, fields | {"status": "done"})
        html = await _get(session, where)
        assert "everybody was asked</span> 1 waits" in html
        assert "Planned (1)" in html
        assert f"Not sent ({len(visitors) - 1})" in html
        first = await _get(session, f"{where}?status=refused")
        assert "Not sent: weekly cap" in first
        after = first.partition('" rel="next"')[0].rpartition("after=")[2]
        second = await _get(session, f"{where}?status=refused&after={after}")
        assert first.count("Not sent: w") + second.count("Not sent: w") == len(visitors) - 1
        assert await _post(session, f"{where}/cancel") == where
        assert "is being called off" in await _get(session, where)
        await _post(session, f"{where}/cancel", 409)
        log = await store.rows("audit_log", {"by": "kim", "act": "broadcast.cancelled"})
        assert [row["of"] for row in log] == [id_]


async def test_what_waits_says_until_when_and_why_and_nothing_once_that_is_past() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _post(session, f"{await _counted(session, store, now)}/send", priority="0")
        id_ = where.rpartition("/")[2]
        visitors = await store.visitors("behavior", "", 5)
        untils = (now + timedelta(hours=9), now - timedelta(minutes=1), None)
        for visitor, until in zip(visitors, untils, strict=False):
            row = {"broadcast": id_, "visitor": visitor, "status": "planned", "at": now}
            row |= {"reason": "quiet_hours" if until else "", "until": until}
            await store.put_document("recipients", f"{id_}:{visitor}", row)
        old = {"broadcast": id_, "visitor": visitors[3], "status": "planned", "reason": ""}
        await store.put_document("recipients", f"{id_}:{visitors[3]}", {**old, "at": now})
        capped = old | {"visitor": visitors[4], "reason": "cap", "until": untils[0], "at": now}
        capped["cap"] = {"channel": "email", "count": 4, "hours": 336}
        await store.put_document("recipients", f"{id_}:{visitors[4]}", capped)
        html = await _get(session, where)
        waits = f"waits until {moment(untils[0])}: quiet hours"
        assert html.count(f'<td>Planned<small class="block">{waits}</small></td>') == 1
        assert html.count("<td>Planned</td>") == 3, "also of a row that an older version wrote"
        assert f"waits until {moment(untils[0])}: 4 e-mails in 14 days are the limit" in html
        at = f"/api/v1/recipients?broadcast={id_}"
        async with session.get(at, headers=ADMIN) as answer:
            rows = {each["visitor"]: each for each in (await answer.json())["recipients"]}
        assert rows[visitors[0]]["reason"] == "quiet_hours"
        assert rows[visitors[4]]["cap"] == capped["cap"]
        assert datetime.fromisoformat(rows[visitors[0]]["until"]) == untils[0]


async def test_a_path_that_is_held_is_marked_and_the_count_says_that_it_goes_out() -> None:
    store, now = await lived_in()
    await store.put_document("control", "pause", {"paths": [ORDER["path"]], "archived": []})
    async with a_console(store, now) as (session, _):
        await log_in(session)
        assert "does not hold a broadcast" in await _get(session, BASE)
        where = await _post(session, BASE, **ORDER)
        html = await _get(session, where)
        assert "The path lead-to-customer is paused: that does not hold a broadcast" in html


async def test_a_count_of_an_older_version_is_made_anew_and_sends_nothing() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _counted(session, store, now)
        files = read_folder(DEFAULTS)
        files["templates/invite-hello.yaml"] += "\n# another hand\n"
        await push_files(store, files, at=now, by="vic", base=1)
        await publish(store, 2, at=now, by="vic")
        html = await _get(session, where)
        assert "Count it anew" in html
        assert "/send" not in html
        assert "count it anew" in await _post(session, f"{where}/send", 409, priority="0")
        assert await store.rows("broadcasts", {"dry_run": False}) == []


async def test_what_is_not_counted_to_its_end_is_not_sent() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _post(session, BASE, **ORDER)
        await _post(session, f"{where}/send", 409, priority="0")
        assert len(await store.rows("broadcasts", {})) == 1


async def test_only_what_can_go_to_a_cohort_is_offered() -> None:
    store, now = await lived_in()
    files = read_folder(DEFAULTS)
    name, text = "templates/thank-you.yaml", files["templates/thank-you.yaml"]
    files[name] = text.replace(
        "{% if order_id %}Order {{ order_id }}", "{% if true %}{{ order_id }}"
    )
    assert files[name] != text, "the template's text has changed"
    version, _ = await push_files(store, files, at=now, by="kim")
    async with a_console(store, now) as (session, _):
        await log_in(session)
        assert "<option>thank-you</option>" in await _get(session, BASE), "as published, it can"
        await publish(store, version, at=now, by="kim")
        html = await _get(session, BASE)
        assert "<option>invite-hello</option>" in html
        assert "<option>confirm-address</option>" not in html
        assert "<option>thank-you</option>" not in html
        said = await _post(session, BASE, 422, **{**ORDER, "template": "thank-you"})
        assert "order_id" in said
        assert await store.rows("broadcasts", {}) == []
        html = await _get(session, "/console/templates/confirm-address")
        assert "It cannot be sent to a cohort" in html
        assert "broadcasts?template" not in html


@pytest.mark.parametrize(
    "changes", [{"template": "none"}, {"cohort": ""}, {"cohort": "a\0b"}, {"path": "none"}]
)
async def test_what_the_published_rules_do_not_have_is_not_counted(changes: dict[str, str]) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        await _post(session, BASE, 422, **{**ORDER, **changes})
        assert await store.rows("broadcasts", {}) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "tomorrow"},
        {"at": "9999-12-31T23:59:59-12:00"},
        {"priority": "1001"},
        {"priority": "-"},
        {"priority": "1.5"},
        {"priority": "²"},
    ],
)
async def test_a_wrong_time_or_priority_sends_nothing(changes: dict[str, str]) -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session)
        where = await _counted(session, store, now)
        html = await _post(session, f"{where}/send", 422, **{"priority": "0", **changes})
        assert "Nothing was changed" in html
        assert await store.rows("broadcasts", {"dry_run": False}) == []


@pytest.mark.parametrize("id_", ["none", "%00", "x" * 600, "%C3%A4"])
async def test_a_broadcast_that_is_none_is_a_404(id_: str) -> None:
    async with a_console() as (session, _):
        await log_in(session)
        await _get(session, f"{BASE}/{id_}", 404)


async def test_a_viewer_sees_how_it_fares_and_orders_nothing() -> None:
    store, now = await lived_in()
    async with a_console(store, now) as (session, _):
        await log_in(session, "vic")
        assert "Count whom it reaches" not in await _get(session, BASE)
        await _post(session, BASE, 403, **ORDER)
        assert await store.rows("broadcasts", {}) == []


async def test_before_anything_is_published_nothing_can_be_sent() -> None:
    async with a_console() as (session, _):
        await log_in(session)
        assert "Publish a version" in await _get(session, BASE)


@pytest.mark.parametrize(
    ("status", "recipients", "says"),
    [
        ("done", {"sent": 31, "planned": 67}, "31 sent, 67 wait"),
        ("done", {"sent": 1, "planned": 1, "refused": 2}, "1 sent, 1 waits"),
        ("done", {"sent": 1_200}, "1,200 sent"),
        ("done", {"refused": 2}, ""),
        ("cancelled", {"sent": 3, "cancelled": 2}, "3 sent"),
        ("cancelled", {"cancelled": 2}, ""),
        ("under way", {"sent": 3}, ""),
    ],
)
def test_an_order_says_how_many_have_it_and_not_that_all_have(
    status: str, recipients: dict[str, int], says: str
) -> None:
    assert counts_of({"status": status, "recipients": recipients}) == says


def test_every_status_has_its_words() -> None:
    assert {*OPEN, CANCELLING, "done", "cancelled"} == set(STANDS)
    assert set(STATUSES) == set(BECAME)
