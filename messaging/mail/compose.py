"""Compose one e-mail: template and variables in, the bytes for SMTP out.

Rules
1. The same arguments give the same bytes: no clock, no random boundary.
2. Nothing that a visitor or a marketer wrote can add a header, a part or a recipient.
3. Every e-mail can be left with one click (RFC 8058). Marketing says so visibly, and who we are.
4. Whatever prevents an e-mail is `TemplateFailed` with a reason that names no person.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

import msgspec

from messaging.mail.links import Links
from messaging.mail.mime import alternative, date_field, mailbox, one_line, words
from messaging.mail.templates import NOW, TemplateFailed, fill
from messaging.mail.tokens import TAG_VALID, mailbox_hash
from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.plans import SendPlan

__all__ = ["Sender", "TemplateFailed", "TemplateText", "compose"]

SUBJECT_CHARACTERS_MAX = 300
NAME_CHARACTERS_MAX = 100

SEND_HEADER = "X-MDMA-Send"
"""Carries the send's id through a server that rewrites the Message-ID."""

_PREHEADER = (
    '\n<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;'
    'font-size:1px;line-height:1px;color:transparent">{}</div>\n'
)
_PREHEADER_FILL = "&zwnj;&nbsp;" * 50
"""Blanks behind the preheader: an inbox shows some hundred characters, and would go on with the body's first words."""

_SEND_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_BODY_START = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class TemplateText(msgspec.Struct, frozen=True):
    """Hold the four Liquid texts of one e-mail."""

    subject: str
    preheader: str
    html: str
    text: str


class Sender(msgspec.Struct, frozen=True):
    """Name who writes; `url` is where their site is."""

    name: str
    address: str
    url: str = ""


def compose(  # noqa: PLR0913 - what an e-mail is made of; all but two by name
    template: TemplateText,
    variables: Mapping[str, Any],
    *,
    plan: SendPlan,
    visitor: str,
    address: str,
    sender: Sender,
    postal_address: str,
    public_url: str,
    secret: bytes,
    date: datetime,
) -> bytes:
    """Return an e-mail. Raise TemplateFailed if it cannot be composed.

    Templates find, besides `variables`: `now`, `unsubscribe_url`, `postal_address`, `shop_name`, `shop_url`; and
    `confirm_url` in the e-mail that asks to confirm an address.

    Args:
        template: the four texts.
        variables: what the texts may name; none of the above can be replaced by one of them.
        plan: the send; only marketing has the marketing footer.
        visitor: whom the tokens name.
        address: the recipient.
        sender: who writes.
        postal_address: stands in the footer of marketing.
        public_url: where this system's gateway is reached.
        secret: signs the tokens.
        date: world time of the hand-over.
    """
    assert _SEND_ID.fullmatch(plan.send_id), "a send id is derived"
    try:
        to, source = written_address(address), written_address(sender.address)
    except AddressRefused as error:
        raise TemplateFailed(str(error)) from error
    links = Links(
        secret=secret,
        public_url=public_url,
        visitor=visitor,
        send_id=plan.send_id,
        expires=date + TAG_VALID,
    )
    box = mailbox_hash(secret, address)
    leave = links.unsubscribe(box)
    ours = {"postal_address": postal_address, "shop_name": sender.name, "shop_url": sender.url}
    ours |= {"confirm_url": links.confirm(box)} if plan.confirms else {}
    given = {**variables, NOW: date, "unsubscribe_url": leave, **ours}
    # To Liquid an empty text is true: who asks {% if order_id %} does not want a line without one.
    known = {name: None if value == "" else value for name, value in given.items()}
    footer = (leave, postal_address) if plan.marketing else None
    return alternative(
        [
            ("Date", date_field(date)),
            ("From", mailbox(one_line(sender.name, NAME_CHARACTERS_MAX), source)),
            ("To", to),
            ("Subject", _subject(template.subject, known)),
            *_list_headers(plan.send_id, source, leave),
        ],
        text=_text(template, known, links, footer),
        html=_html(template, known, links, footer),
        boundary=_boundary(secret, plan.send_id),
    )


def _list_headers(send_id: str, source: str, leave: str) -> list[tuple[str, str]]:
    """Return what names the send, and how it is left with one click (RFC 8058)."""
    return [
        ("Message-ID", f"<{send_id}@{source.rpartition('@')[2]}>"),
        ("List-Unsubscribe", f"<{leave}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        (SEND_HEADER, send_id),
    ]


def _subject(source: str, variables: Mapping[str, Any]) -> str:
    subject = one_line(fill(source, variables, html=False), SUBJECT_CHARACTERS_MAX)
    if not subject:
        raise TemplateFailed("the subject is empty")
    return words(subject, "Subject")


def _text(
    template: TemplateText,
    variables: Mapping[str, Any],
    links: Links,
    footer: tuple[str, str] | None,
) -> str:
    text = links.in_text(fill(template.text, variables, html=False))
    if footer is None:
        return text
    leave, postal_address = footer
    lines = []
    if leave not in text:
        lines.append(f"Unsubscribe: {leave}")
    if postal_address and postal_address not in text:
        lines.append(postal_address)
    return text.rstrip("\n") + "\n\n-- \n" + "\n".join(lines) + "\n" if lines else text


def _html(
    template: TemplateText,
    variables: Mapping[str, Any],
    links: Links,
    footer: tuple[str, str] | None,
) -> str:
    html = links.in_html(fill(template.html, variables, html=True))
    last = "" if footer is None else _html_footer(html, variables, *footer)
    pixel = f'<img src="{links.pixel()}" width="1" height="1" alt="" style="display:none">'
    html = _before_body_ends(html, f"{last}{pixel}")
    preheader = one_line(fill(template.preheader, variables, html=False), SUBJECT_CHARACTERS_MAX)
    if not preheader:
        return html
    hidden = _PREHEADER.format(escape(preheader) + _PREHEADER_FILL)
    start = _BODY_START.search(html)
    at = start.end() if start else 0
    return html[:at] + hidden + html[at:]


def _html_footer(html: str, variables: Mapping[str, Any], leave: str, postal_address: str) -> str:
    """Return what the marketer's own footer lacks: the link to leave, the postal address."""
    parts = []
    if leave not in html:
        parts.append(f'<a href="{leave}">Unsubscribe</a>')
    if postal_address and postal_address not in html:
        # As Liquid escapes it, so that it is recognised in a marketer's own footer.
        written = fill("{{ postal_address }}", variables, html=True)
        if written not in html:
            parts.append(written)
    if not parts:
        return ""
    return f'<p style="font-size:12px;color:#666">{"<br>".join(parts)}</p>'


def _before_body_ends(html: str, addition: str) -> str:
    ends = list(_BODY_END.finditer(html))
    at = ends[-1].start() if ends else len(html)
    return html[:at] + addition + html[at:]


def _boundary(secret: bytes, send_id: str) -> str:
    """Return the boundary of a send's parts: keyed, so that no text filled in can contain it on purpose."""
    digest = hmac.digest(secret, b"mdma boundary\x00" + send_id.encode(), "sha256")
    return f"mdma_{digest[:16].hex()}"
