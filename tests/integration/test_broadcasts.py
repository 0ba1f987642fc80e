"""Order a broadcast over a real socket, look at it, call it off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from agents.runtime.views import PUBLISHED
from config.load import DEFAULTS, read_folder
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.cli_broadcast import said
from scripts.rulebook import StoredRulebook
from scripts.rules import publish, push_files
from tests.gateway_builders import ADMIN, NOON, a_site
from tests.integration.test_entering import a_store

ORDER = {"template": "invite-hello", "cohort": "addressable-lead", "request": "r1"}


async def ask(
    database: MemoryDatabase, path: str = "", body: Any = None, *, status: int = 200
) -> Any:
    """Call the API."""
    book = StoredRulebook(MemoryStore(database))
    async with a_site(database=database, rulebook=book) as (session, _):
        method = "GET" if body is None else "POST"
        url = f"/api/v1/{path or 'broadcasts'}"
        async with session.request(method, url, headers=ADMIN, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json(content_type=None)


async def test_an_order_is_written_once_and_shows_what_became_of_it() -> None:
    database = await a_store()
    ordered = await ask(database, body=ORDER)
    assert (await ask(database, body=ORDER))["id"] == ordered["id"]
    assert (ordered["status"], ordered["path"], ordered["version"]) == (
        "ordered",
        "lead-to-customer",
        1,
    )
    row = {"broadcast": ordered["id"], "visitor": "v", "status": "refused", "reason": "consent"}
    database.tables["recipients"] = {"x": {**row, "at": NOON}}
    found = (await ask(database, f"broadcasts/{ordered['id']}"))["broadcast"]
    assert found["recipients"] == {
        "planned": 0,
        "sent": 0,
        "refused": 1,
        "cancelled": 0,
        "moved": 0,
    }
    assert "1 refused" in said(found)[-1]
    listed = await ask(database, f"recipients?broadcast={ordered['id']}&status=refused")
    assert [each["reason"] for each in listed["recipients"]] == ["consent"]
    assert [each["id"] for each in (await ask(database))["broadcasts"]] == [ordered["id"]]
    log = [row["act"] for row in database.tables["audit_log"].values()]
    assert log == ["broadcast.ordered"]


@pytest.mark.parametrize(
    ("changes", "was"),
    [
        ({"template": "invite-question"}, "template invite-hello"),
        ({"cohort": "looks-around"}, "cohort addressable-lead"),
        ({"priority": 3}, "priority 0"),
        ({"at": "2017-07-02T09:00:00+02:00"}, "at 2017-07-01 07:00:00+00:00"),
    ],
)
async def test_another_order_of_the_same_name_is_refused(changes: dict[str, Any], was: str) -> None:
    database, first = await a_store(), ORDER | {"at": "2017-07-01T09:00:00+02:00"}
    await ask(database, body=first)
    problem = await ask(database, body=first | changes, status=409)
    assert (problem["field"], was in problem["detail"]) == ("request", True)
    assert await ask(database, body=first | {"at": "2017-07-01T07:00:00Z"})
    assert await ask(database, body=ORDER), "now, or when it was said before"
    assert len(database.tables["broadcasts"]) == len(database.tables["audit_log"]) == 1


async def test_it_is_called_off_once() -> None:
    database = await a_store()
    id_ = (await ask(database, body=ORDER | {"at": "2017-07-01T09:00:00+02:00"}))["id"]
    off = await ask(database, f"broadcasts/{id_}/cancel", {})
    assert off["broadcast"]["status"] == "cancelling"
    await ask(database, f"broadcasts/{id_}/cancel", {}, status=409)
    await ask(database, "broadcasts/none/cancel", {}, status=404)
    await ask(database, "broadcasts/none", status=404)
    log = [row["act"] for row in database.tables["audit_log"].values()]
    assert log == ["broadcast.ordered", "broadcast.cancelled"]


async def test_what_is_done_may_be_called_off_for_those_who_wait() -> None:
    database = await a_store()
    id_ = (await ask(database, body=ORDER))["id"]
    done(database, id_, "sent", "planned")
    off = await ask(database, f"broadcasts/{id_}/cancel", {})
    assert off["broadcast"]["status"] == "cancelling"


def done(database: MemoryDatabase, id_: str, *statuses: str, told: int = 0, days: int = 0) -> None:
    """Let everybody have been asked, some days ago, with what became of some of them."""
    changes: dict[str, Any] = {"told": {"would get it": told or len(statuses)}, "status": "done"}
    changes["completed_at"] = NOON - timedelta(days=days)
    database.tables["broadcasts"][id_] |= changes
    database.tables["recipients"] = {
        f"{id_}:{n}": {"broadcast": id_, "visitor": str(n), "status": status, "at": NOON}
        for n, status in enumerate(statuses)
    }


@pytest.mark.parametrize(
    ("statuses", "told", "days"),
    [(("sent", "sent"), 2, 0), (("sent", "refused", "moved"), 3, 0), (("sent",), 2, 2), ((), 0, 0)],
)
async def test_what_everybody_has_cannot_be_called_off(
    statuses: tuple[str, ...], told: int, days: int
) -> None:
    """It stood as called off in the log and the console, with everybody's e-mail sent."""
    database = await a_store()
    id_ = (await ask(database, body=ORDER))["id"]
    done(database, id_, *statuses, told=told, days=days)
    problem = await ask(database, f"broadcasts/{id_}/cancel", {}, status=409)
    assert "everybody has it already" in problem["detail"]
    assert (await ask(database, f"broadcasts/{id_}"))["broadcast"]["status"] == "done"
    log = [row["act"] for row in database.tables["audit_log"].values()]
    assert log == ["broadcast.ordered"]


