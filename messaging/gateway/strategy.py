"""Speak the admin API of the strategy: files of the rules, their versions, templates as readers get them.

Rule 1: it answers what the console's pages show, by the same calls; what changes something is in `acts`.
"""

from __future__ import annotations

import re

import msgspec
from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.answering import answer, told
from messaging.gateway.asking import asked, gateway_of, id_of, ordered
from messaging.gateway.console.mailings import Draft
from messaging.gateway.console.publications import PublishOrder
from messaging.gateway.console.rulebook import Edit, Rulebook
from messaging.gateway.console.rules import file_name
from messaging.gateway.console.users import ADMIN_NAME
from messaging.gateway.problems import ProblemError
from messaging.gateway.route import Handler

EDIT_BYTES_MAX = 1024 * 1024
PUBLISH_BYTES_MAX = 64 * 1024
"""Room for a choice for each of some hundred groups."""
_NUMBER = re.compile(r"[0-9]{1,9}")
_VISITOR = re.compile(r"[0-9a-f]{24}")


class EditOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Read an edit: one file of a version, changed, added, or (null) left out."""

    base: int
    file: str
    text: str | None
    newest: int = 0
    """The newest version when the edit was begun, where an older one is edited; 0: it is the base."""


class TestOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Read whom a test goes to, and what somebody is writing, where that goes in the template's place."""

    to: str
    base: int = 0
    text: str = ""


class DraftOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Read a template's file as somebody is writing it."""

    base: int
    text: str
    visitor: str = ""
    """Whose it is shown as; empty: nobody's in particular."""


class LinksOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Read as whose e-mail the links are asked."""

    visitor: str = ""


async def version(request: web.Request) -> web.Response:
    """Show a version with its files."""
    book, number = await _numbered(request)
    files = await book.files(number)
    return told(request, {"version": await book.version(number), "files": files})


async def compared(request: web.Request) -> web.Response:
    """Show what differs between two versions."""
    book, number = await _numbered(request)
    other = request.match_info["other"]
    if _NUMBER.fullmatch(other) is None or await book.version(int(other)) is None:
        raise ProblemError(404, "there is no version of this number")
    found = await book.compare(number, int(other))
    return told(request, {"said": found.said, "text": found.text})


async def impact(request: web.Request) -> web.Response:
    """Show where runs stand that go by other versions, and how many would enter each path at once."""
    book, number = await _numbered(request)
    as_of = gateway_of(request).deps.clock.now()
    found = {"impact": await book.impact(number), "entering": await book.entering(number)}
    return told(request, found, as_of)


async def check(request: web.Request) -> web.Response:
    """Show what is wrong with an edit, and what it changes; nothing is written."""
    book = acts.rulebook_of(gateway_of(request))
    order = await _edit(request)
    findings = await book.check(order.base, order.file, order.text)
    diff = await book.compare_file(order.base, order.file, order.text)
    return answer({"findings": findings, "diff": diff})


async def matching(request: web.Request) -> web.Response:
    """Show who matches what an edit touches; nothing is written."""
    book = acts.rulebook_of(gateway_of(request))
    order = await _edit(request)
    found = await book.matching(order.base, order.file, order.text or "")
    return answer({"matching": found})


async def save(request: web.Request) -> web.Response:
    """Make a version of an edit."""
    gateway, order = gateway_of(request), await _edit(request)
    edit = Edit(base=order.base, file=order.file, text=order.text, newest=order.newest)
    saved = await acts.save(gateway, edit, by=ADMIN_NAME)
    if saved.outcome == "late":
        raise ProblemError(
            409,
            f"version {saved.version} is the newest by now: edit that one, or name it as `newest` to leave what it "
            "changes out",
        )
    status = {"saved": 201, "same": 200, "wrong": 422}[saved.outcome]
    came = {"version": saved.version, "outcome": saved.outcome, "findings": saved.findings}
    return answer(came, status)


async def publish(request: web.Request) -> web.Response:
    """Publish a version."""
    _, number = await _numbered(request)
    order = await ordered(request, PublishOrder, PUBLISH_BYTES_MAX)
    await acts.publish(gateway_of(request), number, order, by=ADMIN_NAME)
    return answer({"success": True, "published": number})


def written(kind: str) -> Handler:
    """Return the handler that shows what the published version says of each of a kind."""

    async def handle(request: web.Request) -> web.Response:
        gateway = gateway_of(request)
        book = acts.rulebook_of(gateway)
        now = await book.now()
        return told(request, {"version": now.published, kind: await book.written(kind)})

    return handle


async def template(request: web.Request) -> web.Response:
    """Show a template as a visitor gets it, with what is to be said of it."""
    gateway = gateway_of(request)
    visitor = asked(request, "visitor")
    _known_form(visitor)
    is_published = asked(request, "of") == "published"
    found = await acts.mailings_of(gateway).preview(id_of(request), visitor, published=is_published)
    if found is None:
        raise ProblemError(404, "there is no such template, or no such visitor")
    return told(request, {"template": found})


async def preview(request: web.Request) -> web.Response:
    """Show a template as somebody is writing it; nothing is written."""
    gateway, order = gateway_of(request), await ordered(request, DraftOrder, EDIT_BYTES_MAX)
    _known_form(order.visitor)
    if "\0" in order.text:
        raise ProblemError(422, "text: a file of rules is text, without NUL", field="text")
    draft = Draft(base=order.base, text=order.text)
    found = await acts.mailings_of(gateway).preview(id_of(request), order.visitor, draft)
    if found is None:
        raise ProblemError(404, "there is no such visitor, or no version of the rules yet")
    return answer({"template": found})


async def check_links(request: web.Request) -> web.Response:
    """Ask where the links of a template lead whether anything is there."""
    gateway, order = gateway_of(request), await ordered(request, LinksOrder)
    _known_form(order.visitor)
    by = ADMIN_NAME
    _, answers = await acts.check_links(gateway, id_of(request), order.visitor, by=by)
    return answer({"links": answers})


def _known_form(visitor: str) -> None:
    if visitor and _VISITOR.fullmatch(visitor) is None:
        raise ProblemError(422, "visitor must be a visitor id of 24 characters", field="visitor")


async def send_test(request: web.Request) -> web.Response:
    """Send a template to an address of our own."""
    gateway, order = gateway_of(request), await ordered(request, TestOrder, EDIT_BYTES_MAX)
    draft = Draft(base=order.base, text=order.text) if order.text else None
    await acts.send_test(gateway, id_of(request), order.to, by=ADMIN_NAME, draft=draft)
    return answer({"success": True})


async def _numbered(request: web.Request) -> tuple[Rulebook, int]:
    book, given = acts.rulebook_of(gateway_of(request)), id_of(request)
    if _NUMBER.fullmatch(given) is None or await book.version(int(given)) is None:
        raise ProblemError(404, "there is no version of this number")
    return book, int(given)


async def _edit(request: web.Request) -> EditOrder:
    order = await ordered(request, EditOrder, EDIT_BYTES_MAX)
    if "\0" in (order.text or ""):
        raise ProblemError(422, "text: a file of rules is text, without NUL", field="text")
    file_name(order.file)
    return order
