"""Hold what Email knows of one visitor: may we write, where to, and what is under way.

Rules
1. Everything is bounded: a visitor is never more than a few kilobytes.
2. A send is either open or past, never both; its plan stays with it, so that its ledger row can be written again.
3. What was closed or left stays so: a goal's time only moves forward, flags are only set (a new address
   clears what was said about the old one).
4. Consent is asked by the setting in force, not by the one of when Behavior spoke: until everybody has been told of a
   stricter one, nobody is written to against it.

Layouts
1  had no `may_email_by`.
2  is this one.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from messaging.vocabulary.ids import normal_address
from messaging.vocabulary.plans import SendPlan

VERSION = 2

PAST_MAX = 16
"""Past sends remembered: four runs' worth. Older ones are in the ledger."""

OPEN_MAX = 64
"""Sends under way at once; the caps keep them below a handful."""

ORDERS_MAX = 32
"""Orders remembered for which a success e-mail was decided."""

ABSORBED_MAX = 32

PATHS_MAX = 64
"""Paths whose goal's time is remembered."""

NO_CONSENT = "no consent"

MAY_COME = frozenset({"no address", NO_CONSENT, "mailbox of another visitor"})
"""Refusals that one message from Behavior can lift: it may still be on its way when Rules asks already."""

TRAITS_MAX = 40
TRAIT_CHARACTERS_MAX = 200

HELD = "planned"
WAITING = "waiting"
HANDING_OVER = "handing over"
DEFERRED = "deferred"


class OpenSend(msgspec.Struct, array_like=True):
    """Hold a send that has no final status yet."""

    plan: SendPlan
    status: str
    """`planned` while held, `waiting` for a session, `handing over`, or `deferred` until its wake-up."""
    address: str = ""
    """Where it was handed over to last; before that, where the purchase says a success e-mail can go, or which
    address is to be confirmed."""
    tries: int = 0
    """Hand-overs begun since it was queued the first time, or again after an uncertain one."""
    first_try_at: datetime | None = None
    resends: int = 0
    """How often it was queued again after an uncertain outcome (`on_uncertain: resend`)."""
    answered: bool = False
    """True when an open, a click or a report came before the outcome: it did arrive."""
    reported: str = ""
    """`bounced` or `complained`, where a report came before the outcome."""


class PastSend(msgspec.Struct, array_like=True):
    """Hold a send with a final status."""

    plan: SendPlan
    """Without its variables."""
    status: str
    at: datetime
    mailbox: str
    handed_over_at: datetime | None = None
    is_alert_closed: bool = False
    """True where there was an alert about it, and a person or a later answer has closed that."""
    domain: str = ""
    """Of the mailbox."""
    left: bool = False
    """True where somebody unsubscribed by it."""
    opened: bool = False
    """True where a person opened it, as far as can be told."""
    clicked: bool = False
    """True where a person clicked in it."""


class EmailState(msgspec.Struct, array_like=True):
    """Hold one visitor's state of the Email bot."""

    address: str = ""
    may_email: bool = False
    owns_mailbox: bool = False
    address_bad: bool = False
    """A server said for good that there is no such mailbox."""
    unsubscribed: bool = False
    traits: dict[str, str] = {}
    open: dict[str, OpenSend] = {}
    past: list[PastSend] = []
    """Oldest first."""
    closed: dict[str, datetime] = {}
    """Path -> when its goal was reached last; runs entered until then are over."""
    orders: list[tuple[str, str]] = []
    """(path, order id) for which a success e-mail was decided, oldest first."""
    refused_total: int = 0
    resent_total: int = 0
    awaiting: list[str] = []
    """Younger visitors found to be this one, whose states are on their way: nobody is thanked until then."""
    absorbed: list[str] = []
    """Younger visitors whose states have come, the newest last."""
    erasing: bool = False
    """True from the erasure until what was being handed over then has its outcome."""
    zone: str = ""
    """The visitor's time zone as it was told last; empty if it is not known."""
    may_email_by: list[str] | None = None
    """Consent settings by which marketing may be written; None: `may_email` alone was told."""


class _Packed(msgspec.Struct, array_like=True):
    version: int
    state: msgspec.Raw


