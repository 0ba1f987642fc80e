"""Static lists over a real socket, and what Behavior makes of them: who is put on, taken off, refused, not known."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from agents.behavior_bot.intake import MINUTE_EVENTS_MAX
from agents.behavior_bot.merge import pack
from agents.behavior_bot.state import LISTS_MAX
from config.load import DEFAULTS, read_folder
from messaging.gateway.validate import read_call
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import Effect, LogStory, PutMember
from messaging.vocabulary.errors import RejectedEvent
from messaging.vocabulary.events import Listed, decode_event
from messaging.vocabulary.ids import email_key, user_key
from messaging.vocabulary.messages import MergedInto, StateMerged, TraitsSet
from scripts.rulebook import StoredRulebook
from scripts.rules import publish, push_files
from scripts.story import sentence
from tests.behavior_builders import (
    ANN,
    START,
    Ann,
    a_listing,
    a_page,
    a_view_of,
    an_identify,
    told,
)
from tests.gateway_builders import ADMIN, NOON, a_site

BASIS = "customers of 2026, contract"


async def ask(
    database: MemoryDatabase,
    path: str,
    body: Any = None,
    *,
    status: int | tuple[int, ...] = 200,
    rulebook: StoredRulebook | None = None,
) -> Any:
    """Call the API."""
    expected = status if isinstance(status, tuple) else (status,)
    async with a_site(database=database, rulebook=rulebook) as (session, _):
        method = "GET" if body is None else "POST"
        url = f"/api/v1/lists{path}"
        async with session.request(method, url, headers=ADMIN, json=body) as answer:
            assert answer.status in expected, await answer.text()
            return await answer.json(content_type=None)


def calls(database: MemoryDatabase) -> list[Listed]:
    """Return what was journaled."""
    events = [decode_event(each.raw) for stream in database.streams for each in stream]
    return [each for each in events if isinstance(each, Listed)]


def members(effects: list[Effect]) -> list[tuple[str, str]]:
    """Return (list, status) of the rows that are written."""
    return [(e.list, e.status) for e in effects if isinstance(e, PutMember)]


async def test_people_are_put_on_a_list_by_calls_that_say_who_and_on_what_basis() -> None:
    database = MemoryDatabase()
    database.identity[email_key("ann@example.com")] = ("0a" * 12, 1)
    body = {"people": ["ann@example.com", "u7", "u7"], "request": "r1", "basis": BASIS}
    added = await ask(database, "/vip/add", body)
    assert added == {"changed": 2, "before": 0, "unknown": [], "refused": []}
    assert (await ask(database, "/vip/add", body))["before"] == 2
    first, second = calls(database)
    assert (first.lists, first.traits) == ({"vip": True}, {"email": "ann@example.com"})
    assert (second.user_id, second.lists) == ("u7", {"vip": True})
    assert first.context is not None
    assert first.context.consent is not None
    assert first.context.consent.category_preferences == {"email": True}
    assert BASIS in str(database.streams[0][0].raw)
    (line,) = database.tables["audit_log"].values()
    assert (line["act"], line["of"]) == ("list.added", "vip")
    assert line["said"] == f"2 people, consent: {BASIS}"


@pytest.mark.parametrize("known", [False, True])
async def test_an_address_in_two_cases_is_one_person(*, known: bool) -> None:
    database = MemoryDatabase()
    if known:
        database.identity[email_key("ann@example.com")] = ("0a" * 12, 1)
    body = {"people": ["Ann@Example.com", " ann@example.com", "U7", "u7"], "request": "r1"}
    added = await ask(database, "/vip/add", body)
    assert (added["changed"], added["before"]) == (3, 0)


async def test_an_address_and_a_user_id_of_one_visitor_are_one_person() -> None:
    database = MemoryDatabase()
    database.identity[email_key("ann@example.com")] = ("0a" * 12, 1)
    database.identity[user_key("u-ann")] = ("0a" * 12, 1)
    body = {"people": ["u-ann", "ann@example.com", "bob@example.com"], "request": "r1"}
    assert (await ask(database, "/vip/add", body))["changed"] == 2
    assert [call.user_id for call in calls(database)] == ["u-ann", None]


async def test_who_has_an_address_for_a_user_id_is_found_by_it() -> None:
    database = MemoryDatabase()
    database.identity[user_key("ann@example.com")] = ("0a" * 12, 1)
    for action in ("add", "remove"):
        body = {"people": ["ann@example.com"], "request": "r1"}
        answer = await ask(database, f"/vip/{action}", body)
        assert (answer["changed"], answer["unknown"]) == (1, [])
    assert [(call.user_id, call.traits) for call in calls(database)] == [
        ("ann@example.com", None)
    ] * 2


async def test_no_address_that_a_basis_names_stands_in_the_audit_log() -> None:
    database = MemoryDatabase()
    body = {"people": ["u7"], "request": "r1", "basis": "asked for it by phone, ann@example.com"}
    await ask(database, "/vip/add", body)
    (line,) = database.tables["audit_log"].values()
    assert line["said"] == "1 person, consent: asked for it by phone, (an address)"


async def test_without_a_basis_nothing_is_said_of_consent() -> None:
    database = MemoryDatabase()
    await ask(database, "/vip/add", {"people": ["ann@example.com"], "request": "r1"})
    (call,) = calls(database)
    assert call.context is None


async def test_what_nobody_could_be_known_by_is_refused_by_name() -> None:
    database = MemoryDatabase()
    body = {"people": ["ann@@example.com", "u7", "@"], "request": "r1"}
    answer = await ask(database, "/vip/add", body)
    assert answer["changed"] == 1
    assert [each["person"] for each in answer["refused"]] == ["ann@@example.com", "@"]
    assert answer["refused"][0]["reason"] == "is no address that can be written to"
    assert len(calls(database)) == 1


async def test_nobody_comes_to_be_known_by_being_taken_off() -> None:
    database = MemoryDatabase()
    database.identity[email_key("ann@example.com")] = ("0a" * 12, 1)
    body = {"people": ["ann@example.com", "bob@example.com"], "request": "r1"}
    answer = await ask(database, "/vip/remove", body)
    assert (answer["changed"], answer["unknown"]) == (1, ["bob@example.com"])
    (call,) = calls(database)
    assert (call.lists, call.traits) == ({"vip": False}, {"email": "ann@example.com"})


async def test_the_id_under_which_a_list_shows_somebody_takes_them_off() -> None:
    """A call that bore a visitor's id as a user's would make somebody new, and leave them on the list."""
    database = MemoryDatabase()
    for name in ("ann", "nobody"):
        answer = await ask(database, "/vip/remove", {"people": [name], "request": "r1"})
        assert answer["unknown"] == ([] if name == "ann" else ["nobody"])
    (call,) = calls(database)
    assert (call.user_id, call.lists) == ("u-ann", {"vip": False})


async def test_a_list_shows_who_stands_on_it() -> None:
    database = MemoryDatabase()
    rows = {
        f"vip:{n}": {"list": "vip", "visitor": n, "status": "off" if n == "c" else "on", "at": NOON}
        for n in "abc"
    }
    database.tables["list_members"] = rows
    found = await ask(database, "/vip")
    assert (found["people"], [each["visitor"] for each in found["members"]]) == (2, ["b", "a"])
    assert (await ask(database, ""))["lists"] == [{"name": "vip", "people": 2}]
    first = await ask(database, "/vip?limit=1")
    assert ([each["visitor"] for each in first["members"]], first["people"]) == (["b"], 2)
    last = await ask(database, f"/vip?limit=1&after={quote(first['after'], safe='')}")
    assert ([each["visitor"] for each in last["members"]], last["after"]) == (["a"], None)
    await ask(database, "/vip?after=b", status=422)


async def test_a_list_that_never_was_is_none_and_one_that_rules_ask_for_or_was_ordered_is() -> None:
    database = MemoryDatabase()
    store = MemoryStore(database)
    files = read_folder(DEFAULTS)
    files["cohorts.yaml"] += "\n  beta:\n    title: Beta\n    when: {in_list: beta}\n"
    version, _ = await push_files(store, files, by="kim", at=NOON)
    assert await publish(store, version, by="kim", at=NOON)
    rulebook = StoredRulebook(store)
    assert await ask(database, "/nope", status=404)
    found = await ask(database, "/beta", rulebook=rulebook)
    assert (found["people"], found["members"]) == (0, [])
    await ask(database, "/nope", status=404, rulebook=rulebook)
    people = {"people": ["ann@example.com"], "request": "r", "basis": BASIS}
    await ask(database, "/nope/remove", people)
    await ask(database, "/nope", status=404)
    await ask(database, "/nope/add", people)
    assert (await ask(database, "/nope"))["people"] == 0, "Behavior has not taken it yet"
    row = {"list": "left", "visitor": "a", "status": "off", "at": NOON}
    await store.put_document("list_members", "left:a", row)
    assert (await ask(database, "/left"))["people"] == 0


async def test_lists_are_named_page_by_page_and_only_those_that_can_be_asked_for() -> None:
    """A site may make names up: they cost one look, and an answer has a bound."""
    database = MemoryDatabase()
    names = ["a", "b", "c", "V I P", "x" * 41]
    database.tables["list_members"] = {
        f"{name}:v": {"list": name, "visitor": "v", "status": "off" if name == "b" else "on"}
        for name in names
    }
    first = await ask(database, "?limit=2")
    assert first["lists"] == [{"name": "a", "people": 1}, {"name": "b", "people": 0}]
    last = await ask(database, f"?limit=2&after={first['after']}")
    assert (last["lists"], last["after"]) == ([{"name": "c", "people": 1}], None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/vip/add", {}),
        ("/vip/add", {"people": ["a@example.com"]}),
        ("/vip/add", {"people": [], "request": "r"}),
        ("/vip/add", {"people": ["a@example.com"], "request": "r", "bassis": "x"}),
        ("/vip/add", {"people": ["a\x00@example.com"], "request": "r"}),
        ("/vip/add", {"people": ["a@example.com"] * 501, "request": "r"}),
        ("/VIP!/add", {"people": ["a@example.com"], "request": "r"}),
        (f"/{'x' * 41}/add", {"people": ["a@example.com"], "request": "r"}),
        ("/vip/burn", {"people": ["a@example.com"], "request": "r"}),
        ("/V%00/add", {"people": ["a@example.com"], "request": "r"}),
    ],
)
async def test_what_cannot_be_read_is_refused(path: str, body: Any) -> None:
    database = MemoryDatabase()
    await ask(database, path, body, status=(400, 404, 422))
    assert calls(database) == []


# ------------------------------------------------------------------------------------- Behavior


def test_membership_is_a_row_for_each_list_and_a_cohort() -> None:
    ann = Ann(a_view_of([{"in_list": "vip"}]))
    on = ann.sees(a_listing(1, "1", vip=True, beta=True))
    assert members(on) == [("vip", "on"), ("beta", "on")]
    assert ann.state.cohorts == ["c0"]
    assert members(ann.sees(a_listing(2, "1", vip=True))) == []
    assert members(ann.sees(a_listing(3, "1", vip=False))) == [("vip", "off")]
    assert ann.state.cohorts == []


def test_an_older_change_that_comes_later_changes_nothing() -> None:
    ann = Ann(a_view_of([{"in_list": "vip"}]))
    ann.sees(a_listing(3, "1", vip=False))
    assert members(ann.sees(a_listing(1, "1", vip=True))) == []


@pytest.mark.parametrize("traits", [{"lists": {"vip": True}}, {"lists.vip": True}])
def test_nobody_gets_on_a_list_or_off_it_by_a_trait(traits: dict[str, Any]) -> None:
    """Whoever has the public write key can tell traits, in an identify, a context, a form; a path can set them."""
    ann = Ann(a_view_of([{"in_list": "vip"}]))
    context = {"traits": traits, "page": {"path": "/"}}
    told_so = an_identify(1, "1", traits=traits), a_page(2, userId="1", context=context)
    assert members(ann.sees(*told_so)) == []
    set_ = TraitsSet(ANN, START, {"lists.vip": True, "plan": "gold"}, "welcome", "mark")
    assert members(ann.take(set_)) == []
    assert (ann.state.cohorts, set(ann.state.traits)) == ([], {"plan"})
    ann.sees(a_listing(3, "1", vip=True))
    off = {"lists": {"vip": False}} if "lists" in traits else {"lists.vip": False}
    ann.sees(an_identify(4, "1", traits=off))
    assert ann.state.cohorts == ["c0"]


def test_the_public_routes_take_no_change_of_a_list() -> None:
    call = {"type": "listed", "userId": "1", "lists": {"vip": True}}
    with pytest.raises(RejectedEvent, match="none of track, identify"):
        read_call(msgspec.json.encode(call), suspicious=False)


def test_a_list_does_not_fall_to_the_bounds_of_traits() -> None:
    ann = Ann(a_view_of([{"in_list": "vip"}]))
    ann.sees(a_listing(1, "1", vip=True))
    for number in range(2, 12):
        ann.sees(an_identify(number, "1", traits={f"t{number} {n}": "x" * 99 for n in range(20)}))
    assert ann.state.cohorts == ["c0"]


def test_a_flood_in_somebodys_name_keeps_them_off_no_list() -> None:
    ann = Ann(a_view_of([{"in_list": "vip"}]))
    ann.sees(*(a_page(1, userId="1") for _ in range(MINUTE_EVENTS_MAX + 1)))
    assert ann.state.over_bound == 1
    assert members(ann.sees(a_listing(2, "1", vip=True))) == [("vip", "on")]
    assert (ann.state.over_bound, ann.state.cohorts) == (2, ["c0"])


def test_the_newest_lists_are_kept_and_who_falls_off_one_is_shown_so() -> None:
    ann = Ann(a_view_of([{"in_list": "vip"}]))
    ann.sees(a_listing(1, "1", vip=True))
    effects = ann.sees(
        *(a_listing(number, "1", **{f"l{number}": True}) for number in range(2, LISTS_MAX + 2))
    )
    assert ("vip", "off") in members(effects)
    assert (ann.state.cohorts, len(ann.state.lists)) == ([], LISTS_MAX)
    younger, older = Ann(a_view_of([]), visitor="b" * 24), Ann(a_view_of([]))
    older.sees(a_listing(1, "2", vip=True))
    younger.state.lists = dict(ann.state.lists)
    rows = members(older.take(StateMerged(ANN, START, "b" * 24, pack(younger.state))))
    assert (len(rows), ("vip", "off") in rows) == (LISTS_MAX + 1, True)


def test_who_is_merged_takes_their_lists_along() -> None:
    older, younger = Ann(a_view_of([])), Ann(a_view_of([]), visitor="b" * 24)
    younger.sees(a_listing(1, "1", vip=True))
    left = younger.take(MergedInto("b" * 24, START, ANN))
    assert members(left) == [("vip", "off")]
    (state,) = told(left, StateMerged)
    assert msgspec.msgpack.decode(state.state) == msgspec.msgpack.decode(pack(younger.state))
    assert members(older.take(state)) == [("vip", "on")]


def test_what_a_person_of_ours_does_with_a_list_is_nothing_that_the_visitor_did() -> None:
    ann = Ann()
    ann.sees(an_identify(1, "1"))
    effects = ann.sees(a_listing(2, "1", vip=True))
    [line] = [each for each in effects if isinstance(each, LogStory)]
    assert line == LogStory("list.changed", {"lists": {"vip": True}})
    ann.sees(a_listing(3, "1", vip=False))
    assert [what for _, what in ann.state.recent] == ["identify"]
    assert ann.state.tallies["identify"].count == 1
    said = [
        sentence({"kind": f"story: {line.kind}", "detail": {"lists": {"vip": on}}})
        for on in (True, False)
    ]
    assert said == ["put on the list vip", "taken off the list vip"]
