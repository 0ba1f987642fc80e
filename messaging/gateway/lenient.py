"""Cut a batch into its items when the strict reader fails, so that one bad event does not cost the others.

Python's `json` writes NaN, JavaScript's writes lone surrogates, and what puts JSON together by hand leaves tabs and
line ends in texts, or bytes that are no UTF-8: none is read by a strict reader. The standard library's scanner takes
them all and tells where each value ends; the items are then read strictly, one by one. Of an item that is nested too
deep for any scanner the brackets are counted.
"""

from __future__ import annotations

import json
import re

_scan = json.JSONDecoder(strict=False).raw_decode
_SIGN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
"""A text, in which brackets mean nothing, or a bracket."""

_BLANK = re.compile(r"[ \t\n\r]*")


def split_batch(body: bytes) -> tuple[list[bytes], dict[str, bytes]] | None:
    """Return the items of `batch` and the other members as bytes, or None if this is no object with a list so named.

    >>> split_batch(b'{"batch":[{"a":NaN},2],"sentAt":"x"}')
    ([b'{"a":NaN}', b'2'], {'sentAt': b'"x"'})
    """
    try:
        return _split(body.decode("utf-8", "surrogateescape"))
    except (ValueError, IndexError, RecursionError):
        return None


def _split(text: str) -> tuple[list[bytes], dict[str, bytes]]:
    items: list[bytes] | None = None
    others: dict[str, bytes] = {}
    at = _expect(text, 0, "{")
    while text[at] != "}":
        name, at = _scan(text, at)
        at = _expect(text, at, ":")
        if name == "batch":
            items, at = _items(text, at)
        else:
            value, at = _value(text, at)
            others[str(name)] = value
        at = _separator(text, at, "}")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    if items is None:
        raise ValueError("has no batch")  # an empty one would be a success for what was not read
    return items, others


def _items(text: str, at: int) -> tuple[list[bytes], int]:
    items: list[bytes] = []
    at = _expect(text, at, "[")
    while text[at] != "]":
        item, at = _value(text, at)
        items.append(item)
        at = _separator(text, at, "]")
    return items, at + 1


def _value(text: str, at: int) -> tuple[bytes, int]:
    try:
        _, end = _scan(text, at)
    except RecursionError:
        end = _end_of_deep(text, at)
    return text[at:end].encode("utf-8", "surrogateescape"), end


def _end_of_deep(text: str, at: int) -> int:
    """Return where an object or a list ends, however deep it is; what stands in it is not looked at.

    >>> _end_of_deep('[[{"a":"]"}],1],2', 0)
    15
    """
    depth = 0
    for sign in _SIGN.finditer(text, at):
        if sign[0] in "[{":
            depth += 1
        elif sign[0] in "]}":
            depth -= 1
        if depth <= 0:
            return sign.end()
    raise ValueError("ends early")


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at] != sign:
        raise ValueError("is not JSON")
    return _skip(text, at + 1)


def _separator(text: str, at: int, end: str) -> int:
    at = _skip(text, at)
    if text[at] == end:
        return at
    at = _expect(text, at, ",")
    if text[at] == end:
        raise ValueError("a comma before the end")
    return at


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()
