"""Say in words for people why something that was asked cannot be read: msgspec speaks of types.

Rules
1. No value is told (`messaging.gateway.problems`), only what is wrong with it.
2. What is not known here is said by msgspec's own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "datetime": "a time, such as 2026-12-01T09:00:00Z",
}
"""Type -> what people call it; `null` is said by leaving it out."""

BOUNDS = {
    ">=": "at least {}",
    "<=": "at most {}",
    ">": "more than {}",
    "<": "less than {}",
}
PARTS = {"str": "characters", "array": "entries", "object": "names"}

_PLACE = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)


def _kind(found: re.Match[str]) -> str:
    kinds = [KINDS.get(each, each) for each in found[1].split(" | ") if each != "null"]
    return f"must be {' or '.join(kinds)}"


def _bound(found: re.Match[str]) -> str:
    number = f"{int(found[3]):,}" if found[3].lstrip("-").isdigit() else found[3]
    return f"must be {BOUNDS[found[2]].format(number)}"


def _length(found: re.Match[str]) -> str:
    kind, sign, number = found[1], found[2], int(found[3])
    part = PARTS.get(kind, "entries")
    if number == 1:
        part = {"entries": "entry"}.get(part, part.removesuffix("s"))
    return f"must have {BOUNDS[sign].format(f'{number:,}')} {part}"


_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"Expected `([^`]+)`, got `[^`]+`$"), _kind),
    (re.compile(r"Expected `([^`]+)` (>=|<=|>|<) (-?[\d.e+]+)$"), _bound),
    (re.compile(r"Expected `([^`]+)` of length (>=|<=) (\d+)$"), _length),
    (re.compile(r"Expected `str` matching regex "), lambda _: "has characters that it may not"),
    (re.compile(r"Invalid enum value "), lambda _: "has a value that it cannot have"),
    (re.compile(r"Integer value out of range$"), lambda _: "is too large a number"),
    (re.compile(r"Invalid RFC3339 encoded datetime$"), lambda _: f"must be {KINDS['datetime']}"),
)

_MISSING = re.compile(r"Object missing required field `([^`]+)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`$")


def misread(error: str) -> tuple[str, str]:
    """Return the field that a decoder's error is about, and what is wrong with it.

    >>> misread("Expected `int`, got `str` - at `$.version`")
    ('version', 'must be a whole number')
    >>> misread("Expected `int` <= 20000 - at `$.visitors`")
    ('visitors', 'must be at most 20,000')
    >>> misread("Object missing required field `base`")
    ('base', 'is missing')
    """
    place = _PLACE.match(error)
    assert place is not None, "whatever comes matches"
    said, field = place[1], place[2] or ""
    for pattern, words in ((_MISSING, "is missing"), (_UNKNOWN, "is not known here")):
        if (found := pattern.match(said)) is not None:
            return f"{field}.{found[1]}" if field else found[1], words
    for known, in_words in _WORDS:
        if (found := known.match(said)) is not None:
            return field, in_words(found)
    return field, f"{said[:1].lower()}{said[1:]}"
