"""Hold what Behavior knows of one visitor: small, bounded everywhere, and the same in whatever order it was told.

Rules
1. Every part is a sum, a maximum, "the last writer wins" or "the newest so many": events and merges
   may come in any order and end in the same state. Where a bound had to be cut, the newest is kept.
2. The last writer is the one with the higher (time of the event, journal position).
3. Times are seconds since 1970 (UTC) as floats: exact to the microsecond, and half the cost of a datetime.
4. `counters` counts every event that was taken, exactly once: `mdma audit` holds it against the journal.
"""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec

from agents.rules.event_models import MARKS_MAX
from agents.rules.watches import Mark
from learning.serving.presence import Presence

TRAITS_MAX = 64
TRAIT_NAME_CHARACTERS_MAX = 48
TRAIT_CHARACTERS_MAX = 120
TRAITS_CHARACTERS_MAX = 2_400
LISTS_MAX = 32
"""Static lists that a visitor stands on, or was taken off: they never fall to the bounds of traits."""
USER_IDS_MAX = 8
ANONYMOUS_IDS_MAX = 16
IDS_CHARACTERS_MAX = 1_024
CONSENTS_MAX = 8
MOVES_MAX = 32
"""Cohorts entered and left that are kept for the story: two kB at most."""
RECENT_MAX = 50
RECENT_CHARACTERS_MAX = 32
PAGES_MAX = 32
PATH_CHARACTERS_MAX = 96
"""Of a longer path both ends are kept: shops say at either what a page is about."""
MARKS_IN_ALL_MAX = 128
"""Marks of all watches together; of one watch `MARKS_MAX`. Beyond it whoever has most gives its oldest."""
TURNS_MAX = 64
"""Days and values kept of the traits of which rules ask when they changed, of all together."""
CART_MAX = 16
CART_CHARACTERS_MAX = 48
SENDS_MAX = 16
CLICKS_MAX = 8
WAITING_MAX = 8
ORDERS_MAX = 24
CURRENCIES_MAX = 8
"""Currencies of which it is kept what older orders came to."""
ORDER_NAMES_MAX = 200
"""Names of older orders: of each ten bytes."""
REFUNDS_MAX = 24
ABSORBED_MAX = 48
ENTERED_MAX = 12
UNREACHABLE_MAX = 4

_time_and_text = itemgetter(0, 1)

DAY_SECONDS = 86400


class Stamped(msgspec.Struct, array_like=True, gc=False):
    """Hold a value with when it was written, so that the last writer wins in any order."""

    value: Any
    at: float
    position: int


class Tally(msgspec.Struct, array_like=True, gc=False):
    """Count one event: ever, and by the hour it happened. `first` and `last` are 0 if it never did."""

    count: int = 0
    last: float = 0.0
    hours: dict[int, int] = {}
    """Hour (`tallies.hour_of`) -> how often."""
    human: int = 0
    """Of mail facts: those that a human probably did; only these stand in `first`, `last` and `hours`."""
    first: int = 0
    """Its second: half the size, in the state, of a time to the microsecond."""


class Span(msgspec.Struct, array_like=True, gc=False):
    """Hold one session: first and last activity, pages viewed, whether its end was told."""

    start: float
    last: float
    depth: int
    told: bool = False
    viewed: dict[str, int] = {}
    """Question for its pages (`agents.rules.keeping`) -> how many of them are meant."""


class Points(msgspec.Struct, array_like=True, gc=False):
    """Hold a score as it stood at `at`, and the band that was last told."""

    value: float
    at: float
    band: str = ""


class KnownSend(msgspec.Struct, array_like=True, gc=False):
    """Remember a send that was handed over, with the latest clicks on its links."""

    send_id: str
    handed_over_at: float | None
    clicks: list[tuple[float, str]] = []


class Answer(msgspec.Struct, array_like=True, gc=False):
    """Hold an open or click until it can be judged whether a human did it."""

    send_id: str
    kind: str
    at: float
    position: int
    link: str
    user_agent: str
    method: str
    judge_at: float
    taken_at: datetime | None = None
    """When Behavior took it: what is told of it later carries this moment."""


class InCart(msgspec.Struct, array_like=True, gc=False, order=True):
    """Remember that something was put into the cart, or taken out (`quantity` below zero)."""

    at: float
    product: str
    quantity: int
    price: float
    words: list[str]
    """By what the product can be asked for."""


class Turn(msgspec.Struct, array_like=True, gc=False, order=True):
    """Remember that a trait was told to have a value on a day, and when that day it was first told.

    By day and value, and not by time: so that the newest so many are the same in whatever order they come.
    """

    day: int
    trait: int
    value: int
    """Both by a hash: a text of any length must not grow the state."""
    at: float


class Order(msgspec.Struct, array_like=True, gc=False):
    """Remember an order that was counted."""

    value: float
    at: float
    payment_id: str = ""
    """Another name of it, which refunds may call it by."""
    currency: str = ""
    """Empty: it names none."""


class Refund(msgspec.Struct, array_like=True, gc=False):
    """Remember what was given back of an order; `amount` is None for all of it."""

    order_id: str
    amount: float | None
    at: float
    currency: str = ""


