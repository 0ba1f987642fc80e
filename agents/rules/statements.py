"""Take one condition apart into statements about one thing each (`agents.rules.atoms`), as its words say.

Rules
1. Two conditions speak of the same thing where they are decided by the same: an open asked for under `responded` is the
   event `mail_opened`. What is not understood any further stands for itself.
2. What is said here is what `agents.rules.conditions` compiles; a property test holds it against histories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from agents.rules.atoms import Asked, AtLeast, Every, Formula, Literal, OneOf, Speaks, Thing
from agents.rules.atoms import opposite as no
from agents.rules.condition_models import (
    CampaignIs,
    CartIs,
    Condition,
    OrdersAre,
    PageSeen,
    ProbabilityIn,
    RespondedWith,
    ScoreIn,
    SessionIs,
    ShareOf,
    SocialIs,
)
from agents.rules.countries import country_key
from agents.rules.event_models import (
    EventDid,
    EventLike,
    EventNone,
    PageLike,
    SequenceIs,
    UnfinishedIs,
)
from agents.rules.models import Score
from agents.rules.time_models import ClockIs, DateIs
from agents.rules.value_models import TraitIs, ValueIs
from agents.rules.values import plain
from agents.rules.watches import PATH
from agents.rules.when import WEEKDAYS

EVER = float("inf")
CART_HOURS = 7 * 24
"""What lies in a cart was put there within this time (`agents.rules.conditions.CART_DAYS`)."""

Scores = Mapping[str, Score]


def statements(condition: Condition, scores: Scores, *, wanted: bool) -> Formula:
    """Return what a condition says, or what its opposite says. It is none of all, any, not and cohort."""
    operator = condition.operator
    said = getattr(condition, operator)
    if operator == "score":
        return _score(said, scores, wanted=wanted)
    formula = _SAYS[operator](said) if operator in _SAYS else _itself(operator, said)
    return formula if wanted else no(formula)


def is_so(what: str, *name: object, value: object = True, implies: Any = ()) -> Literal:
    """Say that something that has one value has this one."""
    return Literal(OneOf(Thing(what, name), frozenset({value})), implies=implies)


def counted(kind: str, name: tuple[object, ...], hours: float | None, count: int = 1) -> Literal:
    """Say that something was counted so often in the window of so many hours (None: ever)."""
    return Literal(AtLeast(Thing(kind, name, EVER if hours is None else hours), count))


def _in_window(
    name: tuple[object, ...], said: EventNone | RespondedWith | PageSeen, count: int
) -> Literal:
    """Say that an event was counted so often in a window, or since the run began: a part of all that ever was."""
    if not said.since_entry:
        return counted("event", name, said.hours, count)
    ever = counted("event", name, None, count)
    return Literal(AtLeast(Thing("since", name), count), implies=(ever,))


def _by_name(name: str) -> tuple[object, ...]:
    return name, frozenset(), ""


def happened(name: str, hours: float | None = None, count: int = 1) -> Literal:
    """Say that an event happened so often."""
    return counted("event", _by_name(name), hours, count)


def _itself(operator: str, said: object) -> Literal:
    return is_so("itself", operator, repr(said))


def _range(
    of: Thing,
    *,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> list[Formula]:
    """Say that a number is at least `low`, at most `high`, and below `below`; None: no limit."""
    parts: list[Formula] = []
    if low is not None:
        parts.append(Literal(AtLeast(of, low)))
    if high is not None:
        parts.append(Literal(AtLeast(of, high, above=True), holds=False))
    if below is not None:
        parts.append(Literal(AtLeast(of, below), holds=False))
    return parts


def _all(*parts: Formula) -> Formula:
    return parts[0] if len(parts) == 1 else Every(parts)


# ------------------------------------------------------------------------------- who they are


def _lifecycle(said: str) -> Literal:
    return is_so("lifecycle", value=said)


def _trait(said: TraitIs) -> Formula:
    if said.changed is not None:
        return counted("changed", (said.name,), said.changed.hours)
    if said.name != "email":
        return Literal(Asked(Thing("trait", (said.name,)), said))
    if said.exists is not None:
        return is_so("known", "email", value=said.exists)
    return Literal(Asked(Thing("trait", ("email",)), said), implies=(is_so("known", "email"),))


def _answered(said: str) -> Literal:
    """A click is an answer, and says that the e-mail was opened as well."""
    implies = (is_so("answered", "opened"),) if said == "clicked" else ()
    return is_so("answered", said, implies=implies)


def _place(field: str) -> Callable[[ValueIs], Formula]:
    return lambda said: Literal(Asked(Thing("place", (field,)), said))


def _campaign(said: CampaignIs) -> Formula:
    asked = said.model_dump(exclude_none=True)
    return _all(*(is_so("campaign", name, value=plain(each)) for name, each in asked.items()))


def _social(said: SocialIs) -> Formula:
    asked = said.model_dump(exclude_none=True)
    return _all(*(is_so("social", name, value=each) for name, each in asked.items()))


def _share(said: ShareOf) -> Formula:
    """A place lies in [0, 1) anyhow: only what is narrower is said."""
    of, below = Thing("share", (said.salt,)), said.end if said.end < 1 else None
    low = said.start if said.start > 0 or below is None else None
    return _all(*_range(of, low=low, below=below))


# --------------------------------------------------------------------------- what they did


def _event_thing(said: EventNone | EventLike) -> tuple[object, ...]:
    """Return the name of what is counted: the event, its properties, and the property that is shared."""
    asked = said.properties or {}
    pairs = frozenset(
        (name, each.model_dump_json(exclude_none=True, by_alias=True))
        for name, each in asked.items()
    )
    if isinstance(said, EventLike) and said.page is not None:
        pairs |= {(PATH, said.page.model_dump_json(exclude_none=True))}
    name = said.event if isinstance(said, EventLike) else said.name
    return name, pairs, getattr(said, "same", None) or ""


def _event(said: EventDid) -> Formula:
    name = _event_thing(said)
    parts: list[Formula] = [_in_window(name, said, said.at_least)]
    if said.at_most is not None:
        parts.append(no(_in_window(name, said, said.at_most + 1)))
    return _all(*parts)


def _not_event(said: EventNone) -> Formula:
    return no(_in_window(_event_thing(said), said, 1))


def _sequence(said: SequenceIs) -> Formula:
    """Who completed it did each step, and the last one within the window."""
    name = (repr([_event_thing(step) for step in said.steps]), said.span_hours, said.same)
    steps = [_event_thing(step) for step in said.steps]
    implies = [counted("event", step, None, steps.count(step)) for step in steps]
    implies.append(counted("event", steps[-1], said.hours))
    of = Thing("sequence", name, EVER if said.hours is None else said.hours)
    return Literal(AtLeast(of, 1), implies=tuple(implies))


def _unfinished(said: UnfinishedIs) -> Formula:
    start = _event_thing(said.start)
    name = (repr((start, _event_thing(said.finish))), said.after_hours, said.same)
    of = Thing("unfinished", name, EVER if said.hours is None else said.hours)
    return Literal(AtLeast(of, 1), implies=(counted("event", start, said.hours),))


def _responded(said: RespondedWith) -> Formula:
    if said.to != "email":
        return _in_window(_by_name(f"engagement_{said.kind}:{said.to}"), said, said.at_least)
    if said.by == "machine":
        return counted("machine", (said.kind,), None, said.at_least)
    return _in_window(_by_name(f"mail_{said.kind}"), said, said.at_least)


def _page(said: PageSeen) -> Formula:
    if said.seconds_at_least is not None:
        return _event(said.looks)
    if said.since_entry:
        path = PageLike(starts_with=said.starts_with, contains=said.contains)
        return _in_window(_event_thing(EventLike(page=path)), said, said.at_least)
    is_start = said.starts_with is not None
    return counted("page", (is_start, said.starts_with or said.contains), said.hours, said.at_least)


def _session(said: SessionIs) -> Formula:
    number, depth = Thing("session number"), Thing("session depth")
    parts = _range(number, low=said.number_at_least, high=said.number_at_most)
    parts += _range(depth, low=said.depth_at_least)
    parts += _range(Thing("session minutes"), low=said.minutes_at_least)
    if said.pages_contain is not None:
        texts = frozenset(said.pages_contain)
        parts += _range(Thing("session pages", (texts,)), low=said.pages_at_least)
    return _all(*parts)


def _orders(said: OrdersAre) -> Formula:
    parts = _range(Thing("orders"), low=said.at_least, high=said.at_most)
    parts += _range(Thing("order value"), low=said.value_at_least, high=said.value_at_most)
    return _all(*parts)


def _in_cart(said: bool) -> Formula:
    return _filled() if said else no(_filled())


def _filled() -> Literal:
    return is_so("in cart", implies=(happened("Product Added", CART_HOURS),))


def _cart(said: CartIs) -> Formula:
    parts: list[Formula] = [_filled()]
    parts += _range(Thing("cart items"), low=max(1, said.items_at_least or 0))
    parts += _range(Thing("cart value"), low=said.value_at_least, high=said.value_at_most)
    if said.contains is not None:
        parts.append(_itself("cart", said.contains))
    return _all(*parts)


# ---------------------------------------------------------------------- what that makes, and when


def _score(said: ScoreIn, scores: Scores, *, wanted: bool) -> Formula:
    """A score is cut at its cap, whatever is asked of it."""
    of, score = Thing("score", (said.name,)), scores.get(said.name)
    cap = score.cap if score is not None else None
    asked = _all(*_range(of, low=said.start, below=said.end))
    return _all(asked if wanted else no(asked), *_range(of, high=cap))


def _probability(said: ProbabilityIn) -> Formula:
    """It is known of leads alone."""
    of = Thing("probability", (said.of,))
    known = is_so("known", *of, implies=(_lifecycle("lead"),))
    end = None if said.end == 1.0 else said.end
    return _all(known, *_range(of, low=said.start, below=end))


def _clock(said: ClockIs) -> Formula:
    parts: list[Formula] = []
    if said.weekdays is not None:
        days = frozenset[object](WEEKDAYS.index(day) for day in said.weekdays)
        parts.append(Literal(OneOf(Thing("weekday"), days)))
    if said.hours is not None:
        start, end = said.hours.start, said.hours.end
        span = (end - start) % 24
        hours = frozenset[object]((start + step) % 24 for step in range(span))
        parts.append(Literal(OneOf(Thing("hour"), hours)))
    return _all(*parts)


def _date(said: DateIs) -> Formula:
    """Say that the date is known, and where it lies: a day of the calendar, days or hours ago, days to its return."""
    source = next(
        (name, each)
        for name in ("trait", "first", "last", "of")
        if (each := getattr(said, name)) is not None
    )
    where = _lies(said, source)
    if source == ("of", "now"):
        return _all(*where)
    known = is_so("known", "date", *source, implies=_known_of(*source))
    return _all(known, *where)


def _lies(said: DateIs, source: tuple[str, str]) -> list[Formula]:
    day, days_ago = Thing("day", source), Thing("days ago", source)
    hours_ago = Thing("hours ago", source)
    if said.before is not None:
        return _range(day, below=_number(said.before))
    if said.after is not None:
        return _range(day, low=_number(said.after) + 1)
    if said.between is not None:
        return _range(day, low=_number(said.between[0]), high=_number(said.between[1]))
    if said.in_last_days is not None:
        return _range(days_ago, low=0, high=said.in_last_days)
    if said.in_next_days is not None:
        return _range(days_ago, low=-said.in_next_days, high=0)
    if said.days_after is not None:
        return _range(days_ago, low=said.days_after, high=said.days_after)
    if said.in_last_hours is not None:
        return _range(hours_ago, low=0, below=said.in_last_hours)
    if said.in_next_hours is not None:
        return _range(hours_ago, low=-said.in_next_hours, below=0)
    if said.anniversary_in_days is not None:
        return _range(Thing("days to", source), high=said.anniversary_in_days)
    return [_itself("date", said)]


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _known_of(kind: str, name: str) -> tuple[Literal, ...]:
    """Return what follows from a date that is known."""
    if kind in ("first", "last"):
        return (happened(name),)
    if kind == "trait":
        exists = TraitIs(name=name, exists=True)
        return (Literal(Asked(Thing("trait", (name,)), exists)),) if name != "email" else ()
    return (Literal(AtLeast(Thing("orders"), 1)),) if name == "last_order" else ()


_SAYS: dict[str, Callable[[Any], Formula]] = {
    "lifecycle": _lifecycle,
    "known": lambda said: is_so("known", said),
    "may_email": lambda said: is_so("may_email", value=said),
    "trait": _trait,
    "social": _social,
    "event": _event,
    "not_event": _not_event,
    "sequence": _sequence,
    "unfinished": _unfinished,
    "date": _date,
    "clock": _clock,
    "session": _session,
    "page": _page,
    "orders": _orders,
    "campaign": _campaign,
    "in_cart": _in_cart,
    "cart": _cart,
    "referrer": _place("referrer"),
    "search_term": _place("search_term"),
    "city": _place("city"),
    "country": lambda said: is_so("country", value=country_key(said)),
    "device": lambda said: is_so("device", value=said),
    "in_list": lambda said: is_so("list", said),
    "locale": lambda said: Literal(Speaks(plain(said).replace("_", "-"))),
    "share": _share,
    "responded": _responded,
    "probability": _probability,
    "answered": _answered,
}
"""Operator -> what it says; one that is missing here stands for itself."""
