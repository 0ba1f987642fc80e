"""Refuse JSON that is well formed and still breaks parts behind us: NUL, huge integers, depth, width.

Rules
1. The cheap look comes first: a few searches over the whole body say whether any event needs the slow walk.
   Nearly none does, so a clean event costs two counts of brackets.
2. The slow walk decodes the event without a schema: that also checks UTF-8, surrogates and number ranges in
   the parts that the typed decoder skips.
"""

from __future__ import annotations

from typing import Any

import msgspec

from messaging.gateway.limits import DEPTH_MAX, INTEGER_MAX, INTEGER_MIN, KEYS_MAX
from messaging.vocabulary.errors import RejectedEvent

_SHAPES = bytes.maketrans(b"123456789E }]\n\r\t", b"000000000e,,,,,,")
"""Makes every digit a 0, every E an e and every end of a number a comma: `in` then finds runs of digits."""

_LONG_INTEGER = b"0" * 19
_LONG_EXPONENT = b"0e000"
_KEY_BYTES_MIN = 4
"""`"":1` is the shortest member: a shorter event cannot have too many keys."""

_PATH_KEY_CHARS = 64


def is_suspicious(body: bytes) -> bool:
    """Return whether any event of a body needs the slow walk (False is certain, True is a guess)."""
    if b"\\u0000" in body:
        return True
    if not body.isascii() and not _is_utf8(body):
        return True
    shapes = body.translate(_SHAPES, b"+")
    return _LONG_INTEGER in shapes or _has_long_exponent(shapes)


def check_event(raw: bytes, *, suspicious: bool) -> None:
    """Raise `RejectedEvent` if one event holds what must not come further; `suspicious` as for its body."""
    if (
        (suspicious and is_suspicious(raw))  # the body's look does not say which of its events
        or raw.count(b"{") + raw.count(b"[") > DEPTH_MAX
        or (len(raw) > KEYS_MAX * _KEY_BYTES_MIN and raw.count(b":") > KEYS_MAX)
    ):
        check_tree(read_tree(raw))


def read_tree(raw: bytes) -> Any:
    """Return any JSON as plain objects, or raise `RejectedEvent`."""
    try:
        return msgspec.json.decode(raw)
    except UnicodeDecodeError:
        raise RejectedEvent("is not UTF-8") from None
    except RecursionError:
        raise RejectedEvent(f"is nested deeper than {DEPTH_MAX} levels") from None
    except msgspec.ValidationError:
        raise RejectedEvent("holds a number out of range") from None
    except msgspec.DecodeError:
        raise RejectedEvent("is not JSON, or holds a lone surrogate") from None


def check_tree(tree: Any) -> None:
    """Raise `RejectedEvent` for depth, width, NUL or integers beyond 64 bits, with the path to it."""
    keys = 0
    stack: list[tuple[Any, str, int]] = [(tree, "", 1)]
    while stack:
        value, path, depth = stack.pop()
        if isinstance(value, str):
            if "\0" in value:
                raise RejectedEvent("holds a NUL character", path[1:])
        elif isinstance(value, dict):
            _check_depth(depth, path)
            keys += len(value)
            if keys > KEYS_MAX:
                raise RejectedEvent(f"has more than {KEYS_MAX} keys")
            for key, member in value.items():
                if "\0" in key:
                    raise RejectedEvent("has a key with a NUL character", path[1:])
                stack.append((member, f"{path}.{key[:_PATH_KEY_CHARS]}", depth + 1))
        elif isinstance(value, list):
            _check_depth(depth, path)
            stack += [(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
        elif isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
            raise RejectedEvent("is an integer of more than 64 bits", path[1:])


def _check_depth(depth: int, path: str) -> None:
    if depth > DEPTH_MAX:
        raise RejectedEvent(f"is nested deeper than {DEPTH_MAX} levels", path[1:])


def _has_long_exponent(shapes: bytes) -> bool:
    """Return whether a number may be too large for a float; hexadecimal ids end otherwise."""
    at = shapes.find(_LONG_EXPONENT)
    while at >= 0:
        end = at + len(_LONG_EXPONENT)
        while shapes[end : end + 1] == b"0":
            end += 1
        if shapes[end : end + 1] in {b",", b""}:
            return True
        at = shapes.find(_LONG_EXPONENT, end)
    return False


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