class Confirming(msgspec.Struct, array_like=True, gc=False):
    """Remember that an address was to be confirmed by its owner (double opt-in)."""

    address: str
    asked_at: float
    asks: int
    """E-mails asked for in all, of whatever address."""
    confirmed_at: float = 0.0
    """0: not yet."""
    again: int = 0
    """E-mails about this address."""


class Chance(msgspec.Struct, array_like=True, gc=False):
    """Hold a probability that a rule asked for, as it was worked out at `at`."""

    value: float | None
    """None: the snapshot could not be read."""
    at: float
    version: int
    """Of the snapshot."""


class BehaviorState(msgspec.Struct, array_like=True, gc=False):
    """Hold one visitor."""

    user_ids: dict[str, float] = {}
    """User id -> when it was first seen."""
    anonymous_ids: dict[str, float] = {}
    email: Stamped | None = None
    owns_mailbox: bool = True
    traits: dict[str, Stamped] = {}
    consents: dict[str, Stamped] = {}
    """Category (`email`, `site`, `social`) -> yes or no."""
    unsubscribed_at: float = 0.0
    unreachable: list[str] = []
    """Addresses that bounced hard or whose owner complained, the newest last."""
    places: dict[str, Stamped] = {}
    """`zone`, `country`, `locale` and the campaign, by the last context."""
    tallies: dict[str, Tally] = {}
    scores: dict[str, Points] = {}
    cohorts: list[str] = []
    """What was told: the cohorts this visitor is in, sorted."""
    sessions: list[Span] = []
    """The newest sessions, oldest first."""
    sessions_before: int = 0
    session_armed: bool = False
    orders: dict[str, Order] = {}
    orders_count: int = 0
    orders_older: dict[str, float] = {}
    """Currency -> what is left of the orders that are not remembered any more."""
    recent: list[tuple[float, str]] = []
    pages: list[tuple[float, str]] = []
    marks: dict[str, list[Mark]] = {}
    """Watch -> its newest marks, oldest first: what a rule asks of events one by one."""
    marks_dropped: int = 0
    """Marks that were let go because of the bounds."""
    turns: list[Turn] = []
    """What was told of the traits of which rules ask when they changed."""
    cart: list[InCart] = []
    """The newest that was put in or taken out, if a rule asks for it."""
    sends: list[KnownSend] = []
    waiting: list[Answer] = []
    minute: int = 0
    minute_count: int = 0
    over_bound: int = 0
    first_seen: float = 0.0
    rules_version: int = -1
    """Version under which all cohorts were last evaluated."""
    cohorts_due: float = 0.0
    """When time alone may change a cohort or a band: the wake-up that stands, 0 if none."""
    told: str = ""
    """Hash of what was last told about who this is; empty: nothing yet."""
    absorbed: list[str] = []
    """Younger visitors whose state was taken in."""
    confirming: Confirming | None = None
    """None: no address was ever to be confirmed."""
    social_until: float = 0.0
    """Until when Social's first answer is, or was, awaited; 0: nobody was asked."""
    refunds: dict[str, Refund] = {}
    """Refund id -> the refund, those whose order is not known (yet) among them."""
    moment_armed: bool = False
    """Whether the wake-up for the next weekly moment stands."""
    chances: dict[str, Chance] = {}
    """`opportunity`, `customer` -> probability; only those that a rule asks for."""
    kept: int = 0
    """Publication for whose rules it is kept what they look at; 0: none yet."""
    kept_version: int = -1
    """Version of the rules that it published."""
    lacks: list[str] = []
    """What is kept since then only, and whose history is on its way (`agents.rules.keeping`), sorted."""
    awaiting: list[str] = []
    """Visitors whose history that is: this one, and who was merged into them, sorted."""
    told_may_show: bool = True
    """Whether Rules was last told that this visitor may be spoken to on the site; before any word: yes."""
    lists: dict[str, Stamped] = {}
    """`lists.<name>` -> whether the visitor stands on that static list; the newest so many."""
    let_go: int = 0
    """Hours, and what else a rule might ask for, that were let go because of the bounds (`squeezing`)."""
    bytes_seen: int = 0
    """How large it was when that was last looked at."""
    unseen: int = 0
    """Events since then."""
    order_names: bytes = b""
    """Names of orders that are not remembered any more (`agents.protocol.known`)."""
    by_people: list[str] = []
    """Of the cohorts those that ask for a list on which the visitor stands: people had a hand in it. Sorted."""
    moves: list[tuple[float, str, str]] = []
    """(when, `+` and a cohort that was entered or `-` and one that was left, by what); the newest so many."""
    entered: dict[str, float] = {}
    """Path -> when its newest run began, of the flows that ask what was done since; the newest so many."""
    first_currency: tuple[float, str] | None = None
    """When the earliest order that names a currency was, and which: by it the value of orders is asked for."""
    looked: dict[str, Tally] = {}
    """Question for pages (`agents.rules.keeping`) -> how often such were seen (`looked`)."""
    counts_pages: bool = False
    """Whether `looked` is kept: a state that was stored before has the newest pages alone."""
    imported: bool = False
    """Whether a person imported a table in which this visitor stood: whom to have they chose."""
    presence: Presence = msgspec.field(default_factory=Presence)
    """In which hours there was activity (`sessions`), the newest so many."""
    hours_told: int = 0
    """Of the weeks of `presence` those before this one were told; 0: none."""
    told_undecided: list[str] = []
    """Cohorts of which Rules was told that what they look at is lacking (`filling`)."""
    few_told: int = 0
    """How many of the first few hours of `presence` Rules was told of (`hours`)."""

    @property
    def counters(self) -> dict[str, int]:
        """Return event name -> how often it was taken."""
        return {name: tally.count for name, tally in self.tallies.items()}

    @property
    def address(self) -> str:
        """Return the e-mail address, empty if none is known."""
        return self.email.value if self.email is not None else ""


