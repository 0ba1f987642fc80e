"""Read what mail servers and mailbox providers report of an e-mail after they took it. Pure.

Rules
1. A delivery report (DSN: RFC 3464 in the form of RFC 6522) counts where a recipient failed for good and there is no
   such mailbox (`messaging.vocabulary.no_mailbox`). What is late, full, or refused for our sake says nothing of it.
2. A feedback report (ARF: RFC 5965) counts where it is of type `abuse`: its reader calls the e-mail spam.
3. Which e-mail it is about stands in what the report brings back of it: our own header, else its Message-ID.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

import msgspec

from messaging.mail.compose import SEND_HEADER
from messaging.mail.outcomes import told
from messaging.vocabulary.no_mailbox import about_recipient

BOUNCED = "bounced"
COMPLAINED = "complained"
PARTS_MAX = 64
"""Parts of a report that are looked at; it has three (RFC 6522 section 3)."""

_SEND_ID = re.compile(r"[0-9a-f]{24}")
_DIAGNOSTIC = re.compile(r"(?:smtp;)?\s*(\d{3})[ -]?(.*)", re.IGNORECASE | re.DOTALL)
"""`smtp; 550 5.1.1 unknown user` (RFC 3464 section 2.3.6)."""


class Report(msgspec.Struct, frozen=True):
    """Say what became of one e-mail."""

    send: str
    """Id of the send; empty where the report does not bring it back."""
    kind: str
    """`bounced` or `complained`; empty where nothing follows from it."""
    said: str
    """Why, in the server's words without addresses."""


def send_of(name: str) -> str:
    """Return the id of the send that a name is of: the id itself, or the Message-ID; empty for what is neither.

    >>> send_of("<0123456789abcdef01234567@shop.example>"), send_of("0123456789abcdef01234567")
    ('0123456789abcdef01234567', '0123456789abcdef01234567')
    >>> send_of("<CAF@mail.example>")
    ''
    """
    id_ = name.strip().removeprefix("<").partition("@")[0]
    return id_ if _SEND_ID.fullmatch(id_) else ""


def read_report(raw: bytes) -> Report | None:
    """Return what an e-mail reports of one of ours; None for an e-mail that is no report.

    Args:
        raw: the whole e-mail, as a server delivers it (RFC 5322).
    """
    try:
        mail = message_from_bytes(raw)
    except RecursionError:  # parts within parts within parts: somebody's attempt on the library
        return None
    if mail.get_content_type() != "multipart/report":
        return None
    parts = list(_parts(mail))
    send = next((found for part in parts if (found := _send_in(part))), "")
    for part in parts:
        match part.get_content_type():
            case "message/delivery-status":
                return _delivery(send, _blocks(part))
            case "message/feedback-report":
                return _feedback(send, _blocks(part))
            case _:
                pass
    return None


def _parts(mail: Message) -> Iterator[Message]:
    for number, part in enumerate(mail.walk()):
        if number >= PARTS_MAX:
            return
        yield part


def _send_in(part: Message) -> str:
    """Return the id of our e-mail that a part brings back: whole, or its head (`text/rfc822-headers`, RFC 6522)."""
    head = part
    if part.get_content_type() == "text/rfc822-headers":
        body = part.get_payload(decode=True)
        head = message_from_bytes(body if isinstance(body, bytes) else b"")
    elif part.get_content_type() == "multipart/report":
        return ""  # its own Message-ID is the server's
    return send_of(_field(head, SEND_HEADER)) or send_of(_field(head, "Message-ID"))


def _blocks(part: Message) -> list[Message]:
    """Return the blocks of fields of a machine's part; the standard library reads each as a message."""
    payload = part.get_payload()
    return (
        [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []
    )


def _delivery(send: str, blocks: list[Message]) -> Report:
    """Return what a delivery report says of our only recipient (RFC 3464 section 2.3)."""
    for block in blocks:
        action = _field(block, "Action").lower()
        if not action:
            continue  # the fields about the whole e-mail
        status = _field(block, "Status").split(" ")[0]
        found = _DIAGNOSTIC.match(_field(block, "Diagnostic-Code"))
        code, words = (int(found[1]), found[2]) if found else (550, status)
        if not words.startswith(
            status[:2]
        ):  # the code of the server's own words says more than a generic status
            words = f"{status} {words}"
        said = f"RCPT: {words}"
        if action == "failed" and about_recipient(code, said):
            return Report(send, BOUNCED, told(words))
        return Report(send, "", told(f"{action}: {words}"))
    return Report(send, "", "it names no recipient")


def _feedback(send: str, blocks: list[Message]) -> Report:
    """Return what a feedback report says (RFC 5965 section 3.1)."""
    kind = next((found for each in blocks if (found := _field(each, "Feedback-Type"))), "").lower()
    return Report(send, COMPLAINED if kind == "abuse" else "", told(kind or "it names no type"))


def _field(mail: Message, name: str) -> str:
    return " ".join(str(mail.get(name, "")).split())
