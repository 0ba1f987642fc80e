"""Take back the second telling of an order: a shop and its payments may both tell of it, and it is one all the same.

Rules
1. A telling is counted as any event, and the later one of an order known already is taken back: so what is left is the
   same in whatever order the two came, and whichever of two visitors that are one by now had heard of which.
2. What only the later telling says of the order (its products, perhaps) is kept, at the time of the earlier one.
3. It was an event: the session that it was part of stays as it was, and nobody is told of it as of a new one.
"""

from __future__ import annotations

from agents.behavior_bot.evaluate import add_points
from agents.behavior_bot.intake import order_id_of
from agents.behavior_bot.state import BehaviorState
from agents.behavior_bot.tallies import hour_of
from agents.protocol.known import knows
from agents.rules.compiled import CompiledRules
from agents.rules.naming import OTHER
from messaging.vocabulary.events import Record, Track

Tellings = tuple[float, float]
"""When an order happened by the later and by the earlier of its tellings."""


def told_before(
    state: BehaviorState, event: Track, record: Record, rules: CompiledRules
) -> Tellings | None:
    """Return the times of the two tellings, where the order that an event tells of is known; it is not noted yet."""
    if event.event not in rules.purchase_events:
        return None
    order_id, at = order_id_of(event.properties or {}) or record.first_id, record.at.timestamp()
    known = state.orders.get(order_id)
    if known is not None:
        return max(known.at, at), min(known.at, at)
    return (at, at) if knows(state.order_names, order_id) else None


def told_to_both(state: BehaviorState, young: BehaviorState) -> list[Tellings]:
    """Return the times of the orders that two visitors who are one both heard of, before one takes the other in."""
    both = sorted(state.orders.keys() & young.orders.keys())
    pairs = [(state.orders[each].at, young.orders[each].at) for each in both]
    found = [(max(pair), min(pair)) for pair in pairs]
    for one, other in ((state, young), (young, state)):
        older = [
            each for name, each in sorted(one.orders.items()) if knows(other.order_names, name)
        ]
        found += [(each.at, each.at) for each in older]
    return found


def take_back(
    state: BehaviorState, rules: CompiledRules, name: str, tellings: Tellings
) -> list[str]:
    """Take the later telling back; return the kinds of what changed. Both stand counted as events of this name."""
    later, _ = tellings
    uncount(state, name)
    tally = state.tallies.get(name) or state.tallies.get(OTHER)
    if tally is not None and (hour := hour_of(later)) in tally.hours:
        tally.hours[hour] -= 1
        if not tally.hours[hour]:
            del tally.hours[hour]
    add_points(state, rules, f"track:{name}", later, -1.0)
    if (later, name) in state.recent:
        state.recent.remove((later, name))
    return _date_marks(state, rules, name, tellings)


def uncount(state: BehaviorState, name: str) -> None:
    """Count an event once less."""
    tally = state.tallies.get(name) or state.tallies.get(OTHER)
    if tally is not None and tally.count:
        tally.count -= 1


def _date_marks(
    state: BehaviorState, rules: CompiledRules, name: str, tellings: Tellings
) -> list[str]:
    """Date the marks of the later telling by the earlier one: those that both left are one."""
    _, earlier = tellings
    kinds = []
    for watch in rules.watched[name].watches if name in rules.watched else ():
        steps = {number for number, (event, _) in enumerate(watch.steps) if event == name}
        ring = state.marks.get(watch.id, [])
        theirs = {(earlier, *rest) for at, *rest in ring if at in tellings and rest[0] in steps}
        if not theirs:
            continue
        others = [mark for mark in ring if mark[0] not in tellings or mark[1] not in steps]
        state.marks[watch.id] = sorted([*others, *theirs])  # type: ignore[list-item]
        kinds.append(f"mark:{watch.id}")
    return kinds
