"""Put conditions together: each is two functions, does it hold now, and when may time alone change that.

Rules
1. A condition names the kinds of events that can change it; whatever is not named costs nothing.
2. `until` may be early (the test is asked again and gives a later time); it is late by a second at
   most, and only for scores. It always lies after the moment of asking.
3. `all` waits for the last of those that do not hold, `any` for the last of those that do: nobody is woken
   for a part that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agents.rules.compiled import ANY_TRACK, NEEDS, Need, ScoreRule, Test, Until
from agents.rules.facts import Facts
from agents.rules.naming import ENGAGEMENT, HAPPENED, RESPONSES, TRACK
from agents.rules.watches import Watch
from agents.rules.windows import has_days, leaves_at, window_start

OTHER_KINDS = HAPPENED | {f"{ENGAGEMENT}{response}" for response in RESPONSES}
"""What can happen besides track events (`agents.rules.facts`, rule 4)."""

BY_EMAIL, CUSTOMER = "known by e-mail", "customer"
EMAIL: frozenset[Need] = frozenset({("is", BY_EMAIL)})
ORDERS: frozenset[Need] = frozenset({("is", CUSTOMER)})

WHO = frozenset({"who", "unsubscribed", "bounced", "complained"})
ZONE = frozenset(
    {"place:zone", "place:country", "trait:timezone", "trait:country", "trait:address.country"}
)
ACTIVITY = frozenset(
    {
        "page",
        "screen",
        ANY_TRACK,
        "mail_clicked",
        "engagement_clicked",
        "engagement_dismissed",
        "engagement_submitted",
    }
)
"""What can move the end of a session."""


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one compiled condition. `until` is None where time alone changes nothing."""

    test: Test
    until: Until | None
    kinds: frozenset[str]
    needs: frozenset[Need] = frozenset()
    """Without any one of these it does not hold, and no time changes that."""
    any_of: frozenset[Need] = frozenset()
    """Nor does it without at least one of these; empty: nothing is said by it."""


@dataclass(frozen=True, slots=True)
class Around:
    """Hold what conditions may refer to, and what they want to be kept of a visitor."""

    scores: Mapping[str, ScoreRule]
    purchase_events: frozenset[str]
    cohort: Callable[[str], Part]
    path: str = ""
    """The path whose flow asks; empty: a cohort does."""
    watches: dict[str, Watch] = field(default_factory=dict)
    """Id -> what is to be kept of events, filled as conditions are compiled."""
    turning: set[str] = field(default_factory=set)
    """Traits of which it is to be kept when they changed."""
    keeping: set[str] = field(default_factory=set)
    """`cart`, if its contents are to be kept."""
    pages: dict[str, Callable[[str], bool]] = field(default_factory=dict)
    """Kind -> whether a path is meant."""
    bounds: set[tuple[str, float]] = field(default_factory=set)
    """(score, bound) that are asked for."""

    @property
    def purchases(self) -> frozenset[str]:
        """Return the kinds that count an order."""
        return frozenset(f"track:{name}" for name in self.purchase_events) | {"purchase"}


def bound_kind(score: str, bound: float) -> str:
    """Return the kind of passing a score's bound."""
    return f"score:{score}:{bound}"


ANY_OF_MAX = 16
"""Where more alternatives than these are asked for, somebody has one of them."""

_NOTHING = frozenset[Need]()

SESSION, DEPTHS = "session", "depths"
"""Which session is under way is another one, or has another length; its depth is any other one."""

DEPTHS_MAX = 8
"""Sessions that are deeper are few: whoever asks for any depth is asked then."""


def depth_kind(depth: int) -> str:
    """Return the kind of a session's depth that comes to be so much, or is so much no longer."""
    return f"depth:{depth}"


def depth_kinds(depth: int) -> list[str]:
    """Return the kinds of all depths up to one: a session of this depth began, or is over.

    >>> depth_kinds(2), depth_kinds(99)
    (['depth:1', 'depth:2'], ['depths'])
    """
    if depth > DEPTHS_MAX:
        return [DEPTHS]
    return [depth_kind(each) for each in range(1, depth + 1)]