_encoder = msgspec.msgpack.Encoder()
_states: msgspec.msgpack.Decoder[EmailState] = msgspec.msgpack.Decoder(EmailState)
_packed: msgspec.msgpack.Decoder[_Packed] = msgspec.msgpack.Decoder(_Packed)


def upgrade(version: int, body: bytes) -> EmailState:
    """Return the present state from the bytes of an older version, or of this one."""
    assert 1 <= version <= VERSION, f"email state of unknown version {version}"
    return _states.decode(body)


def pack(state: EmailState) -> bytes:
    """Return a state as bytes that travel to the older visitor in a merge."""
    return _encoder.encode((VERSION, state))


def unpack(body: bytes) -> EmailState:
    """Read what `pack` wrote, also by an older version."""
    packed = _packed.decode(body)
    return upgrade(packed.version, bytes(packed.state))


def may_email(state: EmailState, consent: str) -> bool:
    """Say whether marketing may be written by a consent setting, by what Behavior said last.

    An older version was told of one setting and did not note which: then it waits for what Behavior says anew.
    """
    return consent in (state.may_email_by or ())


def refusal(state: EmailState, plan: SendPlan, address: str, consent: str) -> str:
    """Return why this send must not go out, or an empty text.

    What is for good comes before what may be lifted. A success e-mail belongs to a purchase: it asks for
    no consent, but a mailbox that does not exist gets none either. The e-mail that asks to confirm an address
    is what consent comes by; whoever has left is not asked.

    Args:
        state: the visitor's state.
        plan: the send.
        address: where it would go.
        consent: the consent setting in force.
    """
    if not plan.success:
        closed_at = state.closed.get(plan.path)
        if closed_at is not None and closed_at >= plan.entered_at:
            return "goal reached"
        if state.unsubscribed:
            return "unsubscribed"
    if not address:
        return "no address"
    if plan.marketing and not may_email(state, consent):
        return NO_CONSENT
    if plan.marketing and not state.owns_mailbox:
        return "mailbox of another visitor"
    if state.address_bad and same_mailbox(address, state.address):
        return "address bad"
    return ""


def same_mailbox(one: str, other: str) -> bool:
    """Say whether two spellings are one address."""
    return normal_address(one) == normal_address(other)


def close_path(state: EmailState, path: str, at: datetime) -> None:
    """Note that a path's goal was reached; an older goal that comes late changes nothing."""
    known = state.closed.get(path)
    if known is None or at > known:
        state.closed[path] = at
    while len(state.closed) > PATHS_MAX:
        del state.closed[min(state.closed, key=state.closed.__getitem__)]


def remember_order(state: EmailState, path: str, order_id: str) -> None:
    """Note that a success e-mail was decided for this order."""
    state.orders.append((path, order_id))
    del state.orders[:-ORDERS_MAX]


def remember_past(state: EmailState, past: PastSend) -> None:
    """Note a send's final status."""
    state.past.append(past)
    del state.past[:-PAST_MAX]


def past_send(state: EmailState, send_id: str) -> PastSend | None:
    """Return a past send that is still remembered."""
    return next((past for past in state.past if past.plan.send_id == send_id), None)


def merge_facts(state: EmailState, younger: EmailState) -> None:
    """Add to a state what was known of the younger visitor; open sends are the step's affair.

    Consent and ownership stay the older visitor's own: Behavior says anew what holds of the two together.
    """
    if not state.address:
        state.address = younger.address
        state.may_email = younger.may_email
        state.may_email_by = younger.may_email_by
        state.owns_mailbox = younger.owns_mailbox
        state.address_bad = younger.address_bad
        state.traits = younger.traits
    elif same_mailbox(state.address, younger.address):
        state.address_bad = state.address_bad or younger.address_bad
    state.unsubscribed = state.unsubscribed or younger.unsubscribed
    state.refused_total += younger.refused_total
    state.resent_total += younger.resent_total
    for path, at in younger.closed.items():
        close_path(state, path, at)
    for path, order_id in younger.orders:
        if (path, order_id) not in state.orders:
            remember_order(state, path, order_id)
    known = {past.plan.send_id for past in state.past}
    state.past.extend(past for past in younger.past if past.plan.send_id not in known)
    state.past.sort(key=lambda past: (past.at, past.plan.send_id))
    del state.past[:-PAST_MAX]
