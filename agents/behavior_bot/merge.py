"""Make one state of two, for visitors that were found to be one.

Rules
1. Sums are added, the last writer wins, the newest are kept: who is merged into whom, and when, changes
   nothing but what was told to peers, which stays the older's.
2. A younger visitor is taken in once.
"""

from __future__ import annotations

import msgspec

from agents.behavior_bot import confirming, layout, sessions
from agents.behavior_bot.evaluate import merge_points
from agents.behavior_bot.knowing import trim_all
from agents.behavior_bot.looked import add_looked
from agents.behavior_bot.orders import absorb_orders
from agents.behavior_bot.state import (
    ABSORBED_MAX,
    ANONYMOUS_IDS_MAX,
    CLICKS_MAX,
    MOVES_MAX,
    PAGES_MAX,
    RECENT_MAX,
    UNREACHABLE_MAX,
    USER_IDS_MAX,
    BehaviorState,
    KnownSend,
    Tally,
    keep,
    keep_in_cart,
    keep_marks,
    keep_sends,
    keep_turn,
    note_entered,
    note_id,
    put,
)
from agents.behavior_bot.tallies import add_counts, tally_of, trim_hours
from agents.behavior_bot.told_twice import take_back, told_to_both
from agents.rules.compiled import CompiledRules
from learning.serving import presence

_decoder = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])


def pack(state: BehaviorState) -> bytes:
    """Return a state as it travels to the older visitor."""
    return msgspec.msgpack.encode((layout.VERSION, state))


def unpack(body: bytes) -> BehaviorState:
    """Read a state that came from a younger visitor."""
    version, state = _decoder.decode(body)
    return layout.read(version, state)


def absorb(state: BehaviorState, younger: str, young: BehaviorState, rules: CompiledRules) -> bool:
    """Take a younger visitor's state in; return False if it was taken in before."""
    if younger in state.absorbed:
        return False
    state.absorbed = [*state.absorbed, *young.absorbed, younger][-ABSORBED_MAX:]
    twice = told_to_both(state, young)
    _absorb_who(state, young)
    _absorb_tallies(state, young.tallies, rules)
    for name, points in young.scores.items():
        state.scores[name] = merge_points(state.scores.get(name), points, rules.scores.get(name))
    sessions.absorb(state, young.sessions, young.sessions_before)
    absorb_orders(state, young)
    _absorb_rings(state, young)
    for tellings in twice:
        for name in rules.purchase_events:
            take_back(state, rules, name, tellings)
    if young.minute > state.minute:
        state.minute, state.minute_count = young.minute, young.minute_count
    elif young.minute == state.minute:
        state.minute_count += young.minute_count
    state.over_bound += young.over_bound
    state.imported |= young.imported
    presence.absorb(state.presence, young.presence)
    state.hours_told = max(state.hours_told, young.hours_told)
    state.few_told = min(state.few_told, young.few_told)  # Rules may have heard of one half alone
    state.chances = {}  # of half a visitor: worked out anew
    firsts = [first for first in (state.first_seen, young.first_seen) if first]
    state.first_seen = min(firsts, default=0.0)
    return True


def _absorb_who(state: BehaviorState, young: BehaviorState) -> None:
    for user, at in young.user_ids.items():
        note_id(state.user_ids, user, at, USER_IDS_MAX)
    for anonymous, at in young.anonymous_ids.items():
        note_id(state.anonymous_ids, anonymous, at, ANONYMOUS_IDS_MAX)
    mine, theirs = state.email, young.email
    if theirs is not None and (
        mine is None or (theirs.at, theirs.position) > (mine.at, mine.position)
    ):
        state.email, state.owns_mailbox = theirs, young.owns_mailbox
    for held, other in (
        (state.traits, young.traits),
        (state.lists, young.lists),
        (state.consents, young.consents),
        (state.places, young.places),
    ):
        for name, stamp in other.items():
            put(held, name, stamp.value, stamp.at, stamp.position)
    trim_all(state)
    confirming.merge(state, young.confirming)
    state.unsubscribed_at = max(state.unsubscribed_at, young.unsubscribed_at)
    state.social_until = max(state.social_until, young.social_until)
    addresses = sorted({*state.unreachable, *young.unreachable})
    state.unreachable = addresses[-UNREACHABLE_MAX:]


def _absorb_tallies(state: BehaviorState, tallies: dict[str, Tally], rules: CompiledRules) -> None:
    for name in sorted(tallies):
        theirs, mine = tallies[name], tally_of(state, name, rules.counted)
        add_counts(mine, theirs)
        trim_hours(state, mine)


def _absorb_rings(state: BehaviorState, young: BehaviorState) -> None:
    for entry in young.recent:
        keep(state.recent, entry, RECENT_MAX)
    for move in young.moves:
        keep(state.moves, move, MOVES_MAX)
    for page in young.pages:
        keep(state.pages, page, PAGES_MAX)
    for watch, marks in young.marks.items():
        keep_marks(state, watch, marks)
    add_looked(state, young.looked)
    state.marks_dropped += young.marks_dropped
    state.let_go += young.let_go
    for path, at in young.entered.items():
        note_entered(state, path, at)
    for turn in young.turns:
        keep_turn(state, turn)
    keep_in_cart(state, young.cart)
    state.waiting = [*state.waiting, *young.waiting]
    sends = {send.send_id: send for send in state.sends}
    for theirs in young.sends:
        mine = sends.setdefault(theirs.send_id, KnownSend(theirs.send_id, theirs.handed_over_at))
        if mine.handed_over_at is None:
            mine.handed_over_at = theirs.handed_over_at
        clicks = {(at, link) for at, link in (*mine.clicks, *theirs.clicks)}
        mine.clicks = sorted(clicks)[-CLICKS_MAX:]
    keep_sends(state, sends.values())
