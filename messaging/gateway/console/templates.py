"""Show the templates of e-mails: as a real reader gets them, what is wrong with them, and a test of one.

Rules
1. What a template holds is a page of its own: a frame without scripts, from which nothing is fetched.
2. Its pictures come when they are asked for, as in a mailbox. The one that tells of an open is left out: nobody reads.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.console.door import Form, Visit, back_to
from messaging.gateway.console.drawing import HEADERS, ROOT
from messaging.gateway.console.lists import addresses, page_of
from messaging.gateway.console.mailings import Mailings, Preview
from messaging.gateway.inbox import in_scheme
from messaging.gateway.limits import ID_CHARS_MAX
from messaging.gateway.problems import ProblemError
from messaging.mail.asking import LinkAnswer
from messaging.mail.reading import shows_pictures, without_pixel

HERE = "templates"

SCHEMES = {"": "As the device", "light": "Light", "dark": "Dark"}
WIDTHS = {"": "Desktop", "phone": "Phone"}
PUBLISHED = "published"
OF = {"": "The newest", PUBLISHED: "What goes out"}

PICTURES = {"": "Off", "on": "On"}

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)

_VISITOR = re.compile(r"[0-9a-f]{24}")


def mailings_of(visit: Visit) -> Mailings:
    """Return the mailings of a visit."""
    return acts.mailings_of(visit.gateway)


async def templates(visit: Visit) -> web.StreamResponse:
    """List the templates."""
    part = visit.text("q")
    now = await mailings_of(visit).templates(part)
    rows, after, following = page_of(visit, now.templates, lambda each: each.name)
    return await visit.page(
        "templates.html",
        here=HERE,
        now=now,
        part=part,
        rows=rows,
        pages=addresses(f"{ROOT}templates", {"q": part}, after, following),
    )


async def template(visit: Visit) -> web.StreamResponse:
    """Show one template as a reader gets it."""
    return await _shown(visit, await _preview(visit))


async def body(visit: Visit) -> web.StreamResponse:
    """Give the HTML of a preview, for the frame."""
    found = await _preview(visit)
    html = found.mail.html if found.mail is not None else ""
    html = in_scheme(html, _chosen(visit, "scheme", SCHEMES))
    return framed(html, pictures=_chosen(visit, "pictures", PICTURES) == "on")


def framed(html: str, *, pictures: bool) -> web.Response:
    """Return an e-mail's HTML for the frame; with `pictures` those of other hosts are fetched, too."""
    policy = _POLICY.format(pictures="https: http: data:" if pictures else "data:")
    headers = {**HEADERS, "Content-Security-Policy": policy}
    return web.Response(text=without_pixel(html), content_type="text/html", headers=headers)


async def as_visitor(visit: Visit, form: Form) -> web.StreamResponse:
    """Show it as whoever has this id gets it. By POST: an address stands in no log then."""
    id_ = form.get("q", "").strip()
    is_plain = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in id_)
    found = None
    if is_plain and 0 < len(id_) <= ID_CHARS_MAX:
        found = await visit.gateway.deps.reader.visitor(id_)
    if id_ and found is None:
        raise ProblemError(404, "nobody is known by this, or they were erased")
    return back_to(_address(visit, {"visitor": found["visitor_id"] if found is not None else ""}))


async def check_links(visit: Visit, form: Form) -> web.StreamResponse:
    """Ask where its links lead whether anything is there, and show it with the answers."""
    name, visitor = visit.request.match_info["name"], _visitor(form.get("visitor", ""))
    by = visit.session.user
    found, answers = await acts.check_links(visit.gateway, name, visitor, by=by)
    return await _shown(visit, found, answers)


async def send_test(visit: Visit, form: Form) -> web.StreamResponse:
    """Send it to an address of our own, as a made-up reader gets it: nobody's data goes to somebody else."""
    name, visitor = visit.request.match_info["name"], _visitor(form.get("visitor", ""))
    await acts.send_test(visit.gateway, name, form.get("to", ""), by=visit.session.user)
    return back_to(_address(visit, {"visitor": visitor}), "tested")


async def _preview(visit: Visit) -> Preview:
    visitor = _visitor(visit.text("visitor"))
    name = visit.request.match_info["name"]
    is_published = _chosen(visit, "of", OF) == PUBLISHED
    found = await mailings_of(visit).preview(name, visitor, published=is_published)
    if found is None:
        raise ProblemError(404, "there is no such template, or no such visitor")
    return found


def _visitor(given: str) -> str:
    """Return a visitor id, or an empty one. Raise 422."""
    if given and _VISITOR.fullmatch(given) is None:
        raise ProblemError(422, "a visitor id has 24 characters", field="visitor")
    return given


async def _shown(
    visit: Visit, found: Preview, answers: list[LinkAnswer] | None = None
) -> web.StreamResponse:
    scheme, width = _chosen(visit, "scheme", SCHEMES), _chosen(visit, "width", WIDTHS)
    of, pictures = _chosen(visit, "of", OF), _chosen(visit, "pictures", PICTURES)
    now = {"visitor": found.visitor, "scheme": scheme, "width": width, "of": of}
    now |= {"pictures": pictures}
    choices = {
        "Width": [(_address(visit, {**now, "width": v}), w, v == width) for v, w in WIDTHS.items()],
        "Scheme": [
            (_address(visit, {**now, "scheme": v}), w, v == scheme) for v, w in SCHEMES.items()
        ],
    }
    if found.mail is not None and shows_pictures(found.mail.html):
        choices["Pictures"] = [
            (_address(visit, {**now, "pictures": v}), w, v == pictures) for v, w in PICTURES.items()
        ]
    if found.goes_out and found.newest != found.goes_out:
        words = {
            "": f"Draft (version {found.newest})",
            PUBLISHED: f"What goes out (version {found.goes_out})",
        }
        choices["Of"] = [(_address(visit, {**now, "of": v}), w, v == of) for v, w in words.items()]
    source = {"visitor": found.visitor, "scheme": scheme, "of": of, "pictures": pictures}
    return await visit.page(
        "template.html",
        here=HERE,
        found=found,
        answers=answers,
        choices=choices,
        width=width,
        source=_with(f"{_root(visit)}/body", source),
        root_of=_root(visit),
    )


def _root(visit: Visit) -> str:
    return f"{ROOT}templates/{quote(visit.request.match_info['name'], safe='')}"


def _address(visit: Visit, query: dict[str, str]) -> str:
    return _with(_root(visit), query)


def _with(path: str, query: dict[str, str]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _chosen(visit: Visit, name: str, known: dict[str, str]) -> str:
    given = visit.request.query.get(name, "")
    return given if given in known else ""
