"""Keep static lists: show them and who stands on each, put people on, take them off.

Rules
1. What a form does can be sent twice and is done once: each form brings the name of its request.
2. Who was not known, or could not be taken, stands on the page: nothing is done by halves in silence.
"""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import quote

from aiohttp import web

from messaging.gateway import lists
from messaging.gateway.console.door import Form, Visit, back_to
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.lists import PAGE_ROWS, addresses, after_of
from messaging.gateway.console.views import LOOK_SECONDS, desk_of
from messaging.gateway.limits import ENTERING_MAX, ID_CHARS_MAX
from messaging.gateway.problems import ProblemError

HERE = "visitors"
LISTS = f"{ROOT}lists"

AT_ONCE_MAX = 5_000
"""People that one form may name; more come by `mdma list add --file`."""
BASIS_CHARS_MAX = 200

FIELDS = ("name", "people", "basis")
SAID = {lists.ADD: "list-added", lists.REMOVE: "list-removed"}

_BETWEEN = re.compile(r"[\n,;\t]")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")


async def lists_(visit: Visit) -> web.StreamResponse:
    """Show the static lists by name."""
    after = visit.text("after", ID_CHARS_MAX)
    found = await lists.names(visit.gateway, after, PAGE_ROWS)
    return await visit.page(
        "lists.html",
        here=HERE,
        seconds=0.0 if after else LOOK_SECONDS,
        rows=found["lists"],
        pages=addresses(LISTS, {}, after, found["after"]),
        **_a_form(),
    )


async def one(visit: Visit) -> web.StreamResponse:
    """Show who stands on a list."""
    name = visit.request.match_info["id"]
    try:
        await lists.check_known(visit.gateway, name)
    except ProblemError:
        raise ProblemError(404, "there is no such list") from None
    return await _page(visit, name, _a_form())


async def change(visit: Visit, form: Form) -> web.StreamResponse:
    """Put people on a list, or take them off; where not all could be, say of whom."""
    name, action = form.get("name", "").strip(), form.get("action", "")
    if action not in SAID:
        raise ProblemError(422, "people can be put on a list or taken off it", field="action")
    try:
        lists.check_name(name)
        people = people_of(form.get("people", ""))
        basis = _basis(form.get("basis", ""))
    except ProblemError as problem:
        return await _refused(visit, form, problem)
    request = form.get("request", "")[:ID_CHARS_MAX] or secrets.token_hex(8)
    left: list[tuple[str, str]] = []
    for first in range(0, len(people), ENTERING_MAX):
        some = people[first : first + ENTERING_MAX]
        wanted = lists.Listing(name, some, f"console {request}", basis)
        done = await lists.change(visit.gateway, action, wanted, by=visit.session.user)
        left += [(each, "nobody is known by this") for each in done["unknown"]]
        left += [(each["person"], each["reason"]) for each in done["refused"]]
    if not left:
        return back_to(f"{LISTS}/{quote(name, safe='')}", SAID[action])
    taken = len(people) - len(left)
    return await _page(visit, name, {**_a_form(), "left": left, "taken": taken, "action": action})


def people_of(text: str) -> list[str]:
    """Return the addresses and user ids of a form, each once. Raise 422.

    >>> people_of("ann@example.com, bob@example.com; u-1,ann@example.com")
    ['ann@example.com', 'bob@example.com', 'u-1']
    """
    found = list(dict.fromkeys(filter(None, map(str.strip, _BETWEEN.split(text)))))
    if not found:
        raise ProblemError(422, "name somebody by address or user id", field="people")
    if len(found) > AT_ONCE_MAX:
        problem = (
            f"{len(found):,} people are too many for this form, which takes {AT_ONCE_MAX:,}: "
            "`mdma list add --file` takes more; nobody was changed"
        )
        raise ProblemError(422, problem, field="people")
    for each in found:
        if len(each) > ID_CHARS_MAX or _UNSEEN.search(each):
            problem = f"{each[:40]!r} is neither an address nor a user id; nobody was changed"
            raise ProblemError(422, problem, field="people")
    return found


def _basis(text: str) -> str:
    basis = " ".join(text.split())
    if len(basis) > BASIS_CHARS_MAX or _UNSEEN.search(basis):
        problem = f"the basis is a text of at most {BASIS_CHARS_MAX} characters; nobody was changed"
        raise ProblemError(422, problem, field="basis")
    return basis


def _a_form() -> dict[str, Any]:
    """Return what an empty form stands on."""
    given = dict.fromkeys(FIELDS, "")
    return {"request": secrets.token_hex(8), "given": given, "problem": "", "left": []}


async def _refused(visit: Visit, form: Form, problem: ProblemError) -> web.StreamResponse:
    """Show the form again, as it was filled in."""
    found = await lists.names(visit.gateway, "", PAGE_ROWS)
    return await visit.page(
        "lists.html",
        here=HERE,
        status=problem.status,
        rows=found["lists"],
        pages=addresses(LISTS, {}, "", found["after"]),
        **{
            **_a_form(),
            "given": {each: form.get(each, "") for each in FIELDS},
            "problem": problem.detail,
        },
    )


async def _page(visit: Visit, name: str, form: dict[str, Any]) -> web.StreamResponse:
    after = after_of(visit)
    try:
        found = await lists.show(visit.gateway, name, PAGE_ROWS, after)
    except ProblemError:
        raise ProblemError(404, "there is no such list") from None
    who = await desk_of(visit).names([each["visitor"] for each in found["members"]])
    rows = [
        {**each, "who": who[each["visitor"]], "since": f"{each['since']:%Y-%m-%d %H:%M} UTC"}
        for each in found["members"]
    ]
    return await visit.page(
        "list.html",
        here=HERE,
        seconds=0.0
        if after or form["left"]
        else LOOK_SECONDS,  # a form's answer has no address of its own
        name=name,
        people=found["people"],
        rows=rows,
        pages=addresses(f"{LISTS}/{quote(name, safe='')}", {}, after, found["after"]),
        **{"taken": 0, "action": "", **form},
    )
