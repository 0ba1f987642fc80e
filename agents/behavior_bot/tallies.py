"""Count events: ever, and by the hours they happened in, so that any window can be counted later.

Rules
1. Of a name the newest `HOURS_MAX` hours are kept, of all names together `HOURS_IN_ALL_MAX`. Beyond it whoever has most
   gives its oldest: a rare event keeps its hours beside a thousand others, and what is left is the same in whatever
   order they came.
2. Whoever makes up a name for each event pushes out nothing that rules ask for.
"""

from __future__ import annotations

from collections.abc import Collection

from agents.behavior_bot.state import BehaviorState, Tally
from agents.rules.basics import COUNTED_MAX
from agents.rules.naming import ENGAGEMENT, OTHER

NAMES_MAX = 160
NAMES_CHARACTERS_MAX = 2_000
"""Names of events kept apart, and their characters together; what is more is counted as `OTHER`."""
OWN_NAMES = frozenset(
    {
        OTHER,
        "page",
        "screen",
        "identify",
        "group",
        "alias",
        "mail_opened",
        "mail_clicked",
        "unsubscribed",
        "Product Viewed",
        "Product Added",
        "Checkout Started",
    }
)
"""Names that never fall to the bound, as those that rules ask for: calls, what we did, and what is learnt from."""

HOURS_MAX = COUNTED_MAX
"""Hours kept of one name, the newest: so many times it happened at least, and no rule may count further."""
HOURS_IN_ALL_MAX = 800
"""Hours kept of all names together: beyond it whoever has most gives its oldest, so that none loses its last ones."""
FIRST_HOUR = 490_896
"""2026-01-01T00: hours are counted from it, which makes them half as long in the state."""
HOUR_SECONDS = 3600


def tally_of(state: BehaviorState, name: str, asked: Collection[str]) -> Tally:
    """Return the tally of an event's name, new or, beyond the bound, that of all other names.

    Args:
        state: of the visitor; the name that was not seen for longest goes to the others where there is no room.
        name: of the event.
        asked: names that rules ask for: they never go.
    """
    tally = state.tallies.get(name)
    if tally is not None:
        return tally
    room = trim_names(state, asked, NAMES_MAX - 1, NAMES_CHARACTERS_MAX - len(name))
    return state.tallies.setdefault(name if room else OTHER, Tally())


def trim_names(
    state: BehaviorState, asked: Collection[str], count_max: int, characters_max: int
) -> bool:
    """Count names with all others until the bounds hold; return whether they do."""
    names = state.tallies
    while len(names) > count_max or sum(map(len, names)) > characters_max:
        free = [each for each in names if not _is_kept(each, asked)]
        if not free:
            return False
        gone = names.pop(min(free, key=lambda each: (names[each].last, each)))
        gone.hours = {}
        add_counts(names.setdefault(OTHER, Tally()), gone)
    return True


def _is_kept(name: str, asked: Collection[str]) -> bool:
    return name in asked or name in OWN_NAMES or name.startswith(ENGAGEMENT)


def add_counts(tally: Tally, other: Tally) -> None:
    """Add what another tally counted; the bounds are the caller's."""
    tally.count += other.count
    tally.human += other.human
    tally.last = max(tally.last, other.last)
    tally.first = min(filter(None, (tally.first, other.first)), default=0)
    for hour, count in other.hours.items():
        tally.hours[hour] = tally.hours.get(hour, 0) + count


def hour_of(at: float) -> int:
    """Return the hour of a moment, as tallies name it."""
    return int(at // HOUR_SECONDS) - FIRST_HOUR


def put_in_hours(state: BehaviorState, tally: Tally, at: float) -> None:
    """Count an event in the hour it happened."""
    if count_in_hour(tally, at):
        trim_hours(state, tally)


def count_in_hour(tally: Tally, at: float) -> bool:
    """Count an event in the hour it happened; return whether the hour is a new one: the bounds are the caller's."""
    tally.last = max(tally.last, at)
    if not tally.first or at < tally.first:
        tally.first = int(at)
    hour, hours = hour_of(at), tally.hours
    is_new = hour not in hours
    hours[hour] = hours.get(hour, 0) + 1
    return is_new


def trim_hours(state: BehaviorState, tally: Tally, in_all: int = HOURS_IN_ALL_MAX) -> None:
    """Let go the oldest hours beyond the bound of a name, and beyond that of all names."""
    _trim_own(tally)
    state.let_go += len(_trim_all(state.tallies, in_all))


def trim_each(tallies: dict[str, Tally], in_all: int) -> list[str]:
    """Let go the oldest hours beyond the bound of each, and beyond that of all; return whose hours went by the second.

    Beyond the first nothing goes that a rule may ask for.
    """
    for tally in tallies.values():
        _trim_own(tally)
    return _trim_all(tallies, in_all)


def _trim_own(tally: Tally) -> None:
    over = len(tally.hours) - HOURS_MAX
    if over > 0:
        for hour in sorted(tally.hours)[:over]:
            del tally.hours[hour]


def _trim_all(tallies: dict[str, Tally], in_all: int) -> list[str]:
    gone: list[str] = []
    for _ in range(sum([len(each.hours) for each in tallies.values()]) - in_all):
        name = max(tallies, key=lambda each: (len(tallies[each].hours), each))
        hours = tallies[name].hours
        del hours[min(hours)]
        gone.append(name)
    return gone
