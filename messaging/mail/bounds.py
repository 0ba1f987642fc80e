"""Bound what the filters and ranges of a template may make: Liquid's own limits count loops, output and variables.

Rules
1. Nothing large is made and measured afterwards: a filter that multiplies its arguments is asked before how much it
   will make, every other one can only make a few times what it was given.
2. All filters of one e-mail together are given so much at most: a loop may call the dearest one at each turn.
3. What is too large fails the template with words that name the filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from liquid.builtin.expressions import primitive
from liquid.exceptions import ResourceLimitError
from liquid.stringify import to_liquid_string

SIZE_MAX = 200_000
"""Characters and items that one value may come to: as much as a whole e-mail."""

WORK_MAX = 5_000_000
"""Characters and items that all filters of one text together may be given: some tenths of a second."""

RANGE_MAX = 10_000
"""Numbers of a range: ten times the turns that loops have."""

BITS_MAX = 4_096
"""Of a number: a loop that multiplies one with itself doubles its length each turn."""

DEPTH_MAX = 4

Filter = Callable[..., Any]

_left: ContextVar[int] = ContextVar("left", default=WORK_MAX)


@contextmanager
def one_text() -> Iterator[None]:
    """Count what the filters of one text are given from nothing."""
    token = _left.set(WORK_MAX)
    try:
        yield
    finally:
        _left.reset(token)


def bounded(name: str, filter_: Filter) -> Filter:
    """Return a filter that fails where it is given too much, or would make too much."""

    @wraps(filter_)
    def checked(value: Any, *arguments: Any, **named: Any) -> Any:
        weights = [weight(each) for each in (value, *arguments)]
        if (makes := MAKES.get(name)) is not None and max(weights) <= SIZE_MAX:
            weights.append(makes(value, *arguments))
        for each in weights:
            _check(name, each)
        _spend(sum(weights))
        result = filter_(value, *arguments, **named)
        _check(name, weight(result))
        return result

    return checked


def weight(value: Any, depth: int = 0) -> int:
    """Return about how large a value is, in characters and items.

    >>> weight("abc"), weight(["ab", "c"]), weight(range(5)), weight(2.5)
    (3, 5, 5, 1)
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, range):
        return len(value)
    if isinstance(value, int):
        return 1 if value.bit_length() <= BITS_MAX else SIZE_MAX + 1
    if isinstance(value, list | tuple) and depth < DEPTH_MAX:
        found = len(value)
        for each in value:
            found += weight(each, depth + 1)
            if found > SIZE_MAX:
                break
        return found
    return len(value) if isinstance(value, list | tuple | dict) else 1


def _check(name: str, size: int) -> None:
    if size > SIZE_MAX:
        problem = f"the filter {name} is given, or would make, more than {SIZE_MAX:,} characters"
        raise ResourceLimitError(problem, token=None)


def _spend(work: int) -> None:
    left = _left.get() - work
    if left < 0:
        problem = f"the filters of this text are given more than {WORK_MAX:,} characters in all"
        raise ResourceLimitError(problem, token=None)
    _left.set(left)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(to_liquid_string(value, autoescape=False))


def _replaced(value: Any, old: Any = "", new: Any = "", *_: Any) -> int:
    text = _text(value)
    return len(text) + text.count(_text(old)) * len(_text(new))


def _joined(value: Any, separator: Any = " ", *_: Any) -> int:
    count = len(value) if isinstance(value, list | tuple | range) else 1
    return weight(value) + count * len(_text(separator))


def _put_together(value: Any, other: Any = "", *_: Any) -> int:
    return weight(value) + weight(other)


def _rounded(_: Any, places: Any = 0, *__: Any) -> int:
    """Return the digits that are asked for."""
    return abs(places) if isinstance(places, int) else len(_text(places))


def _compared(value: Any, *_: Any) -> int:
    """Return the work of comparing each item with each other one: fifty comparisons cost as much as a character."""
    count = len(value) if isinstance(value, list | tuple | range) else 1
    return count * count // 50


MAKES: dict[str, Callable[..., int]] = {
    "append": _put_together,
    "concat": _put_together,
    "join": _joined,
    "prepend": _put_together,
    "replace": _replaced,
    "replace_first": _replaced,
    "replace_last": _replaced,
    "round": _rounded,
    "uniq": _compared,
}
"""Filter -> how much it will make or do with what it is given, where that is more than a few times as much."""


class _Range(primitive.RangeLiteral):
    """A range with so many numbers at most; its ends may come from a visitor."""

    __slots__ = ()

    def _make_range(self, start: Any, stop: Any) -> range:
        made = super()._make_range(start, stop)
        if made.stop - made.start > RANGE_MAX:
            problem = f"a range has {RANGE_MAX:,} numbers at most"
            raise ResourceLimitError(problem, token=self.token)
        return made


def bound_ranges() -> None:
    """Let the parser make bounded ranges: the library has no other place to say which class it takes."""
    setattr(primitive, "RangeLiteral", _Range)  # noqa: B010 - mypy knows it as a class, not as a variable
