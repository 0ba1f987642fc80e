"""Welcome whoever started the demo: three doors, and what stands behind them."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import frame
from messaging.gateway.deps import Gateway

SHOP = "/"

_BOTS = (
    "Six bots and a learner, each with what it does right now: who stands where on the path, what was decided for "
    "whom and why, and where a person is asked for."
)
_INBOX = (
    "Every e-mail they write, as its reader sees it, on the phone and on the desktop, and why it was sent. Nothing "
    "leaves this machine."
)
_SHOP = (
    "A small shop that sees you as any site with the script would. Look around: who comes to a specification, the wish "
    "list or the help is asked a question, and offered a talk after four pages. Leave your address, and you get "
    "e-mails as well. The world slows down while you are here: for two minutes in all as long as the made-up people "
    "still show every row of the routine (about five minutes), and always after that."
)
_DOORS = (
    ("/overview", "The bots at work", _BOTS),
    ("/inbox", "The inbox", _INBOX),
    (SHOP, "The shop", _SHOP),
)


async def demo(request: web.Request, _: Gateway) -> web.Response:
    """Show the doors; they are there where the shop is."""
    routes = request.app.router.resources()
    if not any(each.canonical == SHOP for each in routes):
        said = "This is no demo: start one with mdma up --demo, in a folder of its own."
        return frame.not_here("No demo here", said)
    doors = "".join(
        f'<li><a href="{path}"><b>{name}</b></a><p>{said}</p></li>' for path, name, said in _DOORS
    )
    main = (
        '<h1>Leads become customers, by themselves</h1><p class="lead">Made-up people browse the shop, read their '
        "e-mails and buy, each in their own way; time runs fast. What you see of the machine is what it does for real "
        f'people: the same code, the same rules.</p><ul class="doors">{doors}</ul>'
    )
    return frame.answer(frame.page("Demo", main, here=""))
