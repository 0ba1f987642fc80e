"""Watch what Email took and handed over: after a refusal nothing goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from agents.email_bot.state import EmailState, same_mailbox
from agents.runtime.fold import Folded, Work
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.messages import (
    Erased,
    GoalReached,
    Identified,
    MailOutcome,
    Message,
    Responded,
    StateMerged,
)
from messaging.vocabulary.no_mailbox import about_recipient


class Refusals:
    """Watch Email's batches: after a refusal was taken, no marketing e-mail is handed over."""

    def __init__(self, found: Callable[[str, str], None]) -> None:
        self._found = found
        self._left: set[str] = set()
        self._goals: dict[tuple[str, str], datetime] = {}
        self._may: dict[str, bool | list[str]] = {}
        """Whether Behavior said last that marketing may be written, or by which consent settings it may."""
        self._sent_to: dict[str, str] = {}
        """Send -> mailbox, until its outcome."""
        self._address: dict[str, str] = {}
        self._bad: dict[str, str] = {}
        """Visitor -> mailbox that a server said for good does not exist."""

    def begin(self, states: Iterable[tuple[str, EmailState]]) -> None:
        """Take what had been refused before a checkpoint: Email's states as they were kept."""
        for visitor, state in states:
            if state.unsubscribed:
                self._left.add(visitor)
            for path, at in state.closed.items():
                self._goals[visitor, path] = at
            if state.may_email_by is not None or not state.may_email:
                self._may[visitor] = state.may_email_by or []
            self._address[visitor] = state.address

    def observe(self, works: list[Work], folded: Folded, consent: str) -> None:
        """Check a batch's hand-overs against what was taken before it, then note what it took.

        `consent`: the consent setting in force during the batch.
        What a batch itself took may stand before or after its hand-overs: it lifts a refusal, and makes none.
        """
        lifted = {work.message.visitor for work in works if _may_lift(work.message)}
        for visitor, act in folded.acts:
            if not isinstance(act, HandOver):
                continue
            self._sent_to[act.plan.send_id] = act.mailbox
            if act.plan.marketing:
                self._check(visitor, act)
                if visitor not in lifted:
                    self._check_lifted(visitor, act, consent)
        for work in works:
            self._note(work.message)

    def _check(self, visitor: str, act: HandOver) -> None:
        """Check what is for good."""
        send = act.plan.send_id
        goal = self._goals.get((visitor, act.plan.path))
        if act.plan.until is not None and act.at >= act.plan.until:
            self._found("refusal", f"{send} was handed over in quiet hours")
        if visitor in self._left:
            self._found("refusal", f"{send} was handed over after they left")
        if goal is not None and goal >= act.plan.entered_at:
            self._found("refusal", f"{send} was handed over after the goal")

    def _check_lifted(self, visitor: str, act: HandOver, consent: str) -> None:
        """Check what a later word may lift."""
        send, may = act.plan.send_id, self._may.get(visitor)
        if may is False or may == []:
            self._found("refusal", f"{send} was handed over without consent")
        elif isinstance(may, list) and consent not in may:
            what = f"{send} was handed over against the consent setting in force, {consent}"
            self._found("refusal", what)
        if self._bad.get(visitor) == act.mailbox:
            self._found("refusal", f"{send} was handed over to an address that had bounced")

    def _note(self, message: Message) -> None:
        visitor = message.visitor
        match message:
            case GoalReached(at=at, paths=paths):
                for path in paths:
                    key = (visitor, path)
                    self._goals[key] = max(at, self._goals.get(key, at))
            case Responded(kind="unsubscribed") | Erased():
                self._left.add(visitor)
            case Identified(may_email=may_email, may_email_by=by, address=address):
                self._may[visitor] = may_email if by is None else by
                if not same_mailbox(self._address.get(visitor, address), address):
                    self._bad.pop(visitor, None)
                self._address[visitor] = address
            case StateMerged():
                self._may.pop(visitor, None)
                self._bad.pop(visitor, None)
            case MailOutcome(send_id=send, outcome=outcome, code=code, reason=reason):
                mailbox = self._sent_to.pop(send, "")
                if outcome == "bounced" and about_recipient(code, reason):
                    self._bad[visitor] = mailbox
            case _:
                pass


def _may_lift(message: Message) -> bool:
    return isinstance(message, Identified | StateMerged)
