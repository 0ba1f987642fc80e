"""Show the e-mails of the built-in sink: a list, one of them as its reader sees it, and why it was sent.

Rules
1. What an e-mail holds was written by others: it is shown in a frame of its own, without scripts and without this
   page's origin, under a policy that fetches nothing. Its pictures come when they are asked for, as in any mail
   program: the first that is fetched tells of an open.
2. Links lead where they lead for the real reader, in a new tab: looking at an e-mail here is reading it.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from aiohttp import web

from messaging.gateway import frame
from messaging.gateway.deps import Gateway
from messaging.gateway.frame import address, text
from messaging.gateway.moments import header_in_words
from messaging.gateway.overview import link_to
from messaging.mail.reading import NUMBER_MAX, Mail, newest_mails, read_mail

HERE = "/inbox"
PAGE_MAILS = 50
LOOK_SECONDS = 3.0

SCHEMES = {"": "As the device", "light": "Light", "dark": "Dark"}
WIDTHS = {"": "Desktop", "phone": "Phone"}
PICTURES = {"": "Pictures off", "on": "Pictures on"}
"""Value of a choice in the address -> its name; the first holds where none is given."""

CHOICES = {"width": WIDTHS, "scheme": SCHEMES, "pictures": PICTURES}

_SEND_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_DARK = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
_BOTH = re.compile(r"(color-scheme\s*:\s*|content\s*=\s*[\"'])light\s+dark", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_BASE = '<base target="_blank">'


async def inbox(request: web.Request, gateway: Gateway) -> web.Response:
    """List the newest e-mails; `before` (a number) goes back."""
    folder = gateway.deps.mail_folder
    if folder is None:
        return _no_sink()
    before = _number(request.query.get("before", "")) or NUMBER_MAX + 1
    mails = await asyncio.to_thread(_newest, folder, before)
    rows = await asyncio.gather(*(_ledger(gateway, mail.send_id) for mail in mails))
    lines = "".join(map(_line, mails, rows))
    body = f'<ul class="mails">{lines}</ul>' if mails else '<p class="none">No e-mail yet.</p>'
    older = (
        f'<p><a href="{HERE}?before={mails[-1].number}">Older</a></p>'
        if len(mails) == PAGE_MAILS
        else ""
    )
    is_newest = before > NUMBER_MAX
    main = (
        '<h1>Inbox</h1><p class="lead">Every e-mail of this system ends here, and nowhere else: this is everybody\'s '
        f'inbox at once.</p><div id="mails" data-part>{body}{older}</div>'
    )
    page = frame.page("Inbox", main, here=HERE, seconds=LOOK_SECONDS if is_newest else 0)
    return frame.answer(page)


async def mail(request: web.Request, gateway: Gateway) -> web.Response:
    """Show one e-mail."""
    found = await _found(request, gateway)
    if found is None:
        return _no_mail()
    row = await _ledger(gateway, found.send_id)
    chosen = {name: _chosen(request, name) for name in CHOICES}
    main = (
        f'<p><a href="{HERE}">All e-mails</a></p><h1>{text(found.subject or "(no subject)")}</h1>'
        f'<p class="lead">{text(found.preheader)}</p>{_facts(found, row)}{_shown(found, chosen)}'
        f"<details><summary>Text part</summary><pre>{text(found.text)}</pre></details>"
        f"<details><summary>Headers</summary>{_headers(found)}</details>"
    )
    return frame.answer(frame.page(found.subject or "An e-mail", main, here=HERE))


async def body(request: web.Request, gateway: Gateway) -> web.Response:
    """Give the HTML of one e-mail, for the frame: nothing in it runs, whoever opens it."""
    found = await _found(request, gateway)
    if found is None:
        return _no_mail()
    html = in_scheme(found.html, _chosen(request, "scheme"))
    head = _HEAD.search(html)
    at = head.end() if head is not None else 0
    pictures = "'self' data:" if _chosen(request, "pictures") else "data:"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    return web.Response(
        text=html[:at] + _BASE + html[at:],
        content_type="text/html",
        headers={**frame.HEADERS, "Content-Security-Policy": policy},
    )


def in_scheme(html: str, scheme: str) -> str:
    """Return an e-mail's HTML as a device in this colour scheme shows it; empty: whatever the device says.

    >>> in_scheme("@media (prefers-color-scheme: dark) {}", "dark")
    '@media (min-width:0) {}'
    """
    if not scheme:
        return html
    always, never = "(min-width:0)", "(max-width:0)"
    html = _DARK.sub(always if scheme == "dark" else never, html)
    return _BOTH.sub(lambda found: f"{found[1]}{scheme}", html)


def _newest(folder: Path, before: int) -> list[Mail]:
    entries = newest_mails(folder, PAGE_MAILS, before)
    found = [read_mail(folder, int(entry["number"])) for entry in entries]
    return [each for each in found if each is not None]


async def _found(request: web.Request, gateway: Gateway) -> Mail | None:
    number, folder = _number(request.match_info["number"]), gateway.deps.mail_folder
    if folder is None or not number:
        return None
    return await asyncio.to_thread(read_mail, folder, number)


def _number(given: str) -> int:
    return int(given) if _NUMBER.fullmatch(given) else 0


def _chosen(request: web.Request, name: str) -> str:
    given = request.query.get(name, "")
    return given if given in CHOICES[name] else ""


async def _ledger(gateway: Gateway, send_id: str) -> dict[str, Any] | None:
    """Return the send's row in the ledger; an e-mail that is no send of ours has none."""
    if not _SEND_ID.fullmatch(send_id):
        return None
    return await gateway.deps.store.get_document("sends", send_id)


