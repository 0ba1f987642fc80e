"""Turn what is asked of a value into a function of the value; None is a value that is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.rules.value_models import PropertyIs, ValueIs, expression
from agents.rules.values import number, plain

ValueTest = Callable[[Any], bool]
PropertiesTest = Callable[[dict[str, Any]], bool]


def value_test(asked: ValueIs) -> ValueTest:
    """Return the test; what is not known passes `exists: false` alone."""
    if asked.exists is not None:
        there = asked.exists
        return lambda value: (value is not None) == there
    if asked.bounds is not None:
        return _between(*asked.bounds)
    if asked.matches is not None:
        found = expression(asked.matches).search
        return lambda value: value is not None and found(str(value)) is not None
    wanted = texts_of(asked)
    if wanted is not None:
        return lambda value: value is not None and plain(value) in wanted
    return _part_of_text(asked)


def texts_of(asked: ValueIs) -> frozenset[str] | None:
    """Return the plain texts of which a value must be one; None where it is asked otherwise."""
    if asked.one_of is not None:
        return frozenset(map(plain, asked.one_of))
    return frozenset({plain(asked.equals)}) if asked.equals is not None else None


def properties_test(asked: dict[str, PropertyIs]) -> PropertiesTest:
    """Return the test of an event's properties: all must hold."""
    tests = [(name, value_test(each)) for name, each in asked.items()]
    return lambda properties: all(test(properties.get(name)) for name, test in tests)


def _between(low: float, high: float) -> ValueTest:
    def test(value: Any) -> bool:
        found = number(value)
        return found is not None and low <= found <= high

    return test


def _part_of_text(asked: ValueIs) -> ValueTest:
    if asked.contains is not None:
        piece = plain(asked.contains)
        return lambda value: value is not None and piece in plain(value)
    if asked.starts_with is not None:
        head = plain(asked.starts_with)
        return lambda value: value is not None and plain(value).startswith(head)
    assert asked.ends_with is not None, "a value is asked one thing"
    tail = plain(asked.ends_with)
    return lambda value: value is not None and plain(value).endswith(tail)
