"""Say what all bots are doing: facts of the store and the parts' numbers in, plain words out.

Rules
1. A bot is said to do what its newest row or its numbers show, never what it might.
2. Of a person no more than is needed to tell two apart stands here: the first letter and the domain.
3. Times are world time; how long ago is world time too, as all waits of the routine are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from learning.serving.probability import HORIZON_DAYS
from learning.serving.split_test import ALARM
from messaging.gateway.console.delivered import Advice
from messaging.gateway.console.learned import PolicyLine
from messaging.gateway.told import Decided, Overview, PathNow, StageNow, Waiting
from messaging.vocabulary.effects import HARM
from scripts.alert_cards import page_of, words_of
from scripts.choices import decided, how_likely, policy_words, refusals, whose_hours
from scripts.counting import counted
from scripts.doing import bots_now
from scripts.experiments import verdict_words
from scripts.known import chance
from scripts.lead_words import because
from scripts.lift import lift_now
from scripts.older import still_there
from scripts.reasons import why
from scripts.refused import LATELY_DAYS
from scripts.visible import plain, shown
from scripts.wording import moment
from scripts.working import both, tasks
from scripts.worth import amount_said, back_said, revenue_said, unread_said

Facts = dict[str, Any]
Numbers = dict[str, dict[str, float]]

GOING = ("planned", "sending", "waiting", "visiting")
CALLS = ("alerted",)
LATELY = f"in the last {LATELY_DAYS} days"


def overview(
    facts: Facts,
    parts: Numbers,
    now: datetime,
    tests: Iterable[Facts] = (),
    fails: Iterable[Advice] = (),
    policies: Iterable[PolicyLine] = (),
) -> Overview:
    """Return what all bots do at a moment of world time.

    `tests`: the split tests. `fails`: which templates failed lately. `policies`: what is learned of.
    """
    facts = plain(facts)
    counts = facts["counts"]
    told = tasks(facts)
    machine, people = both(told)
    return Overview(
        at=now,
        world=_world(parts, now),
        paused=_paused(facts["counts"]["paused"]),
        tiles=_tiles(facts),
        work=_work(facts, machine, people),
        machine_percent=100 * machine / (machine + people) if machine + people else 100.0,
        bots=bots_now(facts, parts, now),
        paths=[_path(name, facts) for name in sorted(counts["stages"])],
        decisions=[_decided(row, facts) for row in facts["decisions"]],
        alerts=[_waiting(row, facts) for row in facts["alerts"]],
        alerts_open=counts["alerts_open"],
        alarms=[_alarm(test) for test in tests if test["verdict"] == ALARM and test["published"]],
        taken_back=[f"{each.said}." for each in policies if each.is_taken_back],
        failing=[(each.template, f"{each.what} {LATELY}.") for each in fails],
        mail_waits=facts["mail_waits"],
        tasks=told,
        lifts=[lift_now(path, arms) for path, arms in sorted(counts["arms"].items())],
    )


def who(visitor: str, addresses: dict[str, str]) -> str:
    """Return whom a row is about, without saying who they are.

    >>> who("0a1b2c3d", {"0a1b2c3d": "ann@example.com"}), who("0a1b2c3d", {})
    ('a…@example.com', 'visitor 0a1b2c')
    """
    name, at, domain = addresses.get(visitor, "").rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"visitor {visitor[:6]}"


def _alarm(test: Facts) -> str:
    where = f"{test['path']}, stage {test['stage']}"
    return f"Split test of {shown(where)}: {verdict_words(test)}."


def _world(parts: Numbers, now: datetime) -> str:
    clock = parts.get("clock-1")
    pace = f", {clock['speed_reached']:,.0f} × as fast" if clock is not None else ""
    return f"{moment(now)}{pace}"


def _paused(paths: Any) -> str:
    if paths == "all":
        return "Paused: no e-mail is handed over"
    return f"Paused: {', '.join(map(shown, paths))}" if paths else ""


def _revenue(sales: Facts) -> tuple[str, str, str]:
    """Return the tile of what was sold in the currency of most orders; its note has all others."""
    main, *others = [each for each in sales["currencies"] if each["revenue"]] or [
        {"revenue": 0.0, "currency": ""}
    ]
    title = f"Revenue, {main['currency']}" if main["currency"] else "Revenue"
    notes = ["after refunds"]
    if others:
        notes.append("and " + revenue_said({"currencies": others}))
    if back_said(sales):
        notes.append(f"{back_said(sales)} given back")
    if unread_said(sales):
        notes.append(unread_said(sales))
    return title, amount_said(main["revenue"], main["currency"]), "; ".join(notes)


def _tiles(facts: Facts) -> list[tuple[str, str, str]]:
    counts = facts["counts"]
    people, sales = counts["people"], counts["sales"]
    waiting = "wait" if counts["alerts_open"] != 1 else "waits"
    return [
        ("People", f"{people['people']:,}", f"{people['known']:,} with an address"),
        ("Customers", f"{people['customers']:,}", counted(counts["orders"], "orders")),
        _revenue(sales),
        (
            "E-mails",
            f"{counts['sends']['handed over']:,}",
            f"handed over; {counts['sends']['bounced']:,} came back",
        ),
        (
            "On the site",
            f"{sum(counts['engagements'].values()):,}",
            f"offers made; {counts['engagements']['clicked'] + counts['engagements']['submitted']:,} answered",
        ),
        (
            "Alerts",
            f"{counts['alerts_open']:,}",
            f"{waiting} for a person; {counts['alerts']:,} in all",
        ),
    ]


def _work(facts: Facts, machine: int, people: int) -> str:
    """Say both counts, and what a piece of work is."""
    return (
        f"Of what both can do, the machine did {counted(machine, 'tasks')} and people {counted(people, 'tasks')}, "
        f"each for one visitor and step; people answered {counted(facts['by_people'], 'alerts')}."
    )


def _path(name: str, facts: Facts) -> PathNow:
    stages: dict[str, dict[str, int]] = facts["counts"]["stages"][name]
    standing = facts["counts"]["by_version"].get(name, {})
    order = facts["order_of_stages"].get(name)
    names = [*(order or ()), *(each for each in stages if each not in (order or ()))]
    lost = [each for each in names if order is not None and each not in order]
    return PathNow(
        name=name,
        stages=[
            _stage(each, stages.get(each, {}), still_there(standing, each) if each in lost else "")
            for each in names
        ],
        note=still_there(standing) if order is None else "",
    )


def _stage(name: str, counts: dict[str, int], note: str) -> StageNow:
    going = sum(counts.get(status, 0) for status in GOING)
    calls = sum(counts.get(status, 0) for status in CALLS)
    won = counts.get("won", 0)
    return StageNow(
        name=name,
        going=going,
        won=won,
        calls=calls,
        over=sum(counts.values()) - going - calls - won,
        note=note,
    )


def _decided(row: Facts, facts: Facts) -> Decided:
    return Decided(
        id=row["id"],
        at=moment(row["at"]),
        visitor=row["visitor"],
        who=who(row["visitor"], facts["addresses"]),
        said=decided(row, brief=True),
        why=_why(row),
        refused=refusals(row),
    )


def _why(row: Facts) -> str:
    """Return who chose, and how likely the choice was."""
    policy, version = row["policy"], row["policy_version"]
    if row.get("holdout") or policy == "rules":
        return how_likely(row)
    learned = f"version {version:,}" if version else "nothing learned yet"
    hours = f" and {whose}" if (whose := whose_hours(row)) else ""
    reason = f", {told}" if (told := because(row)) else ""
    said = f"{how_likely(row)}{reason}"
    return f"{said}; by the policy {policy_words(policy)}, {learned}{hours}"


def _waiting(row: Facts, facts: Facts) -> Waiting:
    if policy := row.get("policy", ""):
        about = words_of(policy) + ("" if row["kind"] == HARM else f" of {row['path']}")
        return Waiting(
            at=moment(row["at"]),
            visitor="",
            who=shown(about),
            said=why(row["kind"]),
            page=page_of(row),
        )
    tried = len(row.get("history") or ())
    after = f" after {counted(tried, 'e-mails')}" if tried else ""
    return Waiting(
        at=moment(row["at"]),
        visitor=row["visitor"],
        who=who(row["visitor"], facts["addresses"]),
        said=f"{why(row['kind'])}{after}{_likely(facts['likely'].get(row['visitor']))}",
    )


def _likely(told: Facts | None) -> str:
    """Return what helps whoever answers an alert to begin where it is worth most; empty where nothing was learned.

    >>> _likely({"value": 0.124}), _likely(None)
    ('; 12 % likely to buy within 30 days', '')
    >>> _likely({"value": 0.124, "made_up": True})
    '; 12 % likely to buy within 30 days, as made-up people were'
    """
    if told is None:
        return ""
    whose = ", as made-up people were" if told.get("made_up") else ""
    return f"; {chance(told['value'])} likely to buy within {HORIZON_DAYS} days{whose}"