def put(stamps: dict[str, Stamped], name: str, value: Any, at: float, position: int) -> bool:
    """Write a value unless a later one stands; return whether the value changed."""
    old = stamps.get(name)
    if old is None:
        stamps[name] = Stamped(value, at, position)
        return value is not None
    if at < old.at or (at == old.at and position <= old.position):
        return False
    changed = bool(old.value != value)
    old.value, old.at, old.position = value, at, position
    return changed


def trim(
    stamps: dict[str, Stamped], count_max: int, characters_max: int | None = None
) -> list[str]:
    """Let the oldest written go until the bounds hold; return their names."""
    if characters_max is None:
        if len(stamps) <= count_max:
            return []
        characters_max = 1 << 30
    size = sum(len(name) + _size(stamp.value) for name, stamp in stamps.items())
    if len(stamps) <= count_max and size <= characters_max:
        return []
    gone: list[str] = []
    oldest = sorted(stamps, key=lambda name: (stamps[name].at, stamps[name].position, name))
    for name in oldest:
        if len(stamps) <= count_max and size <= characters_max:
            break
        size -= len(name) + _size(stamps.pop(name).value)
        gone.append(name)
    return gone


def note_entered(state: BehaviorState, path: str, at: float) -> None:
    """Remember when the newest run of a path began, of the newest so many."""
    state.entered[path] = max(at, state.entered.get(path, at))
    while len(state.entered) > ENTERED_MAX:
        del state.entered[min(state.entered, key=lambda each: (state.entered[each], each))]


def note_id(ids: dict[str, float], value: str, at: float, count_max: int) -> bool:
    """Remember an id with when it was first seen, the earliest so many; return whether it is new."""
    first = ids.get(value)
    if first is not None and first <= at:
        return False
    ids[value] = at
    while len(ids) > count_max or (len(ids) > 1 and sum(map(len, ids)) > IDS_CHARACTERS_MAX):
        ids.pop(max(ids, key=lambda each: (ids[each], each)))
    return first is None and value in ids


def keep_sends(state: BehaviorState, sends: Iterable[KnownSend]) -> None:
    """Keep the newest so many sends in the order of their hand-overs; those that are not known to be over come last."""
    by_age = sorted(
        sends,
        key=lambda send: (send.handed_over_at is None, send.handed_over_at or 0.0, send.send_id),
    )
    state.sends = by_age[-SENDS_MAX:]


def keep(ring: list[Any], entry: Any, count_max: int) -> Any:
    """Put an entry into a ring that holds the newest so many, by time, then text; return what is let go, or None."""
    if not ring or entry[0] > ring[-1][0]:
        ring.append(entry)
    else:
        insort_right(ring, entry, key=_time_and_text)
    return ring.pop(0) if len(ring) > count_max else None


def keep_marks(state: BehaviorState, watch: str, marks: Iterable[Mark]) -> list[str]:
    """Put marks among those of their watch, the newest of each watch and of all together; return whose changed."""
    changed = [watch]
    ring = state.marks.setdefault(watch, [])
    ring.extend(marks)
    ring.sort()
    over = len(ring) - MARKS_MAX
    if over > 0:
        del ring[:over]
        state.marks_dropped += over
    over = sum(map(len, state.marks.values())) - MARKS_IN_ALL_MAX
    for _ in range(over):
        # Whoever has most gives, so that what is left of each is the same in whatever order it came.
        most = max(state.marks, key=lambda name: (len(state.marks[name]), name))
        del state.marks[most][0]
        state.marks_dropped += 1
        changed.append(most)
    return changed


def keep_turn(state: BehaviorState, turn: Turn) -> bool:
    """Put what was told of a trait among the newest so many; return whether it says anything new."""
    turns = state.turns
    for known in turns:
        if (known.day, known.trait, known.value) == (turn.day, turn.trait, turn.value):
            is_new, known.at = turn.at < known.at, min(turn.at, known.at)
            return is_new
    insort_right(turns, turn)
    if len(turns) > TURNS_MAX:
        del turns[0]
    return True


def keep_in_cart(state: BehaviorState, entries: Iterable[InCart]) -> None:
    """Put entries into the cart's ring, which holds the newest so many."""
    state.cart = sorted([*state.cart, *entries])[-CART_MAX:]


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else 9
