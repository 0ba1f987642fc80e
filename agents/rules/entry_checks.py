"""Find what is wrong with how a path is entered."""

from __future__ import annotations

from collections.abc import Iterator

from agents.rules.models import PathFile
from agents.rules.source import Source
from messaging.vocabulary.errors import RuleError


def check_entry(source: Source, path: PathFile) -> Iterator[RuleError]:
    """Give every error of a path's entry and re-entry."""
    entry = path.entry
    if entry.event is not None and entry.event in path.goal:
        problem = f"{entry.event} starts a run and is its goal: every run would end as it begins"
        hint = "name as the goal what the path is to lead to"
        yield source.error(("entry", "event"), problem, hint)
    is_told_apart = entry.event is not None or entry.api
    if path.reentry == "keyed" and not is_told_apart:
        problem = "a cohort, a date or a list has no key that would tell runs apart"
        hint = "enter by an event or by api, or write reentry: after_end"
        yield source.error(("reentry",), problem, hint)
    elif path.reentry == "keyed" and entry.event is not None and path.key is None:
        problem = "reentry: keyed needs the event's property that tells runs apart"
        yield source.error(("reentry",), problem, "add `key: order_id`, or whatever it is called")
    if path.key is not None and path.reentry != "keyed":
        hint = "write reentry: keyed, or take the key out"
        yield source.error(("key",), f"with reentry: {path.reentry} no key is looked at", hint)
