"""Write the few pages that readers of our e-mails may see: plain, self-contained, readable by everyone."""

from __future__ import annotations

from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
"""Content-Security-Policy of these pages: no script, nothing from elsewhere."""

RETRY_SECONDS = 3

_STYLE = (
    "body{font:1.125rem/1.6 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0}"
    "main{max-width:34rem;margin:4rem auto;padding:0 1.5rem}h1{font-size:1.5rem;line-height:1.3}"
    "button{font:inherit;padding:.6rem 1.4rem;border:2px solid #0b4f8a;border-radius:.4rem;"
    "background:#0b4f8a;color:#fff;cursor:pointer}"
    "button:focus-visible{outline:3px solid #b35900;outline-offset:3px}"
    "@media(prefers-color-scheme:dark){body{color:#f2f2f2;background:#161616}}"
)


def preferences() -> str:
    """Return the preference page with its button."""
    return _html(
        "Your e-mail preferences",
        "<p>You can stop our e-mails to this address. Messages about something you bought or asked for "
        "may still be sent.</p>"
        '<form method="post"><button type="submit">Stop e-mails to this address</button></form>',
    )


def unsubscribed() -> str:
    """Return the page after the button."""
    return _html(
        "You are unsubscribed", '<p role="status">We will not write to this address any more.</p>'
    )


def confirmation() -> str:
    """Return the page that asks whether an address is the reader's own."""
    return _html(
        "Is this your address?",
        "<p>Somebody, probably you, asked us to write to the address that this e-mail came to. "
        "We do so only if you say yes. You can leave again with one click in each e-mail.</p>"
        '<form method="post"><button type="submit">Yes, write to me</button></form>',
    )


def confirmed() -> str:
    """Return the page after the button."""
    return _html("Thank you", '<p role="status">You have confirmed that this address is yours.</p>')


def try_again_confirm() -> str:
    """Return the page for a confirmation that could not be kept now."""
    return _html(
        "Please try again",
        '<p role="alert">Your answer could not be kept just now.</p>'
        '<form method="post"><button type="submit">Try again</button></form>',
    )


def unknown_link() -> str:
    """Return the page for a link that we did not write."""
    return _html("This link does not work", "<p>It may have been cut off. Nothing was changed.</p>")


def try_again() -> str:
    """Return the page for a click that could not be taken now; the browser repeats it by itself."""
    return _html(
        "One moment, please",
        "<p>You are taken to the page in a few seconds.</p>",
        f'<meta http-equiv="refresh" content="{RETRY_SECONDS}">',
    )


def try_again_unsubscribe() -> str:
    """Return the page for an unsubscribe that could not be kept now."""
    return _html(
        "Please try again",
        '<p role="alert">Your choice could not be kept just now.</p>'
        '<form method="post"><button type="submit">Try again</button></form>',
    )


def _html(title: str, content: str, head: str = "") -> str:
    title = escape(title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{head}<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{content}</main></body></html>"
    )
