"""Find conditions that hold for nobody: what is asked for and ruled out at once, or two values of what has one.

Rules
1. Only what is certain is told: a condition that is merely rare is the marketer's own affair.
2. `all` in `all` and `any` under `not` are read as one list, and a cohort that is named as what it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from agents.rules.condition_models import Condition
from agents.rules.models import Cohort
from agents.rules.source import Location
from agents.rules.values import plain

ASKED_MAX = 64
"""Looked at of one condition: each is held against all before it, and cohorts may name each other many times."""

Asked = tuple[Location, Condition, bool]
"""Where it stands, what it is, and whether it is asked for (else ruled out)."""


def contradiction(
    condition: Condition, at: Location, cohorts: Mapping[str, Cohort]
) -> tuple[Location, str] | None:
    """Return where the first contradiction of a condition is completed, and which; None: there is none.

    Only the lists are read that must hold as a whole; cohorts must not ask for themselves.
    """
    known: list[Asked] = []
    for asked in islice(_asked(condition, at, cohorts, wanted=True), ASKED_MAX):
        for other in known:
            problem = _clash(asked, other)
            if problem:
                return asked[0], problem
        known.append(asked)
    return None


def _asked(
    condition: Condition, at: Location, cohorts: Mapping[str, Cohort], *, wanted: bool
) -> Iterator[Asked]:
    """Give all that must hold, or must not, for the whole to hold."""
    yield at, condition, wanted
    if condition.none_of is not None:
        yield from _asked(condition.none_of, (*at, "not"), cohorts, wanted=not wanted)
    key, inner = ("all", condition.all_of) if wanted else ("any", condition.any_of)
    for index, each in enumerate(inner or []):
        yield from _asked(each, (*at, key, index), cohorts, wanted=wanted)
    if condition.cohort is not None and condition.cohort in cohorts:
        named = cohorts[condition.cohort].when
        yield from ((at, each, sign) for _, each, sign in _asked(named, at, cohorts, wanted=wanted))


def _clash(left: Asked, right: Asked) -> str:
    """Say why two cannot both be met, empty if they can."""
    (_, one, is_asked), (_, other, other_asked) = left, right
    if one == other and is_asked != other_asked:
        return "this is asked for and ruled out at once"
    if not (is_asked and other_asked):
        return ""
    values, others = _only_value(one), _only_value(other)
    if values and others and values[0] == others[0] and values[1] != others[1]:
        return f"{values[0]} cannot be {values[1]} and {others[1]} at once"
    if one.score is not None and other.score is not None and one.score.name == other.score.name:
        low, high = float("-inf"), float("inf")
        for each in (one.score, other.score):
            low = max(low, each.start if each.start is not None else low)
            high = min(high, each.end if each.end is not None else high)
        if low >= high:
            return f"the score {one.score.name} cannot lie in both ranges at once"
    return ""


def _only_value(condition: Condition) -> tuple[str, str] | None:
    """Return what has one value only, and which one is asked for; None for anything else."""
    if condition.lifecycle is not None:
        return "lifecycle", condition.lifecycle
    if condition.country is not None:
        return "country", plain(condition.country)
    if condition.may_email is not None:
        return "may_email", plain(condition.may_email)
    if condition.in_cart is not None:
        return "in_cart", plain(condition.in_cart)
    trait = condition.trait
    if trait is not None and trait.equals is not None:
        return f"the trait {trait.name}", plain(trait.equals)
    return None
