"""Hold what a condition comes to when it is taken apart: statements about one thing each, put together by all and any.

Rules
1. An atom says that one thing (`Thing`) is among some values, is so great, or passes what is asked of a value. Its
   opposite says just the opposite: what is not known is a value, too (`agents.rules.domains` says what each may be).
2. What follows from an atom that holds (`Literal.implies`) is said beside it, and is lost with its opposite.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from agents.rules.condition_models import Condition
from agents.rules.source import Location
from agents.rules.value_models import ValueIs


class Thing(NamedTuple):
    """Name one thing that can be known of a visitor."""

    kind: str
    name: tuple[object, ...] = ()
    hours: float = float("inf")
    """Of what is counted: in the window of so many hours; infinity: ever."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Say that a thing of which there is one value has one of these."""

    of: Thing
    values: frozenset[object]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Say that a number is not below a bound, or (`above`) lies above it."""

    of: Thing
    bound: float
    above: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Say that a value passes what is asked of it."""

    of: Thing
    question: ValueIs


@dataclass(frozen=True, slots=True)
class Speaks:
    """Say that the locale is this language, or this language of any country."""

    language: str


Atom = OneOf | AtLeast | Asked | Speaks


@dataclass(frozen=True, slots=True)
class Origin:
    """Say where a statement comes from: which condition, and whether it is asked for there or ruled out."""

    at: Location
    condition: Condition
    wanted: bool
    cohort: str = ""
    """The cohort that was named at the place, and asks for it; empty: it stands there itself."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Hold one atom, or its opposite."""

    atom: Atom
    holds: bool = True
    implies: tuple[Literal, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """Hold what must all be so."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Hold what of which one must be so."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """Hold a condition that is not taken apart yet."""

    origin: Origin


Formula = Literal | Every | Some | Written


def opposite(formula: Formula) -> Formula:
    """Return what says just the opposite.

    >>> opposite(Literal(Speaks("pt"))) == Literal(Speaks("pt"), holds=False)
    True
    """
    match formula:
        case Literal():
            return Literal(formula.atom, not formula.holds, (), formula.origin)
        case Every():
            return Some(tuple(map(opposite, formula.parts)))
        case Some():
            return Every(tuple(map(opposite, formula.parts)))
        case Written(origin):
            return Written(replace(origin, wanted=not origin.wanted))


def from_here(formula: Formula, origin: Origin) -> Formula:
    """Return the same with each statement knowing where it comes from."""
    match formula:
        case Literal():
            return replace(formula, origin=origin)
        case Every():
            return Every(tuple(from_here(part, origin) for part in formula.parts))
        case Some():
            return Some(tuple(from_here(part, origin) for part in formula.parts))
        case Written():
            return formula
