"""Hand e-mails over to one SMTP server through a few sessions that are kept open.

Rules
1. The outcome is exact. Before the first byte of the message is written, any failure is `deferred`;
   from then on, whatever is not a clear answer is `uncertain`.
2. A kept session may have died in the meantime: if it did so before the message, one new session is tried.
3. A session that failed in any way is thrown away. So is one that is old: relays limit mails a session.
4. Nothing is raised for what the world does, and nothing said about it names a person or a password.
"""

from __future__ import annotations

import asyncio
import ssl

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPResponseException, SMTPServerDisconnected

from messaging.mail.outcomes import BOUNCED, DEFERRED, HANDED_OVER, answered, failed
from messaging.mail.target import SmtpTarget
from messaging.ports import MailOutcomeCode
from messaging.vocabulary.addresses import AddressRefused, written_address

SESSIONS = 16
MAILS_PER_SESSION = 100
"""Relays close sessions after 50 to 1,000 mails; they like it better if we do."""

IDLE_SECONDS = 20.0
"""Below the shortest idle time-out seen at relays (30 s); RFC 5321 section 4.5.3.2.7 asks for 5 minutes."""

SEND_SECONDS = 30.0
"""Time-out of a whole send. Those of the library are for each socket operation."""

_START_INPUT = 354
_CLOSING = 421

# What the library lets through: its own errors, the socket's, and its checks of arguments.
_WORLD = (SMTPException, OSError, ValueError, RuntimeError)


class _Session:
    """Hold one open session and what it has done."""

    __slots__ = ("mails", "smtp", "used_at")

    def __init__(self, smtp: SMTP) -> None:
        self.smtp = smtp
        self.mails = 0
        self.used_at = 0.0

    def leave(self) -> None:
        """Say goodbye without waiting for the answer."""
        if self.smtp.is_connected and self.smtp.protocol is not None:
            self.smtp.protocol.write(b"QUIT\r\n")
        self.smtp.close()


class _Mail:
    """Hold one send under way, and how far it came."""

    __slots__ = ("message", "recipient", "sender", "step", "writing")

    def __init__(self, sender: str, recipient: str, message: bytes) -> None:
        self.sender = sender
        self.recipient = recipient
        self.message = message
        self.step = "CONNECT"
        self.writing = False
        """True from the moment at which the message's bytes may be under way."""


