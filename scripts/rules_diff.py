"""Say in plain words what differs between two sets of rule files. Pure.

Rules
1. Things are compared, not lines: a path, a cohort, a score, a template or a sender is what its name says, wherever
   it stands in its file; a stage or a template of a stage is found by its name.
2. What differs only in comments or layout is said to be that. Files that cannot be read are compared as text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from agents.rules.source import parse
from messaging.vocabulary.errors import RuleError

Files = Mapping[str, str]

IN_ONE_FILE = {"cohorts.yaml": "cohorts", "scores.yaml": "scores", "senders.yaml": "senders"}
"""File -> the key under which its things stand; any other file is one thing."""

NAMING = ("name", "id")
"""Keys that name an entry of a list."""

VALUE_CHARACTERS_MAX = 60
"""A longer text is not repeated: how many of its lines changed is said."""


class Change(msgspec.Struct, frozen=True):
    """Name one difference."""

    what: str
    """`path lead-to-customer`, `cohort eager`, …"""
    how: str
    """`added`, `removed`, `changed`, or `written differently`."""
    where: str = ""
    """`stage cart, email, window hours`; empty for the whole thing."""
    before: Any = None
    after: Any = None


class _Named(dict[str, Any]):
    """Hold a list's entries by their names, in order."""


def changes(before: Files, after: Files) -> list[Change]:
    """Return what differs, by kind and name."""
    found: list[Change] = []
    old, new = _things(before), _things(after)
    told: set[str] = set()
    for key in sorted(old.keys() | new.keys()):
        (file, what) = key
        if key not in new or key not in old:
            found.append(Change(what, "added" if key in new else "removed"))
            told.add(file)
        elif some := list(_compared(what, old[key], new[key])):
            found += some
            told.add(file)
    for file in sorted(before.keys() & after.keys() - told):
        if before[file] != after[file]:
            found.append(Change(f"file {file}", "written differently"))
    return found


def unified(before: Files, after: Files) -> str:
    """Return the differences as a unified diff, file by file; empty where there are none."""
    lines: list[str] = []
    for file in sorted(before.keys() | after.keys()):
        old, new = before.get(file, ""), after.get(file, "")
        if old != new:
            ends = (
                (f"a/{file}" if file in before else "/dev/null"),
                (f"b/{file}" if file in after else "/dev/null"),
            )
            lines += difflib.unified_diff(old.splitlines(), new.splitlines(), *ends, lineterm="")
    return "\n".join(lines)


def sentence(change: Change) -> str:
    """Return a difference in words.

    >>> sentence(Change("path club", "changed", "attempts, total", 4, 3))
    'path club: attempts, total is 3, was 4'
    """
    where = f": {change.where}" if change.where else ""
    match change.how:
        case "changed" if _is_long(change.before) or _is_long(change.after):
            return f"{change.what}{where}: {_lines_changed(change.before, change.after)}"
        case "changed":
            return f"{change.what}{where} is {_said(change.after)}, was {_said(change.before)}"
        case "added" | "removed" if change.where:
            value = change.after if change.how == "added" else change.before
            said = "" if value is None or _is_long(value) else f" ({_said(value)})"
            return f"{change.what}{where} was {change.how}{said}"
        case "written differently":
            return f"{change.what} differs only in comments or layout"
        case _:
            return f"{change.what} was {change.how}"


def _things(files: Files) -> dict[tuple[str, str], Any]:
    """Return (file, kind and name) -> data of everything that has a name."""
    found: dict[tuple[str, str], Any] = {}
    for file, text in files.items():
        try:
            data = parse(file, text).data
        except RuleError:
            data = text
        folder, _, name = file.rpartition("/")
        key = IN_ONE_FILE.get(file)
        if key is not None and isinstance(data, dict) and isinstance(data.get(key), dict):
            for each, value in data[key].items():
                found[file, f"{key.removesuffix('s')} {each}"] = _by_name(value)
        elif folder:
            kind = folder.removesuffix("s")
            found[file, f"{kind} {name.rpartition('.')[0]}"] = _by_name(data)
        else:
            found[file, f"file {file}"] = _by_name(data)
    return found


def _by_name(data: Any) -> Any:
    """Return data with each list of named entries as a mapping in order."""
    if isinstance(data, dict):
        return {key: _by_name(value) for key, value in data.items()}
    if not isinstance(data, list):
        return data
    names = [_name_of(each) for each in data]
    is_named = any(isinstance(each, dict) for each in data) and all(names)
    if is_named and len(set(names)) == len(names):
        return _Named(
            {
                name: _by_name(each if isinstance(each, dict) else {"id": each})
                for name, each in zip(names, data, strict=True)
            }
        )
    return [_by_name(each) for each in data]


def _name_of(entry: Any) -> str:
    if isinstance(entry, str):
        return entry  # a template of a stage may be its bare id
    if isinstance(entry, dict):
        return next((str(entry[key]) for key in NAMING if key in entry), "")
    return ""


def _compared(what: str, before: Any, after: Any, at: tuple[str, ...] = ()) -> Iterator[Change]:
    where = ", ".join(at)
    before, after = _alike(before, after), _alike(after, before)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = (*at, _word(key, is_entry=isinstance(before, _Named)))
            if key in before and key in after:
                yield from _compared(what, before[key], after[key], inner)
            elif key in after:
                yield Change(what, "added", ", ".join(inner), after=_shown(after[key]))
            else:
                yield Change(what, "removed", ", ".join(inner), before=_shown(before[key]))
        kept = [key for key in before if key in after]
        moved = [key for key in after if key in before]
        if isinstance(before, _Named) and isinstance(after, _Named) and kept != moved:
            yield Change(what, "changed", f"{where}, order".lstrip(", "), kept, moved)
    elif before != after:
        yield Change(what, "changed", where, _shown(before), _shown(after))


def _alike(value: Any, other: Any) -> Any:
    """Return a list of bare ids by name where the other side has more to say of an entry."""
    if isinstance(other, _Named) and isinstance(value, list) and all(map(_is_id, value)):
        return _Named({name: {"id": name} for name in value})
    return value


def _is_id(value: Any) -> bool:
    return isinstance(value, str)


def _word(key: str, *, is_entry: bool) -> str:
    """Return how a step inwards is called: a name as it is, a field in words.

    >>> _word("in-cart", is_entry=True), _word("window_hours", is_entry=False)
    ('in-cart', 'window hours')
    """
    return key if is_entry else key.replace("_", " ")


def _shown(value: Any) -> Any:
    """Return a value as it was written."""
    if isinstance(value, _Named):
        return [_shown(each) for each in value.values()]
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value


def _is_long(value: Any) -> bool:
    is_text = isinstance(value, str)
    return is_text and ("\n" in value or len(value) > VALUE_CHARACTERS_MAX)


def _lines_changed(before: Any, after: Any) -> str:
    diff = list(difflib.ndiff(str(before).splitlines(), str(after).splitlines()))
    gone = sum(line.startswith("- ") for line in diff)
    come = sum(line.startswith("+ ") for line in diff)
    return f"the text changed ({gone} lines out, {come} in)"


def _said(value: Any) -> str:
    """Return a value in words.

    >>> _said({"channel": "email", "count": 1}), _said([10, 18]), _said(True), _said("a b")
    ('channel email, count 1', '10 + 18', 'yes', '"a b"')
    """
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_said(each)}" for key, each in value.items())
    if isinstance(value, list):
        return " + ".join(_said(each) for each in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and " " in text else text
