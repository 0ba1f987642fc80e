"""Write the e-mail that tells a person of an alert. Pure.

Everything in it that came from outside is one line of text in the headers and escaped in the HTML.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from messaging.alerts.notice import Notice
from messaging.mail.mime import alternative, date_field, mailbox, one_line, words
from messaging.vocabulary.effects import UNCERTAIN_SUCCESS

SUBJECT_CHARACTERS_MAX = 150
VALUE_CHARACTERS_MAX = 200


def mail_of(
    notice: Notice, *, sender: tuple[str, str], to: tuple[str, str], now: datetime
) -> bytes:
    """Return the bytes of the e-mail; `sender` and `to` are (name, address)."""
    subject = one_line(f"Alert: {notice.kind} ({notice.path})", SUBJECT_CHARACTERS_MAX)
    headers = [
        ("From", mailbox(one_line(sender[0], 60), sender[1])),
        ("To", mailbox(one_line(to[0], 60), to[1])),
        ("Subject", words(subject, "Subject")),
        ("Date", date_field(now)),
        ("Message-ID", f"<{notice.id}@{sender[1].rpartition('@')[2]}>"),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834: no holiday note in return
    ]
    text = _text(notice)
    html = f'<pre style="font: 14px/1.5 sans-serif; white-space: pre-wrap">{escape(text)}</pre>'
    return alternative(headers, text=text, html=html, boundary=f"alert-{notice.id}")


def _text(notice: Notice) -> str:
    history = [_line(each) for each in notice.history] or ["nothing yet"]
    run = one_line(notice.run, VALUE_CHARACTERS_MAX)
    since = f"{notice.raised_at:%Y-%m-%d %H:%M} UTC"
    where = f"Path {notice.path}, run {run}, visitor {notice.visitor}, since {since}."
    return "\n".join(
        [
            one_line(notice.kind, VALUE_CHARACTERS_MAX),
            "",
            where,
            "",
            "What was tried:",
            *(f"- {line}" for line in history),
            "",
            "See who it is and what happened:",
            f"    mdma visitor {notice.visitor}",
            "Open alerts (with the admin token):",
            f"    {notice.url}",
            *_choices(notice),
            "",
        ]
    )


def _choices(notice: Notice) -> list[str]:
    where = f"    POST {notice.url.partition('?')[0]}/{notice.alert}/"
    if notice.kind == UNCERTAIN_SUCCESS:
        return ["When you have seen to it:", f"{where}close"]
    said = "Then decide: go on with a new budget, go on at another stage, or leave it."
    return [said, f"{where}resume | change | close"]


def _line(row: dict[str, Any]) -> str:
    said = (
        f"{name} {_value(value)}"
        for name, value in row.items()
        if value not in (None, "", []) and name != "send_id"
    )
    return one_line(", ".join(said), 2 * VALUE_CHARACTERS_MAX)


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value), VALUE_CHARACTERS_MAX)