async def test_who_was_asked_and_has_no_row_yet_may_wait() -> None:
    database = await a_store()
    id_ = (await ask(database, body=ORDER))["id"]
    done(database, id_, "sent", told=2)
    off = await ask(database, f"broadcasts/{id_}/cancel", {})
    assert off["broadcast"]["status"] == "cancelling"


async def test_a_dry_run_is_called_off_only_while_it_counts() -> None:
    database = await a_store()
    first, second = [
        (await ask(database, body=ORDER | {"dry_run": True, "request": r}))["id"] for r in "ab"
    ]
    done(database, first, told=2)
    problem = await ask(database, f"broadcasts/{first}/cancel", {}, status=409)
    assert "dry run is over" in problem["detail"]
    assert await ask(database, f"broadcasts/{second}/cancel", {})


async def test_a_template_that_goes_out_by_itself_is_refused_with_the_reason() -> None:
    database = await a_store()
    order = ORDER | {"template": "confirm-address"}
    problem = await ask(database, body=order, status=422)
    assert "confirm-address cannot be sent to a cohort" in problem["detail"]
    assert "confirm their address" in problem["detail"]
    assert await ask(database, body=ORDER | {"template": "thank-you"}), "it asks before it names"


@pytest.mark.parametrize("dry_run", [True, False])
async def test_nothing_goes_now_to_a_cohort_that_is_being_filled(dry_run: bool) -> None:
    database = await a_store()
    number = str(await last_publication(database))
    filling = {"version": 1, "status": "under way", "cohorts": ["addressable-lead"], "since": {}}
    counts = {"done": {"behavior-0": 2}, "of": {"behavior-0": 5}, "told": 0, "completed_at": None}
    database.tables["fillings"] = {number: filling | counts}
    order = ORDER | {"dry_run": dry_run}
    problem = await ask(database, body=order, status=409)
    assert "addressable-lead is being filled" in problem["detail"]
    assert "40 % done" in problem["detail"]
    assert "broadcasts" not in database.tables
    later = {"at": f"{NOON + timedelta(hours=1):%Y-%m-%dT%H:%M:00Z}", "request": "later"}
    assert await ask(database, body=order | later), "by then it will be filled"
    assert await ask(database, body=order | {"cohort": "looks-around", "request": "other"})
    database.tables["fillings"][number] |= {"status": "done"}
    assert await ask(database, body=order)
    database.tables["fillings"][number] |= {"status": "under way"}
    assert await ask(database, body=order), "said again it is the same order"


