"""Tell Rules of the events, and of the calls of the API, that start a run of a path.

Rules
1. What is told long after it happened (an import of the past) starts nothing: nobody is to be thanked for an order of
   last year.
2. It is told after what the event says of the visitor, and after the cohorts that it changes.
"""

from __future__ import annotations

from datetime import timedelta

from agents.behavior_bot.evaluate import Moment
from agents.behavior_bot.intake import NAME_CHARACTERS_MAX, order_text
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.events import BroadcastOrdered, EntryAsked, Record, Track
from messaging.vocabulary.messages import BroadcastReached, EntryMet
from messaging.vocabulary.plans import Broadcast

FRESH = timedelta(days=1)
"""So old an event may be that starts a run: a browser was off line for a while."""


def tell_entries(event: Track, record: Record, here: Moment) -> list[Effect]:
    """Return what Rules is told of an event that starts runs."""
    entries = here.rules.entries.get(event.event[:NAME_CHARACTERS_MAX])
    if not entries or here.now - record.at > FRESH:
        return []
    properties = event.properties or {}
    return [
        _told(here, each.path, key_of(properties.get(each.key)) if each.key else "")
        for each in entries
        if each.test is None or each.test(properties)
    ]


def tell_asked(event: EntryAsked, here: Moment) -> list[Effect]:
    """Return what Rules is told of a call of the API."""
    return [_told(here, event.path, order_text(event.key), by_people=True)]


def tell_broadcast(event: BroadcastOrdered, here: Moment) -> list[Effect]:
    """Return what Rules is told of a broadcast."""
    broadcast = Broadcast(
        event.broadcast, event.template, event.cohort, event.path, event.version, event.priority
    )
    return [Tell("rules", BroadcastReached(here.visitor, here.now, broadcast, event.cancel))]


def key_of(value: object) -> str:
    """Return the key of a run by the value of an event's property: no text, no number, no key."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return order_text(str(value))


def _told(here: Moment, path: str, key: str, *, by_people: bool = False) -> Tell:
    version = here.view.rules_version
    return Tell("rules", EntryMet(here.visitor, here.now, path, version, key, by_people))
