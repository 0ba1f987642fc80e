"""Take a template that somebody is writing: show it, give its HTML for the frame, send a test of it.

Nothing is saved by any of it; saving is `rules.save`, as for every file.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.console import rules
from messaging.gateway.console.door import SAID, Form, Visit
from messaging.gateway.console.drafts import seen_of
from messaging.gateway.console.mailings import Draft
from messaging.gateway.console.rulebook import Edit
from messaging.gateway.console.templates import framed
from messaging.gateway.problems import ProblemError


async def draft(visit: Visit, form: Form) -> web.StreamResponse:
    """Show what is to be said of it, and its words: the parts that change while somebody writes."""
    seen = await _seen(visit, form)
    return await visit.page("template_draft.html", here="templates", seen=seen)


async def draft_body(visit: Visit, form: Form) -> web.StreamResponse:
    """Give its HTML, for the frame: a page of its own without scripts, from which nothing is fetched."""
    seen = await _seen(visit, form)
    mail = seen["preview"].mail if seen is not None and seen["preview"] is not None else None
    return framed(mail.html if mail is not None else "", pictures=form.get("pictures") == "on")


async def draft_test(visit: Visit, form: Form) -> web.StreamResponse:
    """Send what is being written to an address of our own, and give the text back."""
    edit = _edited(visit, form)
    name, by = visit.request.match_info["name"], visit.session.user
    status, said = 200, SAID["tested"]
    try:
        given = Draft(base=edit.base, text=edit.text or "")
        await acts.send_test(visit.gateway, name, form.get("to", ""), by=by, draft=given)
    except ProblemError as problem:
        status, said = problem.status, f"{problem.detail[:1].upper()}{problem.detail[1:]}."
    return await rules.editor(
        visit,
        edit,
        whom=rules.whom_of(form),
        status=status,
        said=said,
        is_unsaved=True,
        to=form.get("to", ""),
    )


def _edited(visit: Visit, form: Form) -> Edit:
    """Return the edit of the editor's form, of the template that the address names."""
    file = f"templates/{visit.request.match_info['name']}.yaml"
    return msgspec.structs.replace(rules.edited(form), file=file)


async def _seen(visit: Visit, form: Form) -> dict[str, Any] | None:
    edit = _edited(visit, form)
    return await seen_of(visit, edit.file, edit.text or "", edit.base, rules.whom_of(form))
