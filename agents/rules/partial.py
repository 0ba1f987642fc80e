"""Read what is well-shaped of a file that holds errors, so that they can all be told at once.

Rules
1. What is wrong is taken out with the smallest part around it that can be spared: a key, an item of a list, an entry.
   What is left is good for looking up the names it holds, and for nothing that asks what is *not* there.
2. What is found in what is left is told only of parts of which nothing was taken: anything else would follow from what
   was told already.
3. Lines stay those of the file, also behind an item that was taken out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from agents.rules.condition_models import Model
from agents.rules.models import PathFile
from agents.rules.reading import errors_of
from agents.rules.source import Location, Source
from messaging.vocabulary.errors import RuleError

SomeModel = TypeVar("SomeModel", bound=Model)

STAND_INS: dict[str, Any] = {
    "title": "x",
    "goal": ["x"],
    "entry": {"api": True},
    "quiet_hours": {"from": 21, "to": 8},
    "caps": [],
    "attempts": {"total": 1, "after_open": 1},
    "response_window_hours": 1,
    "after_visit_hours": 1,
    "alert": {"title": "x"},
    "success": {"template": "x"},
    "sender": "x",
}
"""Key that every path has -> what stands in for it where it is missing, so that the rest can be read."""

ROUNDS_MAX = 50
"""Each takes out more: so many levels a file has at most, and a few."""


class Parts(NamedTuple, Generic[SomeModel]):
    """Hold what is left of a file without what is wrong in it."""

    model: SomeModel | None
    """None: nothing is left."""
    source: Source
    errors: list[RuleError]
    taken: set[Location]
    """What was taken out."""


def read_parts(source: Source, model: type[SomeModel]) -> Parts[SomeModel]:
    """Read a file's model, without what is wrong in it, and find every error."""
    found = [error for _, error in source.problems]
    taken = {place for place, _ in source.problems}
    stand_ins: set[str] = set()
    for _ in range(ROUNDS_MAX):
        if () in taken:
            break
        left = without(source, taken, stand_ins if model is PathFile else ())
        if not isinstance(left.data, dict):
            found += (
                []
                if taken
                else [source.error((), "the file holds no keys", "begin with `key: value` lines")]
            )
            break
        try:
            return Parts(model.model_validate(left.data), left, found, taken)
        except ValidationError as error:
            told = errors_of(left, error, model)
        before = frozenset(taken)
        found += [each for place, each in told if not _touches(left.original(place), before)]
        for place, _ in told:
            spared = _spared(source, left.original(place), before)
            key = str(place[0]) if place else ""
            if spared == () and key in STAND_INS and model is PathFile and key not in stand_ins:
                stand_ins.add(key)
            else:
                taken.add(spared)
    return Parts(None, source, found, taken)


def whole_entries(parts: Parts[SomeModel], source: Source) -> tuple[Source, SomeModel] | None:
    """Return the entries of a file of many (`cohorts: {name: …}`) of which nothing was taken; None: there is none."""
    if parts.model is None:
        return None
    left = without(source, {place[:2] for place in parts.taken})
    try:
        return left, type(parts.model).model_validate(left.data)
    except ValidationError:
        return None  # none is left


def without(source: Source, taken: Iterable[Location], stand_ins: Iterable[str] = ()) -> Source:
    """Return a source without some of its parts; it knows the lines of the others. `stand_ins`: keys that get one."""
    out, added = frozenset(taken), frozenset(stand_ins)
    kept: dict[Location, list[int]] = {}

    def rest(data: Any, at: Location, new: Location) -> Any:
        if isinstance(data, dict):
            return {
                key: rest(each, (*at, key), (*new, key))
                for key, each in data.items()
                if (*at, key) not in out
            }
        if isinstance(data, list):
            kept[new] = [index for index in range(len(data)) if (*at, index) not in out]
            return [
                rest(data[index], (*at, index), (*new, place))
                for place, index in enumerate(kept[new])
            ]
        return data

    data = rest(source.data, (), ())
    if isinstance(data, dict):
        data |= {key: STAND_INS[key] for key in added}
    return Source(source.file, data, source.lines, source.blocks, kept=kept, stand_ins=added)


def _touches(place: Location, taken: Iterable[Location]) -> bool:
    """Say whether something was taken out of a place, or is what stands there."""
    return any(each[: len(place)] == place or place[: len(each)] == each for each in taken)


def _spared(source: Source, place: Location, taken: frozenset[Location]) -> Location:
    """Return what to take out for an error: the part at its place that is there still, or what is around it."""
    if place and place[:-1] in source.lines and place not in source.lines:
        place = place[:-1]  # of what is missing, that which lacks it
    while place and place not in source.lines:
        place = place[:-1]
    while place and any(place[: len(each)] == each for each in taken):
        place = place[:-1]
    return place
