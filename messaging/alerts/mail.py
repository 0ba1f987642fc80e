"""Write the e-mail that tells a person of an alert. Pure.

Everything in it that came from outside is one line of text in the headers and escaped in the HTML.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

import msgspec

from messaging.alerts.notice import NOT_BY_SHARES, Notice, by_share
from messaging.alerts.taken_back import TO_DO, by_measure, what_happened
from messaging.mail.mime import alternative, date_field, mailbox, one_line, words
from messaging.vocabulary.effects import HARM, UNCERTAIN_SUCCESS
from messaging.vocabulary.records import place_of_test

SUBJECT_CHARACTERS_MAX = 150
VALUE_CHARACTERS_MAX = 200

SAID = {UNCERTAIN_SUCCESS: "a success e-mail may not have arrived"}
"""Kind -> what it is called where its own name says too little: some surely did not, as the history says."""

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
<h2>{heading}</h2><ul>{lines}</ul>
<h2>What to do</h2><p>{asked}</p>
<p><a class="act" href="{page}">Open the alert</a></p>
<p><a href="{about}">{about_words}</a></p>
<p><small>In a terminal: {command}<br>By the admin API: {api}</small></p>
</main></body></html>
"""
"""What the e-mail looks like; it is written by hand since an alert must not hang on a template of the rules."""


def mail_of(
    notice: Notice, *, sender: tuple[str, str], to: tuple[str, str], now: datetime
) -> bytes:
    """Return the bytes of the e-mail; `sender` and `to` are (name, address)."""
    about = f" ({notice.path})" if notice.path else ""
    subject = one_line(f"Alert: {_kind(notice)}{about}", SUBJECT_CHARACTERS_MAX)
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


class _Words(msgspec.Struct, kw_only=True):
    """Hold what is said of an alert, in text and HTML alike."""

    where: str
    heading: str
    """Of the history."""
    asked: str
    about: str
    """Address of the page about whom or what it is."""
    about_words: str
    command: str
    choices: str


def _words_of(notice: Notice) -> _Words:
    if notice.kind == HARM:
        return _of_learning(notice)
    return _of_test(notice) if notice.policy else _of_visitor(notice)


def _of_visitor(notice: Notice) -> _Words:
    run = one_line(notice.run, VALUE_CHARACTERS_MAX)
    one_email = notice.kind == UNCERTAIN_SUCCESS
    return _Words(
        where=f"Path {notice.path}, run {run}, visitor {notice.visitor}, since {_since(notice)}.",
        heading="What was tried",
        asked="When you have seen to it, close the alert:"
        if one_email
        else "Decide: go on with a new budget, go on at another stage, or leave it.",
        about=notice.visitor_page,
        about_words="See who it is and what happened",
        command=f"mdma visitor {notice.visitor}",
        choices="close" if one_email else "resume | change | close",
    )


def _of_learning(notice: Notice) -> _Words:
    where = f"{what_happened(notice.policy)}, since {_since(notice)}."
    return _Words(
        where=one_line(where, 2 * VALUE_CHARACTERS_MAX),
        heading="With learning, and by the rules",
        asked=f"{TO_DO} Decide:",
        about=notice.learning_page,
        about_words="See what was learned",
        command=f"mdma learn resume {one_line(notice.policy, VALUE_CHARACTERS_MAX)}",
        choices="resume | close",
    )


def _of_test(notice: Notice) -> _Words:
    path, stage, name = place_of_test(notice.policy)
    what = f"Visitors of split test {name} (path {path}, stage {stage}) do not come by its shares"
    return _Words(
        where=one_line(f"{what}, since {_since(notice)}.", 2 * VALUE_CHARACTERS_MAX),
        heading="What was expected and seen",
        asked=f"{NOT_BY_SHARES} Then close the alert:",
        about=notice.test_page,
        about_words="See the test",
        command="mdma experiments",
        choices="close",
    )


def _text(notice: Notice) -> str:
    said = _words_of(notice)
    return "\n".join(
        [
            _kind(notice),
            "",
            said.where,
            "",
            f"{said.heading}:",
            *(f"- {line}" for line in _history(notice)),
            "",
            said.asked,
            f"    {notice.page}",
            f"{said.about_words}:",
            f"    {said.about}",
            "",
            "In a terminal, or by the admin API:",
            f"    {said.command}",
            f"    {_api(notice, said)}",
            "",
        ]
    )


def _html(notice: Notice) -> str:
    """Return the same as a page that fits a phone, light and dark, without anything that is loaded."""
    said = _words_of(notice)
    return PAGE.format(
        title=escape(_kind(notice)),
        where=escape(said.where),
        heading=escape(said.heading),
        lines="".join(f"<li>{escape(line)}</li>" for line in _history(notice)),
        asked=escape(said.asked),
        page=escape(notice.page),
        about=escape(said.about),
        about_words=escape(said.about_words),
        command=escape(said.command),
        api=escape(_api(notice, said)),
    )


def _api(notice: Notice, said: _Words) -> str:
    return f"POST {notice.url.partition('?')[0]}/{notice.alert}/{said.choices}"


def _kind(notice: Notice) -> str:
    return one_line(SAID.get(notice.kind, notice.kind), VALUE_CHARACTERS_MAX)


def _since(notice: Notice) -> str:
    return f"{notice.raised_at:%Y-%m-%d %H:%M} UTC"


def _history(notice: Notice) -> list[str]:
    return [_line(each) for each in notice.history] or ["nothing yet"]


def _line(row: dict[str, Any]) -> str:
    if compared := by_share(row) or by_measure(row):
        return one_line(compared, 2 * VALUE_CHARACTERS_MAX)
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