def every(parts: Sequence[Part]) -> Part:
    """Return the part that holds while all of these do."""
    tests = [part.test for part in parts]
    lasting = [part.test for part in parts if part.until is None]
    timed = [(part.test, part.until) for part in parts if part.until is not None]

    def test(facts: Facts, now: datetime) -> bool:
        for each in tests:  # noqa: SIM110 - `all` over a generator takes twice as long, at each event
            if not each(facts, now):
                return False
        return True

    def until(facts: Facts, now: datetime) -> datetime | None:
        for each in lasting:
            if not each(facts, now):
                return None  # whatever time does to the others, this one stays as it is
        return _change(timed, facts, now, held_by=False)

    needs = frozenset[Need]().union(*(part.needs for part in parts))
    any_of = min((part.any_of for part in parts if part.any_of), key=rarity, default=_NOTHING)
    return Part(test, until if timed else None, _kinds(parts), needs, any_of)


def some(parts: Sequence[Part]) -> Part:
    """Return the part that holds while any of these does."""
    tests = [part.test for part in parts]
    lasting = [part.test for part in parts if part.until is None]
    timed = [(part.test, part.until) for part in parts if part.until is not None]

    def test(facts: Facts, now: datetime) -> bool:
        for each in tests:  # noqa: SIM110 - see `every`
            if each(facts, now):
                return True
        return False

    def until(facts: Facts, now: datetime) -> datetime | None:
        for each in lasting:
            if each(facts, now):
                return None
        return _change(timed, facts, now, held_by=True)

    needs = frozenset[Need].intersection(*(part.needs for part in parts))
    asked = [rarest_need(part) for part in parts]
    any_of = _NOTHING.union(*asked) if all(asked) else _NOTHING
    if len(any_of) > ANY_OF_MAX:
        any_of = _NOTHING
    return Part(test, until if timed else None, _kinds(parts), needs, any_of)


def rarest_need(part: Part) -> frozenset[Need]:
    """Return things of which a visitor must have one; none where the part may hold without any."""
    asked = [frozenset({need}) for need in part.needs]
    return min([*asked, part.any_of] if part.any_of else asked, key=rarity, default=_NOTHING)


def rarity(asked: frozenset[Need]) -> tuple[int, int, list[Need]]:
    """Return the key by which things that few visitors have one of stand first."""
    return max(NEEDS.index(kind) for kind, _ in asked), len(asked), sorted(asked)


def negated(part: Part) -> Part:
    """Return the part that holds while this one does not."""
    test = part.test
    return Part(lambda facts, now: not test(facts, now), part.until, part.kinds)


def counted(
    count: Callable[[Facts, datetime | None], int],
    at_least: int,
    hours: int | None,
    kinds: frozenset[str],
    needs: frozenset[Need] = frozenset(),
) -> Part:
    """Return the part that holds while there are so many within the window; None: ever."""
    if hours is None:
        return Part(lambda facts, _: count(facts, None) >= at_least, None, kinds, needs)
    window = hours

    def until(facts: Facts, now: datetime) -> datetime | None:
        return leaves_at(lambda since: count(facts, since), at_least, now, window, facts.zone())

    def test(facts: Facts, now: datetime) -> bool:
        return count(facts, window_start(now, window, facts.zone())) >= at_least

    return Part(test, until, kinds | ZONE if has_days(hours) else kinds, needs)


def kinds_of(event: str) -> frozenset[str]:
    """Return the kinds of an event by the name it is counted under, `engagement_clicked:notice_bar` among them.

    >>> sorted(kinds_of("page")), sorted(kinds_of("track:page"))
    (['page', 'track:page'], ['track:page', 'track:track:page'])
    """
    own = {event} if event.startswith(TRACK) else set[str]()
    return frozenset({f"{TRACK}{event}"} | own | ({event.partition(":")[0]} & OTHER_KINDS))


def _kinds(parts: Sequence[Part]) -> frozenset[str]:
    return frozenset[str]().union(*(part.kinds for part in parts))


def _change(
    timed: list[tuple[Test, Until]], facts: Facts, now: datetime, *, held_by: bool
) -> datetime | None:
    """Return when a whole may change that stays as it is while any part answers `held_by`.

    While some do, it stays at least until the last of them changes; else until the first of all changes.
    """
    holding = [until for test, until in timed if test(facts, now) is held_by]
    if not holding:
        times = [time for _, until in timed if (time := until(facts, now)) is not None]
        return min(times, default=None)
    latest = now
    for until in holding:
        time = until(facts, now)
        if time is None:
            return None
        latest = max(latest, time)
    return latest
