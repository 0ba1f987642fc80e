"""Read what mail servers and mailbox providers report of an e-mail after they took it. Pure.

Rules
1. A delivery report (DSN: RFC 3464 in the form of RFC 6522) counts where a recipient failed for good and there is no
   such mailbox (`messaging.vocabulary.no_mailbox`). What is late, full, or refused for our sake says nothing of it.
2. Of several recipients the one counts whom the e-mail was to. Where none is that, all must have failed so.
3. A feedback report (ARF: RFC 5965) counts where it is of type `abuse`: its reader calls the e-mail spam.
4. Which e-mail it is about stands in what the report itself brings back of it: our own header, else its Message-ID.
   What is deeper is about another one: a report of a report is about that report.
5. Strangers write to where reports arrive: what would cost more than its length is not read at all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from itertools import islice

import msgspec

from messaging.mail.compose import SEND_HEADER
from messaging.mail.outcomes import told
from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.no_mailbox import reports_no_mailbox

BOUNCED = "bounced"
COMPLAINED = "complained"
PARTS_MAX = 64
"""Parts of a report that are looked at; it has three (RFC 6522 section 3)."""

RECIPIENTS_MAX = 100
"""Blocks of a delivery report that are looked at; each e-mail of ours has one recipient."""

FIELD_CHARACTERS_MAX = 4_000
"""So much of a field is read; a Content-Type that is longer makes an e-mail none that is read."""

MULTIPARTS_MAX = 16
"""Each that stands in another one is looked for in every line; a report has its own, and those that it brings back."""

_CONTENT_TYPE = re.compile(rb"^content-type:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_SEND_ID = re.compile(r"[0-9a-f]{24}")
_WORD = re.compile(r"[a-z][\w-]*")
"""A field's value; a comment may follow (RFC 5322 section 3.2.2)."""

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_DIAGNOSTIC = re.compile(r"(?:(?P<type>[\w-]+)\s*;)?\s*(?P<words>.*)", re.DOTALL)
"""`smtp; 550 5.1.1 unknown user` (RFC 3464 section 2.3.6)."""

_CODE = re.compile(r"[245]\d\d(?:[ -]|$)")
_ESCAPED = re.compile(r"\\x\{([0-9a-f]{2,6})\}", re.IGNORECASE)
"""A character of an address as RFC 6533 section 3 writes it in ASCII."""

# `kept/…` is `message/…`: see `_Kept`. What is `global` has addresses in UTF-8 (RFC 6533).
_DELIVERY = frozenset({"kept/delivery-status", "kept/global-delivery-status"})
_FEEDBACK = "kept/feedback-report"
_RETURNED = frozenset(
    {"kept/rfc822", "kept/global", "kept/global-headers", "text/rfc822-headers"},
)


class _Kept(Message):
    """Keep a part that is a message itself as it came: the library would read it before it is decoded."""

    def get_content_type(self) -> str:
        return super().get_content_type().replace("message/", "kept/", 1)


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
    if not _is_cheap(raw):
        return None
    parts = _parts(message_from_bytes(raw, _class=_Kept))
    machine = next((each for each in parts if _is_for_machines(each)), None)
    if machine is None:
        return None
    returned = next((each for each in parts if each.get_content_type() in _RETURNED), None)
    original = next(_blocks(returned)) if returned is not None else Message()
    send = send_of(_field(original, SEND_HEADER)) or send_of(_field(original, "Message-ID"))
    if machine.get_content_type() == _FEEDBACK:
        return _feedback(send, _blocks(machine))
    return _delivery(send, _written(_field(original, "To")), _blocks(machine))