async def test_a_cohort_is_being_filled_from_the_moment_of_its_publication() -> None:
    database = await a_store()
    store = MemoryStore(database)
    files = read_folder(DEFAULTS)
    text = files["cohorts.yaml"]
    more = f"{text}  by-mail:\n    when: {{known: email}}\n"
    number, _ = await push_files(store, files | {"cohorts.yaml": more}, at=NOON, by="kim")
    await publish(store, number, at=NOON, by="kim")
    order = ORDER | {"cohort": "by-mail"}
    problem = await ask(database, body=order, status=409)
    assert "by-mail is being filled since it was published (0 % done)" in problem["detail"]
    assert await ask(database, body=ORDER | {"request": "r2"}), "nothing changed about this one"
    filling = {"version": number, "status": "done", "cohorts": ["by-mail"], "since": {}}
    counts = {"done": {}, "of": {}, "told": 0, "completed_at": NOON}
    database.tables["fillings"] = {str(await last_publication(database)): filling | counts}
    assert await ask(database, body=order)


async def test_microseconds_are_cut_as_the_store_keeps_none() -> None:
    database = await a_store()
    at = (NOON + timedelta(days=1, microseconds=123_456)).isoformat()
    ordered = await ask(database, body=ORDER | {"at": at})
    assert ordered["at"].endswith("00:00.123000Z")
    assert (await ask(database, body=ORDER | {"at": at}))["id"] == ordered["id"]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_that_a_cohort_was_dropped_since_is_said_of_an_order_that_found_nobody(
    dry_run: bool,
) -> None:
    database = await a_store()
    at = f"{NOON + timedelta(days=1):%Y-%m-%dT%H:%M:00Z}"
    ordered = await ask(database, body=ORDER | {"at": at, "dry_run": dry_run})
    assert "notes" not in ordered
    database.tables["broadcasts"][ordered["id"]]["cohort"] = "dropped"
    found = (await ask(database, f"broadcasts/{ordered['id']}"))["broadcast"]
    assert any("has no cohort dropped" in note for note in found["notes"])
    done = {"told": {"would get it": 3}, "status": "done", "completed_at": NOON}
    database.tables["broadcasts"][ordered["id"]] |= done
    found = (await ask(database, f"broadcasts/{ordered['id']}"))["broadcast"]
    assert not any("dropped" in note for note in found.get("notes", []))


async def last_publication(database: MemoryDatabase) -> int:
    """Return the number of the publication that stands."""
    last = await MemoryStore(database).get_document(*PUBLISHED)
    assert last is not None
    return int(last["number"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"template": "none"}, "template"),
        ({"template": "../cohorts"}, "template"),
        ({"template": "confirm-address"}, "template"),
        ({"template": "confirm-address", "dry_run": True}, "template"),
        ({"cohort": "none"}, "cohort"),
        ({"path": "none"}, "path"),
        ({"at": "2017-07-01T09:00:00"}, "at"),
        ({"at": "soon"}, "at"),
        ({"at": "9999-12-31T00:00:00Z"}, "at"),
        ({"at": "9999-12-31T23:59:00-12:00"}, "at"),
        ({"priority": 5000}, "priority"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"request": ""}, "request"),
    ],
)
async def test_a_wrong_order_names_its_field(changes: dict[str, Any], field: str) -> None:
    database = await a_store()
    book = StoredRulebook(MemoryStore(database))
    async with a_site(database=database, rulebook=book) as (session, _):
        url = "/api/v1/broadcasts"
        async with session.post(url, headers=ADMIN, json=ORDER | changes) as answer:
            assert answer.status in (400, 422), await answer.text()
            assert (await answer.json(content_type=None))["field"] == field
    assert "broadcasts" not in database.tables


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("2017-07-01T09:00:00", "at must be a time with its zone, such as 2026-12-01T09:00:00+01:"),
        ("soon", "at must be a time with its zone"),
        (f"{NOON + timedelta(days=366, minutes=1):%Y-%m-%dT%H:%M:00Z}", "366 days ahead at most"),
        (
            "2017-06-01T11:58:59Z",
            "at is past: by world time it is 2017-06-01T12:00:00Z; name a later",
        ),
        ("0001-01-01T00:00:00Z", "at is past"),
    ],
)
async def test_a_time_that_cannot_be_is_a_422_that_says_which_can(at: str, says: str) -> None:
    assert says in (await ask(await a_store(), body=ORDER | {"at": at}, status=422))["detail"]


