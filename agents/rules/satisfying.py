"""Search for a way in which conditions can all be met: one branch of each `any` that goes with all the rest.

Rules
1. A search has a budget. Where it ends before the answer is known, the answer is that they can be met: nothing is
   refused because it is long.
2. A cohort that is named is what it asks for; that is looked at when it is come to, for cohorts name each other often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.rules.atoms import (
    Every,
    Formula,
    Literal,
    OneOf,
    Origin,
    Some,
    Thing,
    Written,
    from_here,
)
from agents.rules.condition_models import Condition
from agents.rules.domains import can_all_be, subjects_of
from agents.rules.models import Cohort, Score
from agents.rules.statements import statements

STEPS_MAX = 2_000
"""Statements and branches looked at for one question: a marketer's own take some ten."""

STEPS_IN_ALL_MAX = 200_000
"""Of all questions of a version together: some seconds."""

CHOICES_MAX = 60
"""Branches chosen inside each other: each is a call within a call."""

CLASHES_MAX = 4


@dataclass(slots=True)
class Budget:
    """Count down what all searches together may still look at."""

    steps_left: int = STEPS_IN_ALL_MAX


@dataclass(frozen=True, slots=True)
class Around:
    """Hold what conditions may name. No cohort asks for itself."""

    cohorts: Mapping[str, Cohort]
    scores: Mapping[str, Score]
    budget: Budget = field(default_factory=Budget)


Held = tuple[Literal, set[object]]
"""A statement, and what it speaks of."""


class _SpentError(Exception):
    """The budget is."""


@dataclass(slots=True)
class Search:
    """Search once; then `clashes` holds, of the ways that failed first, the fewest statements that clash."""

    around: Around
    steps_left: int = STEPS_MAX
    clashes: list[list[Literal]] = field(default_factory=list)

    def can_be_met(self, conditions: Sequence[Origin]) -> bool:
        """Say whether all of these can be met, or ruled out as they should be, by one visitor at one moment."""
        try:
            return self._search([], [*map(Written, conditions)], [], 0)
        except _SpentError:
            return True

    def _search(
        self, held: list[Held], waiting: list[Formula], choices: list[Some], depth: int
    ) -> bool:
        waiting.reverse()  # the first that is written is looked at first: the last completes a clash
        while waiting:
            self._spend()
            match waiting.pop():
                case Literal() as literal:
                    if not self._takes(held, literal):
                        return False
                case Every(parts):
                    waiting += reversed(parts)
                case Some() as choice:
                    choices = [*choices, choice]
                case Written(origin):
                    waiting.append(self._taken_apart(origin))
        if not choices:
            return True
        if depth >= CHOICES_MAX:
            raise _SpentError
        first, *others = choices
        return any(self._search([*held], [part], others, depth + 1) for part in first.parts)

    def _spend(self) -> None:
        self.steps_left -= 1
        self.around.budget.steps_left -= 1
        if min(self.steps_left, self.around.budget.steps_left) < 0:
            raise _SpentError

    def _takes(self, held: list[Held], literal: Literal) -> bool:
        """Add a statement to those that are held; say whether it goes with them."""
        subjects = subjects_of(literal)
        held.append((literal, subjects))
        near = [each for each, others in held if not subjects.isdisjoint(others)]
        if can_all_be(near):
            return True
        if len(self.clashes) < CLASHES_MAX:
            self.clashes.append(_fewest(near))
        return False

    def _taken_apart(self, origin: Origin) -> Formula:
        condition, wanted = origin.condition, origin.wanted
        if condition.none_of is not None:
            return _inner(origin, condition.none_of, "not", wanted=not wanted)
        if (several := condition.all_of or condition.any_of) is not None:
            key = "all" if condition.all_of is not None else "any"
            parts = tuple(_inner(origin, each, key, index) for index, each in enumerate(several))
            return Every(parts) if (key == "all") == wanted else Some(parts)
        if condition.cohort is not None:
            return self._named(origin, condition.cohort)
        return from_here(statements(condition, self.around.scores, wanted=wanted), origin)

    def _named(self, origin: Origin, name: str) -> Formula:
        itself = Literal(
            OneOf(Thing("cohort", (name,)), frozenset({True})), origin.wanted, (), origin
        )
        cohort = self.around.cohorts.get(name)
        if cohort is None:
            return itself
        asks = Origin(origin.at, cohort.when, origin.wanted, origin.cohort or name)
        return Every((itself, Written(asks)))


def _inner(
    origin: Origin, condition: Condition, *place: str | int, wanted: bool | None = None
) -> Written:
    """Return a condition inside another; within a cohort that is named, it stands where the name does."""
    at = origin.at if origin.cohort else (*origin.at, *place)
    is_wanted = origin.wanted if wanted is None else wanted
    return Written(Origin(at, condition, is_wanted, origin.cohort))


def _fewest(clash: Sequence[Literal]) -> list[Literal]:
    """Return as few of these as exclude each other, in their order."""
    left = [*clash]
    for literal in clash[:-1]:
        without = [each for each in left if each is not literal]
        if not can_all_be(without):
            left = without
    return left
