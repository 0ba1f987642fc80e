"""Move sends from one status to the next, and write down each move: ledger row, story, who must know.

    planned → waiting → handing over → handed over | bounced | uncertain | refused
                 ▲            │
                 └─ deferred ◀┘ → given up      planned, waiting, deferred → cancelled | refused

Rules
1. Every change of status writes the ledger row in the same commit.
2. A final status is taken once; only `uncertain` is settled later, by an open or a bounce.
3. A request that only wants a word from Behavior is held for it (`planned`), since the words of two bots
   overtake each other, and a guest may say only after the purchase who they are. Held is not allowed: nothing
   goes out before the word came.
4. Rules hears the end of every marketing send, and of no other: only that is a touch of a run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.email_bot.state import (
    DEFERRED,
    HANDING_OVER,
    HELD,
    MAY_COME,
    OPEN_MAX,
    WAITING,
    EmailState,
    OpenSend,
    PastSend,
    refusal,
    remember_past,
)
from agents.protocol.bot import View
from messaging.vocabulary.effects import (
    CancelWake,
    Effect,
    HandOver,
    LogStory,
    PutSend,
    QueueSend,
    Suppress,
    Tell,
    WakeAt,
)
from messaging.vocabulary.ids import domain_of
from messaging.vocabulary.messages import MailSent, SendSettled
from messaging.vocabulary.plans import SendPlan

HOLD_FOR = timedelta(minutes=10)
"""Twice what the world clock may run ahead of a message under way."""

HOLD_AFTER_UPGRADE_FOR = timedelta(hours=48)
"""The pass by which everybody is told of anew may have a million visitors before this one."""

HOLD_SUCCESS_FOR = timedelta(hours=48)
"""How long a purchase without an address waits for one: a guest says who they are in the same visit, or at delivery."""

HELD_MAX = 8
"""Success e-mails held for one visitor: a till that never says who buys must not fill the state."""

RETRY_FIRST = timedelta(minutes=5)
"""Wait after the first 4xx; doubled each time. Greylisting asks for 1 to 15 minutes."""

TRIES_MAX = 8
RETRY_FOR = timedelta(hours=48)
"""How long a send is tried: what is older than two days says nothing that is still true."""


def send_detail(plan: SendPlan, reason: str) -> dict[str, Any]:
    """Return what a line of the story says about a send."""
    return {
        "send_id": plan.send_id,
        "path": plan.path,
        "run": plan.run,
        "stage": plan.stage,
        "step": plan.step,
        "attempt": plan.attempt,
        "template": plan.template,
        "reason": reason,
    }


class Turn:
    """Hold one step under way: the state, the moment, and the effects so far."""

    __slots__ = ("at", "effects", "now", "state", "view", "visitor")

    def __init__(
        self, state: EmailState, visitor: str, *, at: datetime, now: datetime, view: View
    ) -> None:
        self.state = state
        self.visitor = visitor
        self.at = at
        self.now = now
        self.view = view
        self.effects: list[Effect] = []

    def address_of(self, send: OpenSend) -> str:
        """Return where a send goes; what is on its way goes where it was sent."""
        if send.status == HANDING_OVER or send.plan.confirms:
            return send.address
        if send.plan.success:
            return self.state.address or send.address
        return self.state.address

    def mailbox(self, address: str) -> str:
        """Return the keyed hash of an address, empty for none."""
        return self.view.mailbox(address) if address else ""

    def refusal(self, send: OpenSend) -> str:
        """Return why an open send must not go out, or an empty text."""
        return refusal(self.state, send.plan, self.address_of(send), self.view.consent)

    def story(self, kind: str, plan: SendPlan, reason: str) -> None:
        """Write a line of the visitor's story about a send."""
        self.effects.append(LogStory(kind, send_detail(plan, reason)))

    def admit(self, send: OpenSend) -> None:
        """Queue, hold or refuse a new send."""
        reason = self.refusal(send)
        # What is no marketing has as much room again: a flood of that cannot keep it out.
        room = OPEN_MAX * (1 if send.plan.marketing else 2)
        room_to_hold = OPEN_MAX if send.plan.marketing else HELD_MAX
        if not reason and len(self.state.open) >= room:
            reason = "too many sends are open"
        if not reason and send.plan.success and self.state.awaiting:
            self.hold(send, "merging")
        elif not reason:
            self.queue(send)
        elif reason in MAY_COME and len(self.state.open) < room_to_hold:
            self.hold(send, reason)
        else:
            self.refuse(send, reason)

    def hold(self, send: OpenSend, reason: str) -> None:
        """Wait for the word that lifts a refusal."""
        send.status = HELD
        self.state.open[send.plan.send_id] = send
        patience = HOLD_FOR if send.plan.marketing else HOLD_SUCCESS_FOR
        if send.plan.marketing and self.state.may_email_by is None and self.state.may_email:
            patience = HOLD_AFTER_UPGRADE_FOR
        until = self.now + patience
        self.put(send, reason, until)
        self.effects.append(WakeAt(hold_key(send.plan.send_id), until))

    def release(self) -> None:
        """Queue the held sends that nothing stands against any more; end those that are lost.

        A success e-mail waits for the younger visitors on their way here: one of them may have been thanked.
        """
        for send in list(self.state.open.values()):
            if send.status == HELD:
                reason = self.refusal(send)
                if reason and reason not in MAY_COME:
                    self.refuse(send, reason)
                elif not reason and not (send.plan.success and self.state.awaiting):
                    self.effects.append(CancelWake(hold_key(send.plan.send_id)))
                    self.queue(send)

    def queue(self, send: OpenSend, reason: str = "") -> None:
        """Put a send in the line for a session."""
        send.status = WAITING
        self.state.open[send.plan.send_id] = send
        self.put(send, reason)
        self.effects.append(QueueSend(send.plan.send_id, self.now, send.plan.path))

    def hand_over(self, send: OpenSend) -> None:
        """Give a send to SMTP once this step is committed."""
        address = send.address = self.address_of(send)
        send.status = HANDING_OVER
        send.tries += 1
        send.first_try_at = send.first_try_at or self.now
        self.put(send, "")
        self.effects.append(HandOver(send.plan, address, self.mailbox(address), self.now))

    def defer(self, send: OpenSend, reason: str) -> str:
        """Wait before another try, or give up where there were enough: then return why."""
        assert send.first_try_at is not None, "a deferred send was tried"
        again_at = self.now + RETRY_FIRST * 2 ** (send.tries - 1)
        if send.tries >= TRIES_MAX or again_at > send.first_try_at + RETRY_FOR:
            enough = f"{send.tries} tries: {reason}"
            self.settle(send, "given up", enough)
            return enough
        send.status = DEFERRED
        self.put(send, reason)
        self.effects.append(WakeAt(retry_key(send.plan.send_id), again_at))
        return ""

    def put(self, send: OpenSend, reason: str, until: datetime | None = None) -> None:
        """Write the ledger row of an open send; `until`: how long it waits for the word that lifts the reason."""
        address = self.address_of(send)
        self.effects.append(
            PutSend(
                send.plan,
                send.status,
                reason,
                self.now,
                self.mailbox(address),
                domain=domain_of(address),
                until=until,
                tried_since=send.first_try_at if send.status == DEFERRED else None,
            )
        )

    def settle(
        self,
        send: OpenSend,
        status: str,
        reason: str,
        handed_over_at: datetime | None = None,
        told: str = "",
    ) -> None:
        """End a send: it is past, the ledger says how, and Rules hears of it (as `told`, where that differs)."""
        plan, state = send.plan, self.state
        state.open.pop(plan.send_id, None)
        if send.status == DEFERRED:
            self.effects.append(CancelWake(retry_key(plan.send_id)))
        elif send.status == HELD:
            self.effects.append(CancelWake(hold_key(plan.send_id)))
        address = self.address_of(send)
        mailbox, domain = self.mailbox(address), domain_of(address)
        short = msgspec.structs.replace(plan, variables={})
        past = PastSend(short, status, self.now, mailbox, handed_over_at, domain=domain)
        remember_past(state, past)
        self.effects.append(
            PutSend(plan, status, reason, self.now, mailbox, handed_over_at, domain)
        )
        if plan.marketing:
            self._tell_rules(plan, told or status, reason)

    def refuse(self, send: OpenSend, reason: str) -> None:
        """End a send that must not go out. A refusal is a fact: what was withheld must be seen."""
        self.state.refused_total += 1
        self.settle(send, "refused", reason)
        self.story("success.refused" if send.plan.success else "send.refused", send.plan, reason)

    def cancel(self, send: OpenSend, reason: str) -> None:
        """End a send that was to go out, and is not wanted any more."""
        self.settle(send, "cancelled", reason)
        self.story("send.cancelled", send.plan, reason)

    def cancel_marketing(self, reason: str) -> None:
        """Cancel all marketing that is not on its way to SMTP already."""
        for send in self._stoppable():
            self.cancel(send, reason)

    def cancel_withdrawn(self) -> None:
        """Cancel marketing that had been allowed. What is held was not, and its word may yet come."""
        for send in self._stoppable():
            if send.status != HELD:
                self.cancel(send, "consent withdrawn")

    def cancel_refused(self) -> None:
        """Cancel the marketing that must not go out any more, by what is known now."""
        for send in self._stoppable():
            reason = self.refusal(send)
            if reason and not (send.status == HELD and reason in MAY_COME):
                self.cancel(send, reason)

    def suppress(self, mailbox: str, reason: str) -> None:
        """Let nobody write to a mailbox any more: another visitor's, too, and theirs who is erased and comes back."""
        if mailbox:
            self.effects.append(Suppress(mailbox, reason, self.now))

    def sent(self, plan: SendPlan, handed_over_at: datetime) -> None:
        """Tell those who count sends. Sales credits touches, and only marketing is one."""
        message = MailSent(
            visitor=self.visitor,
            at=self.at,
            send_id=plan.send_id,
            template=plan.template,
            path=plan.path,
            decision_id=plan.decision_id,
            handed_over_at=handed_over_at,
        )
        self.effects.append(Tell("behavior", message))
        if plan.marketing:
            self.effects.append(Tell("sales", message))

    def _stoppable(self) -> list[OpenSend]:
        return [
            send
            for send in self.state.open.values()
            if send.plan.marketing and send.status != HANDING_OVER
        ]

    def _tell_rules(self, plan: SendPlan, outcome: str, reason: str) -> None:
        self.effects.append(
            Tell(
                "rules",
                settled_message(self.visitor, self.at, plan=plan, outcome=outcome, reason=reason),
            )
        )


def settled_message(
    visitor: str, at: datetime, *, plan: SendPlan, outcome: str, reason: str
) -> SendSettled:
    """Return the message that tells Rules what became of a send."""
    return SendSettled(
        visitor=visitor,
        at=at,
        send_id=plan.send_id,
        path=plan.path,
        run=plan.run,
        attempt=plan.attempt,
        outcome=outcome,
        reason=reason,
    )


def hold_key(send_id: str) -> str:
    """Return the key of the wake-up that ends the holding of a send."""
    return f"hold:{send_id}"


def retry_key(send_id: str) -> str:
    """Return the key of the wake-up for another try."""
    return f"retry:{send_id}"
