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

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title><style>
body {{ margin: 0; background: #f4f4f1; color: #22221f; font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }}
main {{ max-width: 560px; margin: 0 auto; padding: 24px 20px; overflow-wrap: anywhere; }}
h1 {{ font-size: 22px; line-height: 1.25; margin: 0 0 8px; }} h2 {{ font-size: 16px; margin: 24px 0 4px; }}
p {{ margin: 0 0 12px; }} ul {{ margin: 0; padding-left: 20px; }} small {{ color: #5c5c56; }} a {{ color: #1c5d99; }}
.act {{ display: inline-block; background: #1c5d99; color: #fff; padding: 10px 18px; border-radius: 6px;
  text-decoration: none; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #191917; color: #ecece6; }} small {{ color: #a8a8a0; }}
  a {{ color: #8fc1ee; }} .act {{ background: #2f78ba; color: #fff; }} }}
</style></head><body><main>
<h1>{title}</h1><p>{where}</p>
<h2>What was tried</h2><ul>{tried}</ul>
<h2>What to do</h2><p>{asked}</p>
<p><a class="act" href="{page}">Open the alert</a></p>
<p><a href="{visitor_page}">See who it is and what happened</a></p>
<p><small>In a terminal: {command}<br>By the admin API: {api}</small></p>
</main></body></html>
"""
"""What the e-mail looks like; it is written by hand since an alert must not hang on a template of the rules."""


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
    text, html = _text(notice), _html(notice)
    return alternative(headers, text=text, html=html, boundary=f"alert-{notice.id}")


def _text(notice: Notice) -> str:
    return "\n".join(
        [
            _kind(notice),
            "",
            _where(notice),
            "",
            "What was tried:",
            *(f"- {line}" for line in _history(notice)),
            "",
            _asked(notice),
            f"    {notice.page}",
            "Who it is, and what happened:",
            f"    {notice.visitor_page}",
            "",
            "In a terminal, or by the admin API:",
            f"    mdma visitor {notice.visitor}",
            f"    POST {notice.url.partition('?')[0]}/{notice.alert}/{_choices(notice)}",
            "",
        ]
    )


def _html(notice: Notice) -> str:
    """Return the same as a page that fits a phone, light and dark, without anything that is loaded."""
    tried = "".join(f"<li>{escape(line)}</li>" for line in _history(notice))
    api = f"POST {notice.url.partition('?')[0]}/{notice.alert}/{_choices(notice)}"
    return PAGE.format(
        title=escape(_kind(notice)),
        where=escape(_where(notice)),
        tried=tried,
        asked=escape(_asked(notice)),
        page=escape(notice.page),
        visitor_page=escape(notice.visitor_page),
        command=escape(f"mdma visitor {notice.visitor}"),
        api=escape(api),
    )


def _kind(notice: Notice) -> str:
    return one_line(notice.kind, VALUE_CHARACTERS_MAX)


def _where(notice: Notice) -> str:
    run = one_line(notice.run, VALUE_CHARACTERS_MAX)
    since = f"{notice.raised_at:%Y-%m-%d %H:%M} UTC"
    return f"Path {notice.path}, run {run}, visitor {notice.visitor}, since {since}."


def _history(notice: Notice) -> list[str]:
    return [_line(each) for each in notice.history] or ["nothing yet"]


def _asked(notice: Notice) -> str:
    if notice.kind == UNCERTAIN_SUCCESS:
        return "When you have seen to it, close the alert:"
    return "Decide: go on with a new budget, go on at another stage, or leave it."


def _choices(notice: Notice) -> str:
    return "close" if notice.kind == UNCERTAIN_SUCCESS else "resume | change | close"


def _line(row: dict[str, Any]) -> str:
    said = (
        _said(name, value)
        for name, value in row.items()
        if value not in (None, "", []) and name != "send_id"
    )
    return one_line(", ".join(said), 2 * VALUE_CHARACTERS_MAX)


def _said(name: str, value: Any) -> str:
    """Return one thing of a try in words: `attempt 2`, `not opened`, `handed over`."""
    if isinstance(value, bool):
        return name if value else f"not {name}"
    if isinstance(value, datetime):
        return f"{name} {value:%Y-%m-%d %H:%M}"
    text = one_line(str(value), VALUE_CHARACTERS_MAX)
    return text if name == "status" else f"{name} {text}"
