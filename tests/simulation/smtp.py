"""Be the SMTP server, as it is: slow, full, refusing, and silent after the final dot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from messaging.ports import Clock, MailOutcomeCode
from tests.simulation.chaos import SMTP, Chaos
from tests.simulation.process import Process


class Broken(Protocol):
    """Be told of what may never be true."""

    def broken(self, rule: str, what: str) -> None:
        """Note a violation."""
        ...


class Mail(msgspec.Struct, frozen=True):
    """Hold one e-mail that arrived."""

    send_id: str
    visitor: str
    recipient: str
    success: bool
    confirms: bool
    links: int
    at: datetime


class Server:
    """Keep what arrived, from all senders."""

    def __init__(self, clock: Clock, chaos: Chaos) -> None:
        self.clock = clock
        self.chaos = chaos
        self.mails: list[Mail] = []
        self.offered: dict[str, int] = {}
        """Send id -> how often it was brought to the door."""
        self.silent = 0
        """Mails whose final dot was not answered."""
        self.bad_addresses: set[str] = set()
        self.on_mail: Callable[[Mail], None] = lambda _: None


class SimTransport:
    """Hand e-mails over from one process (`messaging.ports.MailTransport`)."""

    def __init__(self, server: Server, process: Process, sessions: int, witness: Broken) -> None:
        self.sessions = sessions
        self._server = server
        self._process = process
        self._witness = witness
        self.busy = 0

    async def send(self, sender: str, recipient: str, message: bytes) -> MailOutcomeCode:
        server, chaos = self._server, self._server.chaos
        self.busy += 1
        if self.busy > self.sessions:
            self._witness.broken("sessions", f"{self.busy} hand-overs, {self.sessions} sessions")
        await self._process.enter()
        await chaos.pause("smtp", 0.5)
        await self._process.enter()
        send_id, visitor, success, confirms, links = msgspec.json.decode(message)
        server.offered[send_id] = server.offered.get(send_id, 0) + 1
        struck = chaos.strikes("smtp", SMTP)
        if struck == "smtp.slow":
            await chaos.pause("smtp", 60.0)
            await self._process.enter()
        outcome = self._outcome(struck, recipient)
        if outcome.outcome == "handed over" or struck == "smtp.uncertain_arrived":
            mail = Mail(send_id, visitor, recipient, success, confirms, links, server.clock.now())
            server.mails.append(mail)
            server.on_mail(mail)
        if outcome.outcome == "uncertain":
            server.silent += 1
            await chaos.pause("smtp", 60.0)
        await self._process.leave()
        await chaos.pause("smtp", 0.5)
        await self._process.leave()
        self.busy -= 1
        return outcome

    def _outcome(self, struck: str, recipient: str) -> MailOutcomeCode:
        if recipient in self._server.bad_addresses or struck == "smtp.bounced":
            return MailOutcomeCode("bounced", 550, "RCPT: 5.1.1 no such mailbox")
        if struck == "smtp.refused":
            return MailOutcomeCode("bounced", 554, "END: 5.7.1 looks like spam")
        if struck == "smtp.deferred":
            return MailOutcomeCode("deferred", 451, "RCPT: 4.7.1 try again later")
        if struck in ("smtp.uncertain_arrived", "smtp.uncertain_lost"):
            return MailOutcomeCode("uncertain", 0, "END: TimeoutError")
        return MailOutcomeCode("handed over", 250, "END: OK")
