"""Compile how people come onto a path.

Rules
1. An entry by a date or a list is a cohort that nobody wrote (`entry_cohort`): Behavior finds out who is in it as it
   does for every other, at the moment it happens, without any scan.
2. An entry by an event is no cohort, since it may happen again and again: Behavior tells Rules of each one
   (`agents.behavior_bot.entries`). So does a call of the API.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.rules.compiled import EntryRule, EventEntry
from agents.rules.condition_models import Condition
from agents.rules.flow import question
from agents.rules.models import Cohort, DateEntry, Entry, PathFile
from agents.rules.operators import properties_test
from agents.rules.time_models import DateIs


def entry_cohort(path: str) -> str:
    """Return the name of the hidden cohort whose entering starts a run of a path: that of no step.

    >>> entry_cohort("birthday")
    '.birthday.'
    """
    return question(path, "")


def entry_cohorts(paths: Mapping[str, PathFile]) -> dict[str, Cohort]:
    """Return the hidden cohorts of the paths that are entered by a date or a list."""
    found: dict[str, Cohort] = {}
    for name, path in paths.items():
        if path.entry.date is not None:
            found[entry_cohort(name)] = Cohort(when=Condition(date=_day(path.entry.date)))
        elif path.entry.in_list is not None:
            found[entry_cohort(name)] = Cohort(when=Condition(in_list=path.entry.in_list))
    return found


def _day(entry: DateEntry) -> DateIs:
    if entry.anniversary:
        return DateIs(trait=entry.trait, days_after_anniversary=entry.offset_days)
    return DateIs(trait=entry.trait, days_after=entry.offset_days)


def event_entries(paths: Mapping[str, PathFile]) -> dict[str, list[EventEntry]]:
    """Return event name -> the paths that it starts a run of."""
    found: dict[str, list[EventEntry]] = {}
    for name, path in paths.items():
        entry = path.entry
        if entry.event is not None:
            test = properties_test(entry.where) if entry.where else None
            found.setdefault(entry.event, []).append(EventEntry(name, test, path.key or ""))
    return found


def entry_rule(name: str, path: PathFile) -> EntryRule:
    """Return what starts a run of a path."""
    entry = path.entry
    is_hidden = entry.date is not None or entry.in_list is not None
    return EntryRule(
        cohort=entry_cohort(name) if is_hidden else entry.cohort or "",
        event=entry.event or "",
        key=path.key or "",
        api=entry.api,
        said=said(entry),
    )


def said(entry: Entry) -> str:
    """Return what starts a run, in words.

    >>> said(Entry(date=DateEntry(trait="birthday", offset_days=-7, anniversary=True), api=True))
    '7 days before each anniversary of birthday, or a call of the API'
    """
    causes = ["a call of the API"] if entry.api else []
    if entry.cohort is not None:
        causes.insert(0, f"cohort {entry.cohort}")
    elif entry.event is not None:
        asked = " with such properties" if entry.where else ""
        causes.insert(0, f"event {entry.event}{asked}")
    elif entry.in_list is not None:
        causes.insert(0, f"list {entry.in_list}")
    elif entry.date is not None:
        causes.insert(0, _said_day(entry.date))
    return ", or ".join(causes)


def _said_day(date: DateEntry) -> str:
    day = f"each anniversary of {date.trait}" if date.anniversary else f"the day of {date.trait}"
    if not date.offset_days:
        return day
    days = abs(date.offset_days)
    way = "after" if date.offset_days > 0 else "before"
    return f"{days} day{'s' if days > 1 else ''} {way} {day}"
