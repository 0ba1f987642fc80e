"""Say whether one value can pass several questions, and fail several others, at once.

Rules
1. What is not known is a value, too: it passes `exists: false`, and no other question.
2. Where that cannot be told (a regular expression, a number among texts) the answer is that it can be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from math import inf, nextafter

from agents.rules.operators import texts_of, value_test
from agents.rules.value_models import ValueIs
from agents.rules.values import plain

NUMBER_MAX = sys.float_info.max

Question = tuple[ValueIs, bool]
"""What is asked, and whether it is passed."""


def can_be(questions: Sequence[Question]) -> bool:
    """Say whether some value, or none, passes and fails as it should."""
    return _none_does(questions) or _some_value_does(questions)


def implies(left: ValueIs, right: ValueIs) -> bool:
    """Say whether whatever passes the one passes the other, as far as that can be told."""
    return left == right or not can_be([(left, True), (right, False)])


def _none_does(questions: Sequence[Question]) -> bool:
    return all((asked.exists is False) == passed for asked, passed in questions)


def _some_value_does(questions: Sequence[Question]) -> bool:
    if any(asked.exists is not None and asked.exists != passed for asked, passed in questions):
        return False
    left = [question for question in questions if question[0].exists is None]
    passed = [asked for asked, is_passed in left if is_passed]
    failed = [asked for asked, is_passed in left if not is_passed]
    if any(asked in failed for asked in passed):
        return False
    lists = [texts for asked in passed if (texts := texts_of(asked)) is not None]
    if lists:
        return any(_text_does(text, left) for text in frozenset.intersection(*lists))
    return _parts_fit(passed, failed) and _ranges_fit(passed, failed)


def _text_does(text: str, questions: Iterable[Question]) -> bool:
    """Say whether a value of this plain text does it. An expression sees spaces that a plain text has not: it may."""
    return all(
        asked.matches is not None or value_test(asked)(text) == passed
        for asked, passed in questions
    )


# -------------------------------------------------------------------------------------- texts


def _parts_fit(passed: Sequence[ValueIs], failed: Sequence[ValueIs]) -> bool:
    starts = [plain(each.starts_with) for each in passed if each.starts_with is not None]
    ends = [plain(each.ends_with) for each in passed if each.ends_with is not None]
    longest_start, longest_end = max(starts, key=len, default=""), max(ends, key=len, default="")
    if not all(longest_start.startswith(start) for start in starts):
        return False
    if not all(longest_end.endswith(end) for end in ends):
        return False
    held = [*starts, *ends, *(plain(each.contains) for each in passed if each.contains is not None)]
    return not any(_is_in(each, longest_start, longest_end, held) for each in failed)


def _is_in(asked: ValueIs, start: str, end: str, held: Iterable[str]) -> bool:
    """Say whether a text that begins, ends and holds so passes what it is to fail."""
    if asked.contains is not None:
        piece = plain(asked.contains)
        return any(piece in each for each in held) or not piece
    if asked.starts_with is not None:
        return start.startswith(plain(asked.starts_with))
    return asked.ends_with is not None and end.endswith(plain(asked.ends_with))


# ------------------------------------------------------------------------------------ numbers


def _ranges_fit(passed: Sequence[ValueIs], failed: Sequence[ValueIs]) -> bool:
    """Say whether a number lies in all of these and in none of those."""
    inside = [bounds for each in passed if (bounds := each.bounds) is not None]
    outside = [bounds for each in failed if (bounds := each.bounds) is not None]
    if not inside:
        return True
    low, high = max(low for low, _ in inside), min(high for _, high in inside)
    edges = [low, *(nextafter(end, inf) for _, end in outside)]  # the least number that may do
    tried = [max(edge, -NUMBER_MAX) for edge in edges]
    return any(
        low <= each <= min(high, NUMBER_MAX)
        and not any(start <= each <= end for start, end in outside)
        for each in tried
    )
