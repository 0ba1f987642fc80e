"""Draw what all pages for people share: head, navigation, the way in, and the answer's headers.

Rules
1. Everything that others wrote passes through `text`; markup is written here alone.
2. A page needs no script to be read. The one it has looks for news, and comes from here as the style does.
"""

from __future__ import annotations

from html import escape

from aiohttp import web

PAGES = (("/overview", "Overview"), ("/inbox", "Inbox"))
"""Path and name of each page that the navigation leads to."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def text(value: object) -> str:
    """Return a value as text of a page: nothing in it is markup.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    return escape(str(value))


def address(value: object) -> str:
    """Return an e-mail address as text that breaks behind its `@` where it must break.

    >>> address("<ann@people.example>")
    '&lt;ann@<wbr>people.example&gt;'
    """
    return text(value).replace("@", "@<wbr>")


def answer(html: str, status: int = 200) -> web.Response:
    """Return a page as an answer."""
    return web.Response(status=status, text=html, content_type="text/html", headers=HEADERS)


def page(title: str, main: str, *, here: str, seconds: float = 0.0, aside: str = "") -> str:
    """Return a page.

    Args:
        title: plain text.
        main: markup.
        here: path of the page that is shown, for the navigation.
        seconds: how often the script looks for news; 0: never.
        aside: markup at the end of the head line.
    """
    live = f' data-seconds="{seconds:g}"' if seconds else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{text(title)} · MDMA</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/look/look.css">'
        '<script defer src="/look/look.js"></script></head><body>'
        '<a class="skip" href="#main">To the content</a>'
        f'<header><span class="brand">MDMA</span>{_navigation(here)}{aside}</header>'
        f'<main id="main"{live}>{main}</main><p id="stale" role="status"></p></body></html>'
    )


def way_in(to: str, problem: str) -> str:
    """Return the page that asks for the admin token; `to` is where it leads on to."""
    said = f'<p class="problem" role="alert">{text(problem)}</p>' if problem else ""
    main = (
        f'<section class="narrow"><h1>Who is there?</h1>{said}<p>These pages show what people did, so they have a key. '
        "Open the link that <code>mdma up</code> printed, or give the admin token, which lies in the data folder.</p>"
        f'<form method="post" action="/enter"><input type="hidden" name="to" value="{text(to)}">'
        '<label for="token">Admin token</label><input id="token" name="token" type="password" required '
        'autocomplete="current-password"><button type="submit">Show the pages</button></form></section>'
    )
    return page("Who is there?", main, here="")


def not_here(title: str, said: str, *, here: str = "") -> web.Response:
    """Return the 404 of a page for people."""
    main = f'<section class="narrow"><h1>{text(title)}</h1><p>{text(said)}</p></section>'
    return answer(page(title, main, here=here), status=404)


def _navigation(here: str) -> str:
    links = "".join(f'<a href="{path}"{_current(path, here)}>{name}</a>' for path, name in PAGES)
    return f'<nav aria-label="Pages">{links}</nav>'


def _current(path: str, here: str) -> str:
    return ' aria-current="page"' if path == here else ""