async def test_an_order_may_be_due_in_a_year() -> None:
    at = f"{NOON + timedelta(days=366):%Y-%m-%dT%H:%M:00Z}"
    assert (await ask(await a_store(), body=ORDER | {"at": at}))["status"] == "ordered"


async def test_a_minute_past_is_now_and_an_order_said_again_is_never_late() -> None:
    database = await a_store()
    asked = ORDER | {"at": "2017-06-01T13:59:30+02:00"}
    ordered = await ask(database, body=asked)
    assert ordered["status"] == "ordered"
    long_ago = NOON - timedelta(days=3)
    database.tables["broadcasts"][ordered["id"]]["at"] = long_ago
    again = await ask(database, body=ORDER | {"at": long_ago.isoformat()})
    assert again["id"] == ordered["id"]


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"paths": ["lead-to-customer"]}, "is paused: that does not hold a broadcast"),
        ({"paths": "all", "before": ["lead-to-customer"]}, "is paused:"),
        ({"paths": [], "archived": ["lead-to-customer"]}, "is archived:"),
        (
            {"paths": ["lead-to-customer"], "archived": ["lead-to-customer"]},
            "is paused and archived:",
        ),
        ({"paths": "all"}, ""),
        ({"paths": ["other"], "archived": ["other"]}, ""),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_that_its_path_is_held_is_said_where_it_is_ordered(
    held: dict[str, Any], says: str, dry_run: bool
) -> None:
    """It went out at once, and nobody said so."""
    database = await a_store()
    database.tables["control"]["pause"] = held
    ordered = await ask(database, body=ORDER | {"dry_run": dry_run})
    found = (await ask(database, f"broadcasts/{ordered['id']}"))["broadcast"]
    for each in (ordered, found):
        assert says in "".join(each.get("notes", []))
        assert bool(each.get("notes")) == bool(says) == any("note: " in line for line in said(each))
    done(database, ordered["id"], "sent")
    found = (await ask(database, f"broadcasts/{ordered['id']}"))["broadcast"]
    assert bool(found.get("notes")) == (bool(says) and dry_run), "it is over"


def test_the_command_line_says_in_words_why_not() -> None:
    """It said `150 cohort`; and two reasons that are one in words are one line."""
    told = {"consent": 2, "cohort": 150, "would get it": 1, "address bad": 1, "address bounced": 3}
    found = {"id": "b", "dry_run": True, "status": "done", "told": told}
    assert said(found) == [
        "dry run b: done, 157 people",
        "  150 not: it is meant for another cohort",
        "  4 not: the address does not work",
        "  2 not: the visitor has not agreed to it",
        "  1 would get it",
    ]


async def test_a_dry_run_and_the_order_of_the_same_name_are_two() -> None:
    database = await a_store()
    counted = await ask(database, body=ORDER | {"dry_run": True})
    ordered = await ask(database, body=ORDER)
    assert (counted["dry_run"], ordered["dry_run"]) == (True, False)
    assert counted["id"] != ordered["id"]
    log = [row["act"] for row in database.tables["audit_log"].values()]
    assert log == ["broadcast.ordered"], "a count is no order"


async def test_a_long_list_of_broadcasts_and_of_who_got_them_is_paged_through() -> None:
    database = await a_store()
    ids = [(await ask(database, body=ORDER | {"request": f"r{n}"}))["id"] for n in range(3)]
    rows = {
        f"{ids[0]}:{n}": {
            "broadcast": ids[0],
            "visitor": str(n),
            "status": "refused" if n % 2 else "sent",
            "reason": "",
            "at": NOON,
        }
        for n in range(7)
    }
    database.tables["recipients"] = rows
    for path, name, count in (
        ("broadcasts?", "broadcasts", 3),
        (f"recipients?broadcast={ids[0]}&", "recipients", 7),
        (f"recipients?broadcast={ids[0]}&status=refused&", "recipients", 3),
    ):
        found, after = [], ""
        while after is not None:
            page = await ask(database, f"{path}limit=2{after}")
            found += [row["id"] for row in page[name]]
            after = f"&after={quote(page['after'], safe='')}" if page["after"] else None
        assert len(found) == len(set(found)) == count
    await ask(database, "recipients?after=2017-06-01T12:00:00%2B00:00~x", status=422)
    await ask(database, f"recipients?broadcast={ids[0]}&after=x", status=422)
