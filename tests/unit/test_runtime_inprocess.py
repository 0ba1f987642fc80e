"""The simulator's promises: what the durable runtime does with wake-ups, it does as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agents.protocol.bot import View
from agents.runtime.fold import Poisoned, TooDeep
from agents.runtime.inprocess import InProcess
from config.load import DEFAULTS, compile_files, read_folder
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import (
    anonymous_key,
    email_key,
    partition_of,
    position,
    visitor_id_for,
)
from messaging.vocabulary.messages import Arrived
from scripts.bench_simulator import default_view
from tests.behavior_builders import a_page, a_record, an_identify

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
VISITOR = visitor_id_for(email_key("ann@example.com"))


def a_lead_identified() -> Record:
    """Return the event by which a browser's visitor becomes a lead that may be written to."""
    call = {
        "type": "identify",
        "anonymousId": "b1",
        "traits": {"email": "ann@example.com", "email_consent": True},
    }
    raw = msgspec.json.encode(call)
    return Record(position(1, 1), "m1", partition_of(VISITOR), START, START, "", raw)


def a_view_of_two_paths() -> View:
    """Return the routine beside a second path that the same people enter at the same moment."""
    files = read_folder(DEFAULTS)
    routine = next(text for name, text in files.items() if name.startswith("paths/"))
    files["paths/club.yaml"] = routine.replace("goal: [Order Completed]", "goal: [Club Joined]")
    rules = compile_files(files, 1)
    return View(rules, 1, {1: rules}, {}, learning=False)


def test_a_wake_up_that_a_step_put_off_still_comes() -> None:
    """Both runs are due at one moment and the cap lets one of them pass: the other is put off, not lost."""
    simulator = InProcess(a_view_of_two_paths(), START)
    simulator.feed([a_lead_identified()])
    simulator.advance(START + timedelta(days=60))
    handed_over: dict[str, list[datetime]] = {}
    for row in simulator.rows:
        if row.table == "sends" and row.fields["status"] == "handed over":
            handed_over.setdefault(row.fields["path"], []).append(row.fields["at"])
    first, second = sorted(min(times) for times in handed_over.values())
    assert timedelta(hours=20) <= second - first <= timedelta(hours=24)
    assert {path: len(times) for path, times in handed_over.items()} == {
        "lead-to-customer": 4,
        "club": 4,
    }


def test_what_a_long_merged_visitor_did_arrives_however_many_merges_lie_between() -> None:
    """Somebody logs in on ever older browsers: each merge moves all of them on."""
    hops = 60
    simulator = InProcess(default_view(), START)
    simulator.feed([a_page(n, f"ch{n}") for n in range(1, hops + 1)])
    logins = [
        an_identify(100 + n, "u1", anonymousId=f"ch{hops + 1 - n}") for n in range(1, hops + 1)
    ]
    simulator.feed(logins)
    youngest, oldest = (visitor_id_for(anonymous_key(each)) for each in (f"ch{hops}", "ch1"))
    assert simulator.held("behavior", youngest).moved
    left = {"type": "unsubscribed", "visitor": youngest, "send_id": "s1"}
    simulator.tell("behavior", Arrived(youngest, simulator.now, a_record(500, **left)))
    state = simulator.held("behavior", oldest).state
    assert state.counters["page"] == hops
    assert state.unsubscribed_at > 0


def test_a_circle_of_tombstones_comes_to_an_end() -> None:
    """No rule makes one. If a fault did, a message must not go round for ever."""
    simulator = InProcess(default_view(), START)
    one, other = (visitor_id_for(anonymous_key(each)) for each in ("a", "b"))
    simulator.held("behavior", one).moved = other
    simulator.held("behavior", other).moved = one
    with pytest.raises(Poisoned) as raised:
        simulator.tell("behavior", Arrived(one, START, a_page(1, "a")))
    assert isinstance(raised.value.cause, TooDeep)