def _why(row: dict[str, Any] | None) -> str:
    if row is None:
        return "no send of a path"
    if row.get("success"):
        order = "an order" if row.get("is_unnamed") else f"order {row['run']}"
        return f"thanks for {order}, on path {row['path']}"
    stands = f"who stands at “{row['stage']}” gets “{row['step']}”"
    return f"attempt {row['attempt']} on the path {row['path']}: {stands}"


def _line(found: Mail, row: dict[str, Any] | None) -> str:
    return (
        f'<li><a href="{HERE}/{found.number}"><span class="to">{address(found.to)}</span>'
        f'<b>{text(found.subject or "(no subject)")}</b><span class="preheader">{text(found.preheader)}</span></a>'
        f"<small><time>{text(header_in_words(found.date))}</time> · {text(_why(row))}</small></li>"
    )


def _facts(found: Mail, row: dict[str, Any] | None) -> str:
    facts = [
        ("To", address(found.to)),
        ("From", text(found.sender)),
        ("World time", text(header_in_words(found.date))),
        ("Why", text(_why(row))),
    ]
    if row is not None:
        facts.append(("Template", text(row["template"])))
        facts.append(("Whose story", link_to(row["visitor"], "the visitor's story")))
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="facts flat">{rows}</dl>'


def _shown(found: Mail, chosen: dict[str, str]) -> str:
    if not found.html:
        return '<p class="none">It has no HTML part.</p>'
    choices = "".join(
        f'<li><ul aria-label="{name.capitalize()}">{_options(found.number, chosen, name)}</ul></li>'
        for name in CHOICES
    )
    source = (
        f"{HERE}/{found.number}/body?scheme={chosen['scheme']}&amp;pictures={chosen['pictures']}"
    )
    return (
        f'<ul class="choices">{choices}</ul><p class="hint">With pictures on, the e-mail tells that it was opened, '
        "as it would its reader's; a link counts as a click.</p>"
        f'<div class="sheet {chosen["width"]}"><iframe title="The e-mail" '
        'sandbox="allow-popups allow-popups-to-escape-sandbox" '
        f'src="{source}"></iframe></div>'
    )


def _options(number: int, chosen: dict[str, str], name: str) -> str:
    links = ""
    for value, words in CHOICES[name].items():
        query = "&amp;".join(
            f"{key}={each}" for key, each in {**chosen, name: value}.items() if each
        )
        here = ' aria-current="true"' if chosen[name] == value else ""
        links += (
            f'<li><a href="{HERE}/{number}{"?" + query if query else ""}"{here}>{words}</a></li>'
        )
    return links


def _headers(found: Mail) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>'
        for name, value in found.headers
    )
    return f'<table class="headers"><tbody>{rows}</tbody></table>'


def _no_sink() -> web.Response:
    said = "This system hands its e-mails to an SMTP server of yours: they are in your readers' inboxes."
    return frame.not_here("No inbox here", said, here=HERE)


def _no_mail() -> web.Response:
    said = "The sink has no e-mail of this number: it keeps the newest, and the oldest go."
    return frame.not_here("This e-mail is not here", said, here=HERE)
