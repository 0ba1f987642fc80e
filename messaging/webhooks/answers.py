"""Read what a webhook answers. Pure.

An answer is a JSON object; what stands under `traits` becomes the visitor's: texts, numbers and yes or no, a few and
short. An answer without any is an answer as well.
"""

from __future__ import annotations

from typing import Any

import msgspec

TRAITS_MAX = 16
NAME_CHARACTERS_MAX = 48
TEXT_CHARACTERS_MAX = 120
INT_MAX = 2**53


def traits_of(body: bytes) -> tuple[dict[str, Any], str]:
    """Return the traits of an answer, and what of it was left out.

    >>> traits_of(b'{"traits": {"plan": "gold", "seats": 3, "more": [1]}}')
    ({'plan': 'gold', 'seats': 3}, '1 of its traits left out')
    >>> traits_of(b""), traits_of(b"[1]")
    (({}, ''), ({}, 'its answer is no JSON object'))
    """
    if not body.strip():
        return {}, ""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return {}, "its answer is no JSON object"
    traits = answer.get("traits")
    if traits is None:
        return {}, ""
    if not isinstance(traits, dict):
        return {}, "its traits are no JSON object"
    kept = {name: value for name, value in traits.items() if _may_be(name, value)}
    kept = dict(list(kept.items())[:TRAITS_MAX])
    left = len(traits) - len(kept)
    return kept, f"{left} of its traits left out" if left else ""


def _may_be(name: str, value: Any) -> bool:
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or "\0" in name:
        return False
    if isinstance(value, str):
        return len(value) <= TEXT_CHARACTERS_MAX and "\0" not in value
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return abs(value) <= INT_MAX
    return isinstance(value, float)