class SmtpPool:
    """Hand e-mails over (`messaging.ports.MailTransport`)."""

    def __init__(
        self,
        target: SmtpTarget,
        *,
        sessions: int = SESSIONS,
        mails_per_session: int = MAILS_PER_SESSION,
        idle_seconds: float = IDLE_SECONDS,
        send_seconds: float = SEND_SECONDS,
        hello: str = "localhost",
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        """Keep up to `sessions` sessions; `hello` is the name we greet with (the library would ask DNS)."""
        self.sessions = sessions
        self.opened_total = 0
        self._target = target
        self._mails_per_session = mails_per_session
        self._idle_seconds = idle_seconds
        self._send_seconds = send_seconds
        self._hello = hello
        self._tls_context = tls_context
        if tls_context is None and target.security != "plain":
            self._tls_context = ssl.create_default_context()
        self._free = asyncio.Semaphore(sessions)
        self._kept: list[_Session] = []

    async def send(self, sender: str, recipient: str, message: bytes) -> MailOutcomeCode:
        """Hand one message over; see the port."""
        try:
            mail = _Mail(written_address(sender), written_address(recipient), message)
        except AddressRefused as error:
            return MailOutcomeCode(BOUNCED, 553, f"RCPT: 5.1.3 {error}")
        async with self._free:
            try:
                async with asyncio.timeout(self._send_seconds):
                    return await self._hand_over(mail)
            except TimeoutError as error:
                return failed(mail.step, error, after_data=mail.writing)

    async def close(self) -> None:
        """Leave all sessions that nobody uses; those in use end with their send."""
        for session in self._kept:
            session.leave()
        self._kept.clear()
        self._mails_per_session = 0
        # One turn of the loop, in which the transports write what is left and close.
        await asyncio.sleep(0)

    async def _hand_over(self, mail: _Mail) -> MailOutcomeCode:
        session = self._take_kept()
        if session is not None:
            outcome = await self._talk(session, mail)
            if not _was_dead(outcome, mail):
                return outcome
        mail.step = "CONNECT"
        try:
            session = await self._open()
        except SMTPResponseException as error:
            return answered(mail.step, error.code, error.message)
        except _WORLD as error:
            return failed(mail.step, error, after_data=False)
        return await self._talk(session, mail)

    def _take_kept(self) -> _Session | None:
        now = asyncio.get_running_loop().time()
        while self._kept:
            session = self._kept.pop()  # the last used is the one least likely to have died
            if session.smtp.is_connected and now - session.used_at < self._idle_seconds:
                return session
            session.leave()
        return None

    async def _open(self) -> _Session:
        target = self._target
        smtp = SMTP(
            hostname=target.host,
            port=target.port,
            username=target.username or None,
            password=target.password or None,
            local_hostname=self._hello,
            timeout=self._send_seconds,
            use_tls=target.security == "tls",
            start_tls=target.security == "starttls",
            tls_context=self._tls_context,
        )
        await smtp.connect()
        self.opened_total += 1
        return _Session(smtp)

    async def _talk(self, session: _Session, mail: _Mail) -> MailOutcomeCode:
        """Hand over in one session; whatever ends it but a clean 250 costs the session."""
        outcome = None
        try:
            outcome = await _dialogue(session.smtp, mail)
        except SMTPResponseException as error:
            outcome = answered(mail.step, error.code, error.message, final=mail.writing)
        except _WORLD as error:
            outcome = failed(mail.step, error, after_data=mail.writing)
        finally:  # a time-out comes by here too, without an outcome
            if outcome is not None and outcome.outcome == HANDED_OVER:
                self._give_back(session)
            else:
                session.smtp.close()
        return outcome

    def _give_back(self, session: _Session) -> None:
        session.mails += 1
        session.used_at = asyncio.get_running_loop().time()
        if session.mails >= self._mails_per_session:
            session.leave()
        else:
            self._kept.append(session)


async def _dialogue(smtp: SMTP, mail: _Mail) -> MailOutcomeCode:
    """Say MAIL, RCPT, DATA and the message, and note each step before it is taken."""
    options, encoding = [], "ascii"
    mail.step = "MAIL"
    if not (mail.sender + mail.recipient).isascii():
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
        if not smtp.supports_extension("smtputf8"):
            text = "5.6.7 the server takes no address in this script (RFC 6531)"
            return MailOutcomeCode(BOUNCED, 553, f"RCPT: {text}")
        options, encoding = ["SMTPUTF8"], "utf-8"
    await smtp.mail(mail.sender, options=options, encoding=encoding)
    mail.step = "RCPT"
    await smtp.rcpt(mail.recipient, encoding=encoding)
    mail.step = "DATA"
    # `SMTP.data` does both halves at once, and its errors do not say in which half they happened.
    response = await smtp.execute_command(b"DATA")
    if response.code != _START_INPUT:
        return answered(mail.step, response.code, response.message)
    protocol = smtp.protocol
    if protocol is None:
        raise SMTPServerDisconnected("connection lost")
    mail.step, mail.writing = "END", True
    protocol.write(_dotted(mail.message))
    response = await protocol.read_response()
    return answered(mail.step, response.code, response.message, final=True)


def _dotted(message: bytes) -> bytes:
    """Return a message as it follows DATA: dots at the start of lines doubled, the final dot at its end.

    RFC 5321 section 4.5.2. Our messages have CRLF line ends throughout; a stray LF becomes one.
    """
    clean = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if not clean.endswith(b"\r\n"):
        clean += b"\r\n"
    if clean.startswith(b"."):
        clean = b"." + clean
    return clean.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def _was_dead(outcome: MailOutcomeCode, mail: _Mail) -> bool:
    """Say whether a kept session had been given up by the server, and this mail may have a new one."""
    return outcome.outcome == DEFERRED and not mail.writing and outcome.code in {0, _CLOSING}
