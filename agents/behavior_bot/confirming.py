"""Have an address confirmed by its owner before it is written to: double opt-in.

Rules
1. Whoever types an address may not own it. Consent that an event carries, in whatever way, only asks for the
   e-mail whose link its owner follows; nothing else is sent before that.
2. One address is asked about twice at most, a day apart; one visitor has a bound, too: a form must not be a way
   to flood somebody else's mailbox.
3. Another address, and a consent that was taken back, must be confirmed anew.
"""

from __future__ import annotations

from agents.behavior_bot.evaluate import Moment
from agents.behavior_bot.knowing import DOUBLE_OPT_IN, is_confirmed
from agents.behavior_bot.state import DAY_SECONDS, BehaviorState, Confirming
from messaging.vocabulary.effects import Effect, LogStory, Tell
from messaging.vocabulary.events import AddressConfirmed
from messaging.vocabulary.messages import ConfirmationWanted

ASKS_EACH = 2
"""E-mails about one address."""
ASKS_MAX = 6
"""E-mails of one visitor, about all addresses they ever named."""


def ask(state: BehaviorState, here: Moment) -> list[Effect]:
    """Ask for the e-mail by which the present address is confirmed, where one is due."""
    stamp, held = state.consents.get("email"), state.confirming
    agreed = stamp is not None and stamp.value is True
    if held is not None and not agreed:
        held.confirmed_at = 0.0
    if here.view.consent != DOUBLE_OPT_IN or not agreed or not _may_be_asked(state):
        return []
    if held is None:
        held = state.confirming = Confirming(state.address, 0.0, 0)
    asked_before = held.address == state.address and held.asked_at > 0
    if asked_before and here.seconds < held.asked_at + DAY_SECONDS:
        return []
    if held.asks >= ASKS_MAX or (asked_before and held.again >= ASKS_EACH):
        return []
    held.again = held.again + 1 if asked_before else 1
    held.address, held.asked_at, held.confirmed_at = state.address, here.seconds, 0.0
    held.asks += 1
    return [Tell("email", ConfirmationWanted(here.visitor, here.now, state.address, held.asks))]


def confirm(state: BehaviorState, event: AddressConfirmed, here: Moment) -> list[Effect]:
    """Take the owner's yes. One for an address that is not the present one any more changes nothing."""
    held = state.confirming
    if held is None or here.view.mailbox(held.address) != event.mailbox:
        return []
    if held.confirmed_at:
        return []
    held.confirmed_at = here.seconds
    return [LogStory("address.confirmed", {"send_id": event.send_id})]


def merge(state: BehaviorState, young: Confirming | None) -> None:
    """Keep, of two, what was confirmed for the present address; else what was asked later."""
    mine = state.confirming
    if young is None:
        return
    if mine is None:
        state.confirming = young
        return
    first = max((mine, young), key=lambda each: _worth(state, each))
    state.confirming = Confirming(
        first.address, first.asked_at, mine.asks + young.asks, first.confirmed_at, first.again
    )


def _worth(state: BehaviorState, held: Confirming) -> tuple[bool, bool, float]:
    return held.address == state.address, held.confirmed_at > 0, held.asked_at


def _may_be_asked(state: BehaviorState) -> bool:
    address = state.address
    if not address or state.unsubscribed_at or address in state.unreachable:
        return False
    return state.owns_mailbox and not is_confirmed(state)
