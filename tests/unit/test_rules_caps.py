"""Caps count what went out when it went out, and what may go out at any moment as of now."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import msgspec

from agents.rules.compiled import Cap
from agents.rules_manager.calendar import caps_free_at
from agents.rules_manager.state import Touch
from agents.rules_manager.touching import touches_of
from tests.rules_builders import MONDAY, OneVisitor, a_view, some_rules
from tests.unit.test_rules_engaging import OnSite, an_interaction

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAILY = [Cap(channel="email", count=1, hours=20)]


def test_a_touch_that_went_out_frees_the_cap_after_its_hours() -> None:
    touch = Touch(NOON - timedelta(hours=19), "email", "s")
    assert caps_free_at([touch], DAILY, "email", NOON, now=NOON) == NOON + timedelta(hours=1)


def test_a_reserved_touch_that_waits_longer_than_the_cap_still_holds_it() -> None:
    waiting = Touch(NOON - timedelta(hours=30), "email", "s", open=True)
    assert caps_free_at([waiting], DAILY, "email", NOON, now=NOON) == NOON + timedelta(hours=20)
    later = NOON + timedelta(days=3)
    assert caps_free_at([waiting], DAILY, "email", later, now=NOON) == later


def test_a_touch_is_open_until_its_send_has_an_end() -> None:
    lead = OneVisitor(a_view(some_rules()))
    lead.outcome = ""
    lead.enter()
    while not lead.plans:
        lead.pass_time(1)
    assert [touch.open for touch in lead.state.touches] == [True]
    lead.settle(lead.plans[0], "handed over")
    assert [touch.open for touch in lead.state.touches] == [False]


# --------------------------------------------------------------------------- all channels together

TWO_A_DAY = Cap(channel="total", count=2, hours=24)


def on_site(*caps: Cap) -> OnSite:
    """Return a visitor on the site, under the caps of one path."""
    ann = OnSite(*(an_interaction(name, per_day=9) for name in "abc"))
    rules = ann.view.rules
    path = msgspec.structs.replace(next(iter(rules.paths.values())), caps=[*caps])
    rules = dataclasses.replace(rules, paths={path.name: path})
    ann.view = msgspec.structs.replace(ann.view, rules=rules)
    return ann


def test_offers_and_emails_keep_the_cap_on_all_channels_together() -> None:
    ann = on_site(TWO_A_DAY)
    ann.state.touches = [Touch(MONDAY - timedelta(hours=2), "email", "s")]
    (first,) = ann.enters("a")
    assert ann.enters("b") == [], "what may still be seen counts as of now"
    ann.ends(first, "expired", seen=False)
    (second,) = ann.enters("b")
    ann.ends(second, "shown", seen=True)
    ann.ends(second, "dismissed", seen=True)
    assert ann.enters("c") == []
    ann.now += timedelta(hours=22)
    ann.began = ann.now
    (third,) = ann.enters("c")
    ann.ends(third, "shown", seen=True)
    free = caps_free_at(touches_of(ann.state), [TWO_A_DAY], "email", ann.now, now=ann.now)
    assert free == MONDAY + timedelta(hours=24), "the first that was seen frees it"
    emails = Cap(channel="email", count=2, hours=24)
    assert caps_free_at(touches_of(ann.state), [emails], "email", ann.now, now=ann.now) == ann.now


def test_without_a_cap_on_all_channels_offers_keep_their_own_alone() -> None:
    ann = on_site(*DAILY)
    ann.state.touches = [Touch(MONDAY, "email", str(number)) for number in range(9)]
    assert len(ann.enters("a")) == len(ann.enters("b")) == 1


def test_what_was_seen_counts_for_the_cap_long_after_the_offer_is_forgotten() -> None:
    ann = on_site(Cap(channel="total", count=1, hours=72))
    (first,) = ann.enters("a")
    ann.ends(first, "clicked", seen=True)
    ann.now += timedelta(hours=71)
    ann.began = ann.now
    assert ann.enters("b") == []
    assert first.engagement_id not in ann.state.offered
    ann.now += timedelta(hours=1)
    assert len(ann.enters("c")) == 1


def test_an_email_waits_for_the_cap_on_all_channels_together() -> None:
    lead = OneVisitor(a_view(some_rules()))
    rules = lead.view.rules
    paths = {
        name: msgspec.structs.replace(path, caps=[Cap("total", 1, 48)])
        for name, path in rules.paths.items()
    }
    lead.view = msgspec.structs.replace(lead.view, rules=dataclasses.replace(rules, paths=paths))
    lead.state.shown = [lead.now]
    began = lead.now
    lead.enter()
    while not lead.plans:
        lead.pass_time(1)
    assert lead.now >= began + timedelta(hours=48)
