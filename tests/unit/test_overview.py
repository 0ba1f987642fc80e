"""What the overview says of the bots: plain words of facts, for every state they can be in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.runtime.figures import by_status
from agents.runtime.looking import Looking
from agents.runtime.readers import StoreReader
from messaging.gateway.console.views import ENDS
from messaging.gateway.overview import _paths
from messaging.gateway.told import PathNow, StageNow
from messaging.ports import BatchRecord, Commit, RowWrite
from messaging.store.memory import MemoryDatabase, MemoryStore
from scripts.doing import _SAY, JOBS, bots_now
from scripts.overview import _revenue, overview
from scripts.telling import Reading
from scripts.wording import TITLES
from tests.alert_builders import rows_of_a_test_alert
from tests.gateway_builders import NOON, StillClock

PARTS = {
    "clock-1": {"world_seconds": NOON.timestamp(), "speed_reached": 3_600.0},
    "rules-0": {"rate": 4.0, "ready": 1.0},
    "email-0": {"rate": 0.0, "ready": 0.0},
    "behavior-0": {"rate": 1.0, "inbox_chunks": 50.0},
    "sales-0": {"rate": 0.0},
}


def a_decision(**changed: Any) -> dict[str, Any]:
    row = {"visitor": "v1", "at": NOON, "kind": "template", "step": "invitation", "arm": "hello"}
    row |= {"candidates": [["hello", ""], ["help", "sent_before"]], "probabilities": [1.0]}
    return (
        row | {"policy": "next_best/leads/opened", "policy_version": 3, "holdout": False} | changed
    )


async def a_store(**tables: dict[str, dict[str, Any]]) -> MemoryStore:
    """Return a store with rows, and the figures of three shards."""
    store = MemoryStore(MemoryDatabase())
    figures = {
        "behavior": {"people": 9, "known": 4, "customers": 1},
        "rules": {"runs/leads/waiting/opened": 3, "runs/leads/won/cart": 1},
        "sales": {"orders": 2, "revenue/EUR": 49.5, "credit/linear/EUR/hello": 49.5},
        "social": {"presence/found": 1, "presence/none": 3, "presence/unknown": 2},
    }
    rows = [RowWrite(table, key, row) for table, of in tables.items() for key, row in of.items()]
    for bot, counts in figures.items():
        owner = await store.acquire(f"{bot}-0")
        record = BatchRecord(NOON, "", 0, {}, [], [], [], b"", [], [])
        commit = Commit(f"{bot}-0", bot, owner.epoch, 1, {}, {}, record, [], [], rows, [], [])
        commit.figures = counts
        await store.commit(commit)
        rows = []
    return store


def reading(store: MemoryStore, clock: StillClock, parts: dict[str, dict[str, float]]) -> Reading:
    reader = StoreReader(store)
    return Reading(reader, Looking(store, reader), lambda: parts, clock)


async def test_of_an_empty_system_each_bot_says_that_it_waits() -> None:
    told = await reading(MemoryStore(MemoryDatabase()), StillClock(), {}).overview()
    assert [bot.title for bot in told.bots] == [TITLES[name] for name in JOBS]
    assert {bot.state for bot in told.bots} == {"off", "away"}
    assert not told.decisions
    assert not told.alerts
    assert told.machine_percent == 100.0
    said = {bot.title: bot.now for bot in told.bots}
    assert said["Sales"] == "Waits for the first order."
    assert said["Rules Manager"] == "Has nobody on a path."


async def test_a_template_that_failed_lately_is_named_and_one_of_before_is_not() -> None:
    rows = {
        f"s{days}": {
            "visitor": "v1",
            "at": NOON - timedelta(days=days),
            "status": "refused",
            "template": name,
            "reason": "template: 'x' is undefined",
        }
        for days, name in ((0, "hello"), (2, "hello"), (8, "help"))
    }
    rows["s9"] = {**rows["s0"], "template": "other", "reason": "no consent"}
    told = await reading(await a_store(sends=rows), StillClock(), PARTS).overview()
    assert told.failing == [
        ("hello", "2 e-mails of template “hello” could not be composed in the last 7 days.")
    ]


def test_email_says_how_many_are_tried_again_and_why() -> None:
    sends = {"waiting": 2, "handing over": 0, "deferred": 1, "handed over": 7, "bounced": 0}
    late = {"reason": "CONNECT: gaierror: nobody has the host's name"}
    newest = {"send": {"template": "hello", "at": NOON}, "late": late}
    said, _ = _SAY["email"]({"counts": {"sends": sends}, "newest": newest}, NOON)
    assert said == (
        "3 e-mails on the way to the server, 1 of them tried again, the newest for: "
        "CONNECT: gaierror: nobody has the host's name; handed over “hello” just now."
    )
    sends |= {"deferred": 0}  # the row was read a moment before it went out
    said, _ = _SAY["email"]({"counts": {"sends": sends}, "newest": newest}, NOON)
    assert "again" not in said


async def test_facts_become_words() -> None:
    store = await a_store(
        decisions={"d1": a_decision()},
        sends={"s1": {"visitor": "v1", "at": NOON, "status": "handed over", "template": "hello"}},
        orders={
            "o1": {"visitor": "v1", "at": NOON, "value": 49.5, "currency": "EUR", "credited": "s1"}
        },
        alerts={
            "a1": {
                "visitor": "v2",
                "at": NOON,
                "status": "open",
                "kind": "address bounced",
                "by": "",
                "history": [],
            },
            "a2": {
                "visitor": "v2",
                "at": NOON,
                "status": "closed",
                "kind": "x",
                "by": "kim",
                "history": [],
            },
            "a3": {
                "visitor": "v2",
                "at": NOON,
                "status": "closed",
                "kind": "x",
                "by": "goal",
                "history": [],
            },
        },
    )
    clock = StillClock(NOON + timedelta(minutes=3))
    told = await reading(store, clock, PARTS).overview()
    said = {bot.title: (bot.state, bot.now) for bot in told.bots}
    assert said["Rules Manager"] == (
        "works",
        'Leads 3 people along their path; chose template "hello" for the e-mail "invitation", 3 minutes ago.',
    )
    assert said["Email"] == (
        "away",
        "Waits for the hour of the next e-mail; handed over “hello” 3 minutes ago.",
    )
    assert said["Sales"] == (
        "rests",
        "Counted an order of 49.50 EUR 3 minutes ago, thanks to “hello”.",
    )
    assert said["Behavior"][0] == "behind"
    assert said["Social"] == ("off", "Is off: nobody is looked up anywhere.")
    assert told.world == "Thu 1 Jun 2017, 12:03 UTC, 3,600 × as fast"
    [decision] = told.decisions
    assert decision.why == (
        "the only template allowed; by the policy “next best e-mail” of leads, stage opened, version 3"
    )
    assert decision.refused == [("it was sent before", '"help"')]
    assert [alert.said for alert in told.alerts] == ["the address does not work"]
    assert told.work.endswith("people answered 1 alert."), (
        "an alert that the goal closed is nobody's work"
    )
    [path] = told.paths
    assert {stage.name: (stage.going, stage.won) for stage in path.stages} == {
        "opened": (3, 0),
        "cart": (0, 1),
    }


def test_who_won_a_run_reached_the_goal_for_not_every_goal_is_an_order() -> None:
    path = PathNow(name="trial", stages=[StageNow(name="invited", won=2)])
    assert "<span>2 reached the goal</span>" in _paths([path])
    assert dict(ENDS)["won"] == "reached the goal", "in the console, too"


async def test_the_alert_about_a_split_test_stands_where_the_others_do_and_says_it_alone() -> None:
    policy = "split_test/leads/talk/words/5f1"
    row = rows_of_a_test_alert(policy)[0]
    store = await a_store(alerts={row.id: row.fields})
    told = await reading(store, StillClock(NOON), PARTS).overview()
    [alert] = told.alerts
    assert (alert.visitor, alert.who) == ("", "Split test words of leads")
    assert alert.said == "visitors do not come by the shares"
    looking = Looking(store, StoreReader(store))
    alarms = [{"policy": each, "verdict": "alarm"} for each in (policy, f"{policy}2")]
    assert await looking.without_alert(alarms) == alarms[1:], "the other one was raised as nothing"


async def test_social_says_how_many_it_found() -> None:
    parts = PARTS | {"social-0": {"rate": 1.0}}
    detail = {"presence": "found", "profile": "professional", "activity": ""}
    line = {"visitor": "v1", "at": NOON, "kind": "social.seen", "detail": detail}
    clock = StillClock(NOON + timedelta(minutes=3))
    told = await reading(await a_store(story={"s1": line}), clock, parts).overview()
    [social] = [bot for bot in told.bots if bot.title == "Social"]
    assert social.now == (
        "Has asked about 6 people: 1 has a public profile, 3 are not known anywhere, "
        "about 2 nobody answered; the last: a profile (professional), 3 minutes ago."
    )
    assert social.state == "works"


@pytest.mark.parametrize("kind", ["template", "send_hour", "interaction"])
async def test_every_kind_of_decision_is_said_in_words(kind: str) -> None:
    arm = "86" if kind == "send_hour" else "hello"
    candidates = [[arm, ""], ["87", "quiet_hours"]]
    row = a_decision(kind=kind, arm=arm, candidates=candidates, policy="rules", policy_version=0)
    told = await reading(await a_store(decisions={"d1": row}), StillClock(), PARTS).overview()
    assert "_" not in told.decisions[0].said + told.decisions[0].why + str(
        told.decisions[0].refused
    )


async def test_however_many_look_the_store_is_asked_once_a_second() -> None:
    class Counted(MemoryStore):
        asked = 0

        async def latest(self, table: str, limit: int) -> list[dict[str, Any]]:
            Counted.asked += table == "decisions"
            return await super().latest(table, limit)

    reader = reading(Counted(MemoryDatabase()), StillClock(), {})
    for _ in range(20):
        await reader.overview()
    assert Counted.asked == 1


def test_of_a_person_no_more_than_a_letter_and_the_domain_is_shown() -> None:
    counts = {
        "people": {"people": 1, "known": 1, "customers": 0},
        "presences": {"found": 0, "none": 0, "unknown": 0},
        "sales": {"currencies": [], "unread": 0},
        "sends": dict.fromkeys(
            ("waiting", "handing over", "handed over", "deferred", "bounced"), 0
        ),
        "engagements": dict.fromkeys(("offered", "shown", "clicked", "submitted"), 0),
        "stages": {},
        "by_version": {},
        "runs": by_status({}),
        "orders": 0,
        "alerts": 0,
        "alerts_open": 0,
        "paused": ["leads"],
        "arms": {},
        "work": {},
        "bounds": {},
    }
    facts = {
        "counts": counts,
        "acts": {},
        "decisions": [{**a_decision(), "id": "d1"}],
        "decided": 1,
        "rewarded": 0,
        "alerts": [{"visitor": "v1", "at": NOON, "kind": "address bounced"}],
        "likely": {"v1": {"value": 0.0}},
        "by_people": 0,
        "newest": dict.fromkeys(("send", "late", "offer", "order", "snapshot", "seen")),
        "addresses": {"v1": "ann.secret@example.com"},
        "order_of_stages": {},
        "mail_waits": "",
    }
    test = {"path": "leads", "stage": "talk", "verdict": "alarm", "published": True}
    told = overview(facts, {}, NOON, [test, test | {"published": False}])
    [alarm] = told.alarms
    assert alarm.startswith("Split test of leads, stage talk: visitors do not come by the shares")
    assert told.decisions[0].who == "a…@example.com"
    assert told.paused == "Paused: leads"
    [alert] = told.alerts
    assert alert.said == "the address does not work; under 0.1 % likely to buy within 30 days"
    assert len(bots_now(facts, {}, NOON)) == len(JOBS)
    assert "secret" not in repr(told)


def test_the_tile_of_revenue_adds_no_two_currencies() -> None:
    euros = {"currency": "EUR", "revenue": 1519.0, "refunded": 49.0}
    dollars = {"currency": "USD", "revenue": 12_040.5, "refunded": 0.0}
    assert _revenue({"currencies": [euros, dollars], "unread": 1}) == (
        "Revenue, EUR",
        "1,519.00",
        (
            "after refunds; and 12,040.50 USD; 49.00 EUR given back; "
            "1 order with a sum that could not be taken as told"
        ),
    )
    yen = {"currency": "JPY", "revenue": 4_990.0, "refunded": 0.0}
    assert _revenue({"currencies": [yen], "unread": 0})[1] == "4,990"
    assert _revenue({"currencies": [], "unread": 0}) == ("Revenue", "0.00", "after refunds")