def _is_cheap(raw: bytes) -> bool:
    """Say whether the standard library reads this in a time that goes by its length: some fields cost their square."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    multiparts = 0
    for field in _CONTENT_TYPE.finditer(text):
        if field.end() - field.start() > FIELD_CHARACTERS_MAX:
            return False
        multiparts += b"multipart/" in field[0].lower()
    return multiparts <= MULTIPARTS_MAX


def _parts(mail: Message) -> list[Message]:
    """Return the parts of a report; none where it is no report.

    It may stand in a `multipart/mixed` beside a list's footer, and older feedback is itself one.
    """
    parts = _direct(mail)
    if mail.get_content_type() == "multipart/report":
        return parts
    if mail.get_content_type() != "multipart/mixed":
        return []
    inner = next((each for each in parts if each.get_content_type() == "multipart/report"), None)
    return parts if inner is None else _direct(inner)


def _direct(mail: Message) -> list[Message]:
    payload = mail.get_payload()
    if not isinstance(payload, list):
        return []
    return [each for each in islice(payload, PARTS_MAX) if isinstance(each, Message)]


def _is_for_machines(part: Message) -> bool:
    return part.get_content_type() in _DELIVERY or part.get_content_type() == _FEEDBACK


def _blocks(part: Message) -> Iterator[Message]:
    """Yield the blocks of fields of a part, decoded: at least one, which may have no field."""
    body = part.get_payload(decode=True)
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    for block in _EMPTY_LINE.split(lines, maxsplit=RECIPIENTS_MAX + 1):
        yield HeaderParser().parsestr(block)


def _delivery(send: str, to: str, blocks: Iterable[Message]) -> Report:
    """Return what a delivery report says of our only recipient (RFC 3464 section 2.3)."""
    recipients = [each for each in islice(blocks, RECIPIENTS_MAX) if _field(each, "Action")]
    named = [each for each in recipients if to and to in _named(each)]
    heard = [_heard(each) for each in named or recipients]
    if not heard:
        return Report(send, "", "it names no recipient")
    good = next((said for is_bad, said in heard if not is_bad), None)
    return Report(send, BOUNCED, heard[0][1]) if good is None else Report(send, "", good)


def _heard(block: Message) -> tuple[bool, str]:
    """Return whether a recipient's block says that there is no such mailbox, and what it says."""
    action = _word(block, "Action")
    found = _STATUS.match(_field(block, "Status"))
    status = found[0] if found else ""
    diagnostic = _DIAGNOSTIC.match(_field(block, "Diagnostic-Code"))
    assert diagnostic is not None  # it takes any text
    kind, words = (diagnostic["type"] or "smtp").lower(), diagnostic["words"]
    code = _CODE.match(words) if kind == "smtp" else None
    said = words[code.end() :] if code else words
    if not _STATUS.match(said):
        said = f"{status} {said}"
    if action == "failed" and reports_no_mailbox(status, kind, words):
        return True, told(said)
    return False, told(f"{action}: {said}")


def _feedback(send: str, blocks: Iterable[Message]) -> Report:
    """Return what a feedback report says (RFC 5965 section 3.1)."""
    kind = next((found for each in blocks if (found := _word(each, "Feedback-Type"))), "")
    return Report(send, COMPLAINED if kind == "abuse" else "", told(kind or "it names no type"))


def _named(block: Message) -> set[str]:
    """Return by what addresses a block names its recipient: `rfc822; ann@example.com`."""
    fields = (_field(block, name) for name in ("Final-Recipient", "Original-Recipient"))
    return {_written(each.rpartition(";")[2]) for each in fields}


def _written(name: str) -> str:
    """Return the address of a name as it is compared: without case, its domain in ASCII; empty for what has none.

    >>> _written("Ann <Ann@Example.com>"), _written("ann")
    ('ann@example.com', '')
    """
    address = name.rpartition("<")[2].partition(">")[0]
    try:
        return written_address(_ESCAPED.sub(_character, address)).casefold()
    except AddressRefused:
        return ""


def _character(escaped: re.Match[str]) -> str:
    number = int(escaped[1], 16)
    return chr(number) if number <= sys.maxunicode else ""


def _word(mail: Message, name: str) -> str:
    found = _WORD.match(_field(mail, name).lower())
    return found[0] if found else ""


def _field(mail: Message, name: str) -> str:
    return " ".join(str(mail.get(name, ""))[:FIELD_CHARACTERS_MAX].split())
