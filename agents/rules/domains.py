"""Say whether several statements can all be so of one visitor at one moment.

Rules
1. Sound: what is refused here is so of nobody. What is not understood (an expression, a score's way up) can be.
2. Each thing is looked at by itself, then what things of different kinds say of each other: a count in a short window
   is at most that in a long one, a customer has an order, a day that lies so long ago lies on one date.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from agents.rules.atoms import Asked, AtLeast, Literal, OneOf, Speaks, Thing
from agents.rules.value_models import PropertyIs
from agents.rules.value_sense import Question, can_be, implies
from agents.rules.watches import PATH

LIFECYCLES = frozenset({"unknown", "lead", "customer"})
YES_OR_NO = frozenset({True, False})
CLOSED: Mapping[str, frozenset[object]] = {
    "lifecycle": frozenset(LIFECYCLES),
    "weekday": frozenset(range(7)),
    "hour": frozenset(range(24)),
    **dict.fromkeys(
        ("known", "may_email", "in cart", "list", "answered", "itself", "cohort"), YES_OR_NO
    ),
}
"""Kind -> all values that there are; of other kinds anything may be."""

WHOLE = frozenset(
    {
        *("event", "since", "machine", "page", "sequence", "unfinished", "changed", "orders"),
        *("session number", "session depth", "session pages", "cart items"),
        *("day", "days ago", "days to"),
    }
)
"""Kinds of numbers that are whole."""

SIGNED = frozenset({"score", "day", "days ago", "hours ago"})
"""Kinds of numbers that may lie below 0."""

BELOW_ONE, AT_MOST_ONE = frozenset({"share"}), frozenset({"probability"})

DAYS_IN_WEEK = 7

SUBJECTS = {
    **dict.fromkeys(("lifecycle", "may_email", "orders", "order value"), "who"),
    **dict.fromkeys(("day", "days ago", "hours ago", "weekday"), "days"),
    **dict.fromkeys(
        (f"session {what}" for what in ("number", "depth", "pages", "minutes")), "visit"
    ),
    "page": "pages",
}
"""Kind -> what it is looked at together with."""


class Span(NamedTuple):
    """Hold where a number may lie; `above`: not on `low` itself, `below`: not on `high` itself."""

    low: float
    high: float
    above: bool = False
    below: bool = False

    @property
    def is_empty(self) -> bool:
        """Say whether no number lies there."""
        return self.low > self.high or (self.low == self.high and (self.above or self.below))


class Known(NamedTuple):
    """Hold what the statements say, thing by thing."""

    choices: dict[Thing, frozenset[object] | None]
    """What it may be; None: anything but `barred`."""
    barred: dict[Thing, frozenset[object]]
    spans: dict[Thing, Span]


def subjects_of(literal: Literal) -> set[object]:
    """Return what a statement speaks of, with what it implies.

    Whatever two statements say of each other they say within one subject: others need not be looked at again.
    """
    return {_subject(each.atom) for each in _with_implied([literal])}


def _subject(atom: OneOf | AtLeast | Asked | Speaks) -> object:
    if isinstance(atom, Speaks):
        return "locale"
    kind, name = atom.of.kind, atom.of.name
    if kind == "event":
        return kind, name[0]
    subject = SUBJECTS.get(kind, "")
    if kind == "known" and name[0] in ("email", "user_id"):
        subject = "who"
    return subject or (kind, name)


def can_all_be(literals: Iterable[Literal]) -> bool:
    """Say whether all of these can be so; what they imply is looked at as well."""
    said = [*_with_implied(literals)]
    if not (_values_fit(said) and _languages_fit(said)):
        return False
    known = _known(said)
    return (
        _choices_fit(known)
        and not any(span.is_empty for span in known.spans.values())
        and _counts_fit(known.spans)
        and _visits_fit(known.spans)
        and _who_fits(known)
        and _days_fit(known)
    )


def _with_implied(literals: Iterable[Literal]) -> Iterator[Literal]:
    for literal in literals:
        yield literal
        if literal.holds:
            yield from _with_implied(literal.implies)


def _known(said: Sequence[Literal]) -> Known:
    known = Known({}, {}, {})
    for literal in said:
        match literal.atom:
            case OneOf(of, values) if literal.holds:
                before = known.choices.get(of)
                known.choices[of] = values if before is None else before & values
            case OneOf(of, values):
                known.barred[of] = known.barred.get(of, frozenset()) | values
            case AtLeast(of, bound, above):
                span = known.spans.get(of) or _whole_span(of)
                known.spans[of] = _cut(of, span, bound, above=above, holds=literal.holds)
            case _:
                pass
    return known


def _whole_span(of: Thing) -> Span:
    low = -math.inf if of.kind in SIGNED else 0.0
    if of.kind in BELOW_ONE:
        return Span(low, 1.0, below=True)
    return Span(low, 1.0 if of.kind in AT_MOST_ONE else math.inf)


def _cut(of: Thing, span: Span, bound: float, *, above: bool, holds: bool) -> Span:
    """Return what is left of a span by one bound."""
    if of.kind in WHOLE:  # then only `from` and `to`, both included, are needed
        first = math.floor(bound) + 1 if above else math.ceil(bound)
        bound, above = (first, False) if holds else (first - 1, True)
    if holds:
        edge = max((span.low, span.above), (bound, above))
        return span._replace(low=edge[0], above=edge[1])
    high = min((span.high, not span.below), (bound, above))  # not at least: below it, or on it
    return span._replace(high=high[0], below=not high[1])


# --------------------------------------------------------------------------- each by itself


def _values_fit(said: Iterable[Literal]) -> bool:
    asked: dict[Thing, list[Question]] = {}
    for literal in said:
        if isinstance(literal.atom, Asked):
            asked.setdefault(literal.atom.of, []).append((literal.atom.question, literal.holds))
    return all(can_be(questions) for questions in asked.values())


def _languages_fit(said: Iterable[Literal]) -> bool:
    spoken, not_spoken = set[str](), set[str]()
    for literal in said:
        if isinstance(literal.atom, Speaks):
            (spoken if literal.holds else not_spoken).add(literal.atom.language)
    longest = max(spoken, key=len, default="")
    if not all(_is_of(longest, language) for language in spoken):
        return False
    return not any(_is_of(longest, language) for language in not_spoken)


def _is_of(locale: str, language: str) -> bool:
    return locale == language or locale.startswith(language + "-")


def _choices_fit(known: Known) -> bool:
    return all(
        left is None or left
        for left in (_left(known, of) for of in known.choices.keys() | known.barred.keys())
    )


def _left(known: Known, of: Thing) -> frozenset[object] | None:
    """Return what a thing may be; None: anything but what is barred."""
    every = known.choices.get(of)
    closed = CLOSED.get(of.kind)
    if closed is not None:
        every = closed if every is None else every & closed
    return None if every is None else every - known.barred.get(of, frozenset())


# ------------------------------------------------------------------------- of different kinds


def _counts_fit(spans: Mapping[Thing, Span]) -> bool:
    """A part is counted at most as often as the whole: in a shorter window, with more properties, of more pages."""
    least = [(of, span.low) for of, span in spans.items() if span.low > 0]
    most = [(of, span.high) for of, span in spans.items() if span.high < math.inf]
    return not any(
        low > high and one.kind == other.kind and _is_part(one, other)
        for (one, low), (other, high) in product(least, most)
    )


def _is_part(one: Thing, other: Thing) -> bool:
    """Say whether whatever the one counts is counted by the other as well."""
    if one.hours > other.hours:
        return False
    if one.name == other.name:
        return one.kind in (
            "event",
            "since",
            "page",
            "sequence",
            "unfinished",
            "changed",
            "machine",
        )
    if one.kind == "event":
        return _is_such_an_event(one.name, other.name)
    if one.kind == "page":
        return _is_such_a_page(one.name, other.name)
    return one.kind == "session pages" and _are_such_pages(one.name, other.name)


def _are_such_pages(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    (texts,), (others,) = one, other
    assert isinstance(texts, frozenset)
    assert isinstance(others, frozenset)
    return all(any(each in text for each in others) for text in texts)


def _is_such_an_event(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    (name, asked, _), (other_name, others, other_same) = one, other
    assert isinstance(asked, frozenset)
    assert isinstance(others, frozenset)
    if name != other_name or (other_same and one[2] != other_same):
        return False
    return all(any(_is_asked_by(pair, other) for pair in asked) for other in others)


def _is_asked_by(pair: tuple[str, str], other: tuple[str, str]) -> bool:
    """Say whether who asks the one of a property asks the other; of a page's path, where capitals count, the same."""
    if pair == other:
        return True
    return pair[0] == other[0] != PATH and _says_more(pair[1], other[1])


