"""Find conditions that hold for nobody, and branches of an `any` that never do.

Rules
1. Only what is certain is told (`agents.rules.domains`): a condition that is merely rare is the marketer's own affair.
2. A branch is looked at together with all that must hold around it. Branches of a cohort that is named are that
   cohort's own affair: it may be named in many places.
3. What holds for everybody is no mistake under a `not`, where it is ruled out with others.
4. Only what excludes each other by itself is told as such. A condition that is ruled out may be so in several ways, and
   what stands beside it may close one of them: that alone is no contradiction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.rules.atoms import Literal, Origin
from agents.rules.condition_models import Condition
from agents.rules.satisfying import Around, Search
from agents.rules.source import Location

SHOWN_MAX = 120
"""Characters of a condition that is told."""

NEVER = "never holds"
"""Ends what is told of a condition that nobody can meet whatever stands beside it."""

Found = tuple[Location, str]
"""Where, and what."""


def contradiction(
    condition: Condition, at: Location, around: Around, beside: Sequence[Origin] = ()
) -> Found | None:
    """Return where the first contradiction of a condition is completed, and which; None: there is none.

    Args:
        condition: what is asked.
        at: where it stands.
        around: the cohorts and scores it may name.
        beside: what holds whenever it is asked.
    """
    asked = Origin(at, condition, wanted=True)
    if condition.any_of is not None:  # of several branches that are all dead the first is told
        return _dead_branch(asked, around, beside)
    return _refused(asked, around, beside) or _dead_branch(asked, around, beside)


def rules_out(conditions: Sequence[Origin], around: Around) -> str:
    """Say which of some conditions exclude each other; empty: they can all be met."""
    search = Search(around)
    return "" if search.can_be_met(conditions) else _told(_excluding(search, conditions))


def _refused(asked: Origin, around: Around, beside: Sequence[Origin]) -> Found | None:
    """Return where and why this cannot be met; None: it can."""
    search = Search(around)
    if search.can_be_met([*beside, asked]):
        return None
    at, found = asked.at, _excluding(search, [*beside, asked])
    if len(found) == 1:
        at = next((each.at for each in reversed(found[0]) if each.at[: len(at)] == at), at)
    return at, _told(found)


def _excluding(search: Search, conditions: Sequence[Origin]) -> list[list[Origin]]:
    """Return sets of conditions that exclude each other, for a search of these that found no way.

    Where each way ended at such a set, all of them; else those that must all be met at once, or the fewest of these.
    """
    ways: list[list[Origin]] = []
    for clash in search.clashes:
        way = _origins(clash)
        if not any(_are_same(way, other) for other in ways):
            ways.append(way)
    certain = [way for way in ways if not Search(search.around).can_be_met(way)]
    if len(certain) == len(ways):
        return certain
    parts = [part for each in conditions for part in _parts(each)]
    for way in certain:
        if all(each in parts for each in way):
            return [way]
    return [_fewest(parts, search)]


def _origins(clash: Sequence[Literal]) -> list[Origin]:
    """Return the conditions that statements come from, each once, as they are written.

    A branch is looked at after what stands behind it.
    """
    found: list[Origin] = []
    for each in clash:
        if each.origin is not None and each.origin not in found:
            found.append(each.origin)
    return sorted(found, key=lambda origin: [(isinstance(part, int), part) for part in origin.at])


def _are_same(ones: Sequence[Origin], others: Sequence[Origin]) -> bool:
    """Say whether these are the same conditions, in whatever order."""
    return len(ones) == len(others) and all(each in others for each in ones)


def _parts(origin: Origin) -> list[Origin]:
    """Return the conditions that must all be met for one to be, or ruled out."""
    condition, at = origin.condition, origin.at
    if condition.none_of is not None:
        inner = [((*at, "not"), condition.none_of, not origin.wanted)]
    elif condition.all_of is not None and origin.wanted:
        inner = [((*at, "all", i), each, True) for i, each in enumerate(condition.all_of)]
    elif condition.any_of is not None and not origin.wanted:
        inner = [((*at, "any", i), each, False) for i, each in enumerate(condition.any_of)]
    else:
        return [origin]
    return [
        part
        for place, each, wanted in inner
        for part in _parts(Origin(at if origin.cohort else place, each, wanted, origin.cohort))
    ]


def _fewest(conditions: Sequence[Origin], search: Search) -> list[Origin]:
    """Return as few of these as cannot all be met, in their order."""
    left = [*conditions]
    for each in conditions:
        without = [other for other in left if other is not each]
        if not Search(search.around).can_be_met(without):
            left = without
    return left


def _dead_branch(asked: Origin, around: Around, beside: Sequence[Origin]) -> Found | None:
    """Return the first branch of an `any` that goes with nothing around it, in what can be met as a whole."""
    condition, at = asked.condition, asked.at
    if condition.none_of is not None or not asked.wanted:
        return None
    branches = [
        Origin((*at, "any", i), each, True) for i, each in enumerate(condition.any_of or [])
    ]
    for branch in branches:
        found = _refused(branch, around, beside) or _dead_branch(branch, around, beside)
        if found is not None:
            return found
    parts = [Origin((*at, "all", i), each, True) for i, each in enumerate(condition.all_of or [])]
    for index, part in enumerate(parts):
        others = [*beside, *parts[:index], *parts[index + 1 :]]
        found = _dead_branch(part, around, others)
        if found is not None:
            return found
    return None


# -------------------------------------------------------------------------------------- words


def _told(ways: Iterable[Sequence[Origin]]) -> str:
    """Say in a marketer's words what excludes each other."""
    return "; and ".join(dict.fromkeys(_clash(way) for way in ways))


def _clash(origins: Sequence[Origin]) -> str:
    first, last = origins[0], origins[-1]
    if first.condition == last.condition and first.wanted != last.wanted:
        asked = first if first.wanted else last
        return f"{_words(asked)} is asked for and ruled out at once"
    said = list(dict.fromkeys(map(_words, origins)))
    if len(said) == 1:
        return f"{said[0]} {NEVER}"
    return f"{', '.join(said[:-1])} and {said[-1]} cannot hold at once"


def _words(origin: Origin) -> str:
    """Return a condition as it is written, and by which cohort it is asked for."""
    data = origin.condition.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    ((key, value),) = data.items()
    words = f"`{key}: {_flow(value)}`"
    if len(words) > SHOWN_MAX:
        words = words[: SHOWN_MAX - 1] + "…`"
    asked = words if origin.wanted else f"not {words}"
    return f"{asked} (of the cohort {origin.cohort})" if origin.cohort else asked


def _flow(value: object) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, dict):
        pairs = sorted(
            value.items(), key=lambda pair: pair[0] != "name"
        )  # of what, then what of it
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
