"""Find conditions that hold for nobody, and branches of an `any` that never do.

Rules
1. Only what is certain is told (`agents.rules.domains`): a condition that is merely rare is the marketer's own affair.
2. A branch is looked at together with all that must hold around it. Branches of a cohort that is named are that
   cohort's own affair: it may be named in many places.
3. What holds for everybody is no mistake under a `not`, where it is ruled out with others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.rules.atoms import Literal, Origin
from agents.rules.condition_models import Condition
from agents.rules.satisfying import Around, Search
from agents.rules.source import Location

SHOWN_MAX = 120
"""Characters of a condition that is told."""

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
    return "" if search.can_be_met(conditions) else _told(search.clashes)


def _refused(asked: Origin, around: Around, beside: Sequence[Origin]) -> Found | None:
    """Return where and why this cannot be met; None: it can."""
    search = Search(around)
    if search.can_be_met([*beside, asked]):
        return None
    at = asked.at
    if len(search.clashes) == 1:
        places = [each.origin.at for each in search.clashes[0] if each.origin is not None]
        at = next((place for place in reversed(places) if place[: len(at)] == at), at)
    return at, _told(search.clashes)


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


def _told(clashes: Iterable[Sequence[Literal]]) -> str:
    """Say in a marketer's words what excludes each other."""
    ways = list(dict.fromkeys(_clash(clash) for clash in clashes))
    return "; and ".join(ways)


def _clash(clash: Sequence[Literal]) -> str:
    origins = [each.origin for each in clash if each.origin is not None]
    first, last = origins[0], origins[-1]
    if first.condition == last.condition and first.wanted != last.wanted:
        asked = first if first.wanted else last
        return f"{_words(asked)} is asked for and ruled out at once"
    said = list(dict.fromkeys(map(_words, origins)))
    if len(said) == 1:
        return f"{said[0]} never holds"
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