def _says_more(one: str, other: str) -> bool:
    return implies(PropertyIs.model_validate_json(one), PropertyIs.model_validate_json(other))


def _is_such_a_page(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    (is_start, text), (others_start, other_text) = one, other
    text, other_text = str(text), str(other_text)
    if others_start:
        return bool(is_start) and text.startswith(other_text)
    return other_text in text


def _visits_fit(spans: Mapping[Thing, Span]) -> bool:
    """Pages and minutes of a session are none without one; of its pages there are as many as it is deep."""
    number, depth = (_span(spans, Thing(f"session {what}")) for what in ("number", "depth"))
    lasts = _span(spans, Thing("session minutes"))
    pages = max((s.low for of, s in spans.items() if of.kind == "session pages"), default=0)
    is_one = max(depth.low, pages, lasts.low) > 0
    return pages <= depth.high and not (is_one and number.high < 1)


def _span(spans: Mapping[Thing, Span], of: Thing) -> Span:
    return spans.get(of) or _whole_span(of)


def _who_fits(known: Known) -> bool:
    """A customer has an order; a lead has none, and an address or a user id; who has no address is not written to."""
    orders = _span(known.spans, Thing("orders"))
    value = _span(known.spans, Thing("order value"))
    if orders.high < 1 and (value.low, value.above) > (0.0, False):
        return False
    lifecycles = _left(known, Thing("lifecycle"))
    email, user, may = (
        _left(known, Thing(*of))
        for of in (("known", ("email",)), ("known", ("user_id",)), ("may_email",))
    )
    return any(
        _lifecycle(has_address, has_id, has_bought=has_bought) in (lifecycles or LIFECYCLES)
        for has_address, has_id, has_bought in product(
            email or YES_OR_NO, user or YES_OR_NO, YES_OR_NO
        )
        if (has_bought and orders.high >= 1) or (not has_bought and orders.low < 1)
        if has_address or False in (may or YES_OR_NO)
    )


def _lifecycle(has_address: object, has_id: object, *, has_bought: bool) -> str:
    if has_bought:
        return "customer"
    return "lead" if has_address or has_id else "unknown"


def _days_fit(known: Known) -> bool:
    """Today's date less a date is how long ago it lies; a few days have not every weekday."""
    today = _span(known.spans, Thing("day", ("of", "now")))
    for of, ago in known.spans.items():
        if of.kind == "days ago":
            day = _span(known.spans, Thing("day", of.name))
            hours = _span(known.spans, Thing("hours ago", of.name))
            if ago.low > today.high - day.low or ago.high < today.low - day.high:
                return False
            if (ago.low > 0 and hours.high <= 0 and hours.below) or (ago.high < 0 <= hours.low):
                return False
    if today.high - today.low >= DAYS_IN_WEEK - 1:
        return True
    weekdays = {(int(today.low) + step - 1) % 7 for step in range(int(today.high - today.low) + 1)}
    return bool(weekdays & (_left(known, Thing("weekday")) or CLOSED["weekday"]))
