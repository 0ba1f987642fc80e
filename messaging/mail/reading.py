"""Read the sink's folder for people: the newest e-mails, and one of them in its parts.

Rules
1. What is read was written by others: it is decoded here, and shown by whoever knows that nothing in it may run.
2. What a list costs does not grow with the sink: the end of the index is read, and no more.
"""

from __future__ import annotations

import html
import json
import re
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from messaging.mail.sink import INDEX, path_of

INDEX_BYTES_MAX = 256 * 1024
"""Of the index so much of its end is read: some 700 e-mails."""

MAILS_MAX = 500
"""So many e-mails back can be paged through."""

NUMBER_MAX = 10**10 - 1
"""Of the file names; what is larger is no e-mail's number."""

KEPT_MAX = 256
"""E-mails kept decoded: they never change."""

_HIDDEN = re.compile(
    r"<(div|span)[^>]*style=[\"'][^\"']*display:\s*none[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL
)
_PIXEL = re.compile(r'<img src="[^"]*" width="1" height="1" alt="" style="display:none">')
"""As `messaging.mail.compose` writes it."""

_PICTURE = re.compile(r"<img\b|url\(|\bbackground=", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"[\s\u00a0\u200b-\u200d\u2060\ufeff\u034f\u00ad]+")


class Mail(msgspec.Struct, frozen=True):
    """Hold one e-mail, decoded. `html` is empty where it has none."""

    number: int
    headers: list[tuple[str, str]]
    subject: str
    sender: str
    to: str
    date: str
    send_id: str
    preheader: str
    html: str
    text: str
    size: int
    """Bytes of the whole."""


def without_pixel(html: str) -> str:
    """Return an e-mail's HTML without the picture that tells of an open."""
    return _PIXEL.sub("", html)


def shows_pictures(html: str) -> bool:
    """Say whether an e-mail has pictures besides that one.

    >>> shows_pictures('<img src="/o/x" width="1" height="1" alt="" style="display:none">')
    False
    """
    return _PICTURE.search(without_pixel(html)) is not None


def newest_mails(folder: Path, limit: int, before: int = NUMBER_MAX + 1) -> list[dict[str, Any]]:
    """Return the index' entries of the newest e-mails below a number, newest first; see `sink.read_mails`."""
    found = [entry for entry in _last_entries(folder)[:MAILS_MAX] if entry["number"] < before]
    return [entry for entry in found if path_of(folder, entry["number"]).exists()][:limit]


def _last_entries(folder: Path) -> list[dict[str, Any]]:
    try:
        with (folder / INDEX).open("rb") as file:
            start = max(0, file.seek(0, 2) - INDEX_BYTES_MAX)
            file.seek(start)
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines[1:] if start else lines:
        try:
            entries.append(json.loads(line))
        except ValueError:  # the line being written just now
            continue
    return sorted(entries, key=lambda entry: -int(entry["number"]))


def read_mail(folder: Path, number: int) -> Mail | None:
    """Return one e-mail, None where the sink has none of this number (any more)."""
    if not 0 < number <= NUMBER_MAX or not path_of(folder, number).exists():
        return None
    try:
        return _read(folder, number)
    except FileNotFoundError:  # it was dropped a moment ago
        return None


@lru_cache(maxsize=KEPT_MAX)
def _read(folder: Path, number: int) -> Mail:
    return parse_mail(path_of(folder, number).read_bytes(), number)


def parse_mail(raw: bytes, number: int = 0) -> Mail:
    """Return an e-mail from its bytes; whatever is in them, something is returned."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage), "the policy's own type"
    headers = [(name, _field(name, raw_value)) for name, raw_value in message.raw_items()]
    first = {name.lower(): value for name, value in reversed(headers)}
    source = _part(message, "html")
    return Mail(
        number=number,
        headers=headers,
        subject=first.get("subject", ""),
        sender=first.get("from", ""),
        to=first.get("to", ""),
        date=first.get("date", ""),
        send_id=first.get("x-mdma-send", ""),
        preheader=preheader_of(source),
        html=source,
        text=_part(message, "plain"),
        size=len(raw),
    )


def preheader_of(source: str) -> str:
    """Return the hidden first words of an e-mail, which an inbox shows behind the subject.

    >>> preheader_of('<body><div style="display:none">Two &amp; two&zwnj;&nbsp;</div>')
    'Two & two'
    """
    hidden = _HIDDEN.search(source[:20_000])
    if hidden is None:
        return ""
    return _BLANKS.sub(" ", html.unescape(_TAGS.sub("", hidden[2]))).strip()[:300]


def _field(name: str, raw: str) -> str:
    """Return a header's decoded value; one that cannot be read as it stands."""
    try:
        value = str(policy.default.header_fetch_parse(name, raw))
    except (MessageError, ValueError, IndexError, TypeError, AttributeError):
        value = str(raw)
    return _BLANKS.sub(" ", value).strip().encode("utf-8", "replace").decode()


def _part(message: EmailMessage, kind: str) -> str:
    try:
        part = message.get_body((kind,))
        content = part.get_content() if part is not None else ""
    except (MessageError, LookupError, ValueError, TypeError, AttributeError):
        return ""
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""
