"""Take e-mails into a list: `MailTransport` without a server, with faults by script.

Rules
1. The same script and the same order of sends give the same outcomes.
2. An `uncertain` mail may have arrived or not; the script says which, the outcome does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from messaging.mail.outcomes import BOUNCED, DEFERRED, HANDED_OVER, UNCERTAIN
from messaging.ports import MailOutcomeCode
from messaging.vocabulary.addresses import AddressRefused, written_address

Script = Callable[[int, str], str]
"""(number of the send from 1, recipient) -> what happens: one of `FAULTS`, or empty for a success."""

FAULTS = {
    "deferred": MailOutcomeCode(DEFERRED, 451, "RCPT: 4.7.1 try again later"),
    "no connection": MailOutcomeCode(DEFERRED, 0, "CONNECT: ConnectionRefusedError"),
    "bounced": MailOutcomeCode(BOUNCED, 550, "RCPT: 5.1.1 no such mailbox"),
    "policy": MailOutcomeCode(BOUNCED, 550, "END: 5.7.1 we do not like the sender"),
    "uncertain, arrived": MailOutcomeCode(UNCERTAIN, 0, "END: TimeoutError"),
    "uncertain, lost": MailOutcomeCode(UNCERTAIN, 0, "END: SMTPServerDisconnected"),
}
_ARRIVES = {"", "uncertain, arrived"}


class Arrived(msgspec.Struct, frozen=True):
    """Hold one e-mail that arrived."""

    sender: str
    recipient: str
    message: bytes


class MemoryTransport:
    """Hand e-mails over to a list (`messaging.ports.MailTransport`)."""

    def __init__(self, script: Script | None = None, *, sessions: int = 8) -> None:
        """Do as `script` says; without one everything arrives."""
        self.sessions = sessions
        self.mails: list[Arrived] = []
        self.sends_total = 0
        self.busy = 0
        """Sends under way now; never more than `sessions` if the caller keeps its side."""
        self._script = script or (lambda _number, _recipient: "")

    async def send(self, sender: str, recipient: str, message: bytes) -> MailOutcomeCode:
        """Hand one message over; see the port."""
        self.sends_total += 1
        fault = self._script(self.sends_total, recipient)
        self.busy += 1
        try:
            await asyncio.sleep(0)  # a real hand-over lets others run
        finally:
            self.busy -= 1
        try:
            source, to = written_address(sender), written_address(recipient)
        except AddressRefused as error:
            return MailOutcomeCode(BOUNCED, 553, f"RCPT: 5.1.3 {error}")
        if fault in _ARRIVES:
            self.mails.append(Arrived(source, to, message))
        if fault:
            return FAULTS[fault]
        return MailOutcomeCode(HANDED_OVER, 250, "END: OK")
