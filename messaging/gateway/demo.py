"""Welcome whoever started the demo: four doors, and what stands behind them."""

from __future__ import annotations

from aiohttp import web

from messaging.gateway import frame
from messaging.gateway.deps import Gateway

SHOP, CONSOLE = "/", "/console/"

_BOTS = (
    "Six bots and a learner, each with what it does right now: who stands where on the path, what was decided for "
    "whom and why, and where a person is asked for. Noor, a made-up colleague, answers there on working days; Social "
    "asks a made-up web on this machine."
)
_INBOX = (
    "Every e-mail they write, as its reader sees it, on the phone and on the desktop, and why it was sent. Nothing "
    "leaves this machine."
)
_CONSOLE = (
    "Where a marketer steers all of it: people, paths, rules, templates, trials of drafts, broadcasts, alerts. Log in "
    "as admin, with the admin token."
)
_SHOP = (
    "A small shop that sees you as any site with the script would. Look around: who comes to a specification, the wish "
    "list or the help is asked a question, and offered a talk after four pages. Leave your address, and you get "
    "e-mails as well, a day or two of world time later."
)
_TIME = (
    "Time runs fast here: a day takes half a minute at first, later a minute. While you look around the shop it runs "
    "slowly, so that your visit is one; two minutes after your last page, or when you close it, fast again. There are "
    "two moments when it cannot wait for you, and the shop offers you nothing: until the first of the made-up people "
    "has bought (some seconds), and, if you have been there for four minutes, until they have shown the whole routine "
    "(some minutes more)."
)
_DOORS = (
    ("/overview", "The bots at work", _BOTS),
    ("/inbox", "The inbox", _INBOX),
    (CONSOLE, "The console", _CONSOLE),
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
        "e-mails and buy, each in their own way. What you see of the machine is what it does for real people: the same "
        f'code, the same rules.</p><ul class="doors">{doors}</ul><p class="lead after">{_TIME}</p>'
    )
    return frame.answer(frame.page("Demo", main, here=""))
