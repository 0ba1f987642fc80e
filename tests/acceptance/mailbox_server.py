"""Run the SMTP server of the acceptance drivers: it has stored a mail before it answers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from typing import Any, Self

from aiosmtpd.controller import Controller


@dataclass(slots=True)
class Mail:
    """Hold one mail as the SMTP server took it."""

    to: str
    date: datetime
    message_id: str
    subject: str
    marks: dict[str, str]
    """Headers that begin with X-MDMA."""
    unsubscribe: str
    one_click: bool
    """True where both headers of RFC 8058 are there."""
    html: str
    order: int


class Mailbox:
    """Run an SMTP server that stores each mail before it answers.

    Parameters:
        keep_html: keep the HTML part, for drivers that follow its links.
        refuses: says of an address that there is no such mailbox.
        on_mail: is called with each mail after it is stored.
    """

    def __init__(
        self,
        *,
        keep_html: bool = False,
        refuses: Callable[[str], bool] = lambda _: False,
        on_mail: Callable[[Mail], None] = lambda _: None,
    ) -> None:
        self.mails: list[Mail] = []
        self.refused: list[str] = []
        self._keep_html = keep_html
        self._refuses = refuses
        self._on_mail = on_mail
        self._headers = BytesParser(policy=policy.default)
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        """Return what MDMA_SMTP_URL must say."""
        return f"smtp://127.0.0.1:{self._controller.port}"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or say that there is none."""
        if self._refuses(address):
            self.refused.append(address)
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Store a mail, then answer."""
        mail = self._read(envelope)
        self.mails.append(mail)
        self._on_mail(mail)
        return "250 2.0.0 stored"

    def _read(self, envelope: Any) -> Mail:
        message = self._headers.parsebytes(envelope.content, headersonly=not self._keep_html)
        assert isinstance(message, EmailMessage)
        html = ""
        if self._keep_html:
            part = message.get_body(("html",))
            html = part.get_content() if part is not None else ""
        leave = str(message["List-Unsubscribe"] or "").strip("<> ")
        return Mail(
            to=envelope.rcpt_tos[0],
            date=parsedate_to_datetime(str(message["Date"])).astimezone(UTC),
            message_id=str(message["Message-ID"]),
            subject=str(message["Subject"]),
            marks={k: str(v) for k, v in message.items() if k.upper().startswith("X-MDMA")},
            unsubscribe=leave,
            one_click=bool(leave)
            and str(message["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click",
            html=html,
            order=len(self.mails),
        )


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
