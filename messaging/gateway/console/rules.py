"""Show the rules, take edits of their files, and publish versions.

Rules
1. Nothing that somebody typed is lost: what cannot be saved comes back with what is wrong with it.
2. Of two editors the later is told what the other changed (409), and can save on top of that.
   Who edits an older version (after a roll-back: what is published) makes a draft of that one, and is told so.
3. A new file begins with an example of its kind, and is new until it is saved.
4. A publication names the version it takes the place of: it is refused if that is not the published one any more.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from aiohttp import web

from messaging.gateway import acts
from messaging.gateway.console.door import Form, Visit, back_to
from messaging.gateway.console.drafts import seen_of, template_in
from messaging.gateway.console.drawing import ROOT
from messaging.gateway.console.lists import addresses, after_of
from messaging.gateway.console.merging import merged
from messaging.gateway.console.publications import GROUP, PublishOrder
from messaging.gateway.console.rulebook import Edit, Rulebook, Saved, VersionLine
from messaging.gateway.console.views import LOOK_SECONDS
from messaging.gateway.problems import ProblemError

HERE = "rules"

VERSIONS_SHOWN = 20
"""On one page."""

COUNTED = ("cohorts.yaml", "scores.yaml", "paths/", "interactions/")
"""How the files begin of which it is counted, while somebody writes, who matches."""

NAME_CHARACTERS_MAX = 120
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_VISITOR = re.compile(r"[0-9a-f]{24}")
_NUMBER = re.compile(r"[0-9]{1,9}")


def rulebook_of(visit: Visit) -> Rulebook:
    """Return the rulebook of a visit."""
    return acts.rulebook_of(visit.gateway)


async def rules(visit: Visit) -> web.StreamResponse:
    """Show what the rules are: cohorts and paths with their people, files, versions."""
    book, after = rulebook_of(visit), after_of(visit)
    now, versions = await book.now(), await book.versions(after, VERSIONS_SHOWN)
    seconds = LOOK_SECONDS if now.filling is not None and not now.filling.is_done else 0.0
    return await visit.page(
        "rules.html",
        here=HERE,
        seconds=seconds,
        now=now,
        versions=versions.lines,
        pages=addresses(f"{ROOT}rules", {}, after, versions.after),
    )


async def version(visit: Visit) -> web.StreamResponse:
    """Show a version beside the published one, with the button that publishes it."""
    book = rulebook_of(visit)
    found = await _version(book, visit.request.match_info["version"])
    now = await book.now()
    compared = await book.compare(now.published, found.number)
    standing, entering = [], []
    files = await book.listed(found.number)
    if not found.is_published:
        standing = await book.impact(found.number)
        entering = await book.entering(found.number)
    return await visit.page(
        "rules_version.html",
        here=HERE,
        found=found,
        now=now,
        compared=compared,
        standing=standing,
        entering=entering,
        files=files,
    )


async def edit(visit: Visit) -> web.StreamResponse:
    """Show a file of the newest version, or of the one that is named, to be edited."""
    book = rulebook_of(visit)
    given, whom = visit.text("version"), visit.text("visitor")
    name = file_name(visit.request.query.get("file", ""))
    if whom and _VISITOR.fullmatch(whom) is None:
        raise ProblemError(422, "a visitor id has 24 characters", field="visitor")
    newest = (await book.now()).newest
    base = (await _version(book, given)).number if given else newest
    text = await book.file(base, name)
    is_begun = text is None
    begun = book.beginning(name) if text is None else text
    found = Edit(base=base, file=name, text=begun, newest=newest)
    return await editor(visit, found, whom=whom, is_begun=is_begun)


async def check(visit: Visit, form: Form) -> web.StreamResponse:
    """Show what is wrong with an edit, and what it changes; nothing is written."""
    book = rulebook_of(visit)
    given = edited(form)
    base, name, text = given.base, given.file, given.text or ""
    findings = await book.check(base, name, text)
    told: dict[str, Any] = {
        "findings": findings,
        "diff": await book.compare_file(base, name, text),
        "matching": await book.matching(base, name, text) if not findings else None,
    }
    return await editor(visit, given, whom=whom_of(form), is_checked=True, **told)


async def save(visit: Visit, form: Form) -> web.StreamResponse:
    """Make a version of an edit."""
    return await _save(visit, form, is_removal=False)


async def remove(visit: Visit, form: Form) -> web.StreamResponse:
    """Make a version without a file."""
    return await _save(visit, form, is_removal=True)


async def publish(visit: Visit, form: Form) -> web.StreamResponse:
    """Publish a version in the place of the one that was seen as published."""
    book = rulebook_of(visit)
    found = await _version(book, form.get("version", ""))
    order = PublishOrder(
        instead_of=_number(form.get("instead_of", "")),
        runs=form.get("runs", "stay"),
        groups={
            name.removeprefix(GROUP): choice
            for name, choice in form.items()
            if name.startswith(GROUP) and choice
        },
    )
    await acts.publish(visit.gateway, found.number, order, by=visit.session.user)
    return back_to(f"{ROOT}rules", "published")


async def _save(visit: Visit, form: Form, *, is_removal: bool) -> web.StreamResponse:
    given = edited(form)
    if form.get("over"):
        given.base = _number(form["over"])
    edit = msgspec.structs.replace(given, text=None) if is_removal else given
    saved = await acts.save(visit.gateway, edit, by=visit.session.user)
    if saved.outcome in ("saved", "same"):
        return back_to(f"{ROOT}rules/versions/{saved.version}", saved.outcome)
    return await _not_saved(visit, given, saved, whom_of(form))


async def _not_saved(visit: Visit, given: Edit, saved: Saved, whom: str) -> web.StreamResponse:
    """Give an edit back: with what is wrong, or with what somebody else changed meanwhile."""
    if saved.outcome == "wrong":
        wrong = {"findings": saved.findings, "is_checked": True, "is_refused": True}
        return await editor(visit, given, whom=whom, status=422, **wrong)
    if given.base != given.seen:
        return await _beside(visit, given, saved, whom)
    book, name, text = rulebook_of(visit), given.file, given.text or ""
    before, theirs = await book.file(given.base, name), await book.file(saved.version, name)
    if theirs == before:
        both: str | None = text
    else:
        both = merged(before or "", theirs or "", text) if theirs is not None else None
    late = {
        "late": await book.version(saved.version),
        "theirs": await book.compare(given.base, saved.version),
        "is_merged": both is not None,
        "diff": await book.compare_file(saved.version, name, text if both is None else both),
    }
    # What cannot be put together is asked for again, until somebody says that theirs may go.
    on = saved.version if both is not None else given.base
    back = Edit(base=on, file=name, text=text if both is None else both)
    return await editor(visit, back, whom=whom, status=409, **late)


async def _beside(visit: Visit, given: Edit, saved: Saved, whom: str) -> web.StreamResponse:
    """Give the edit of an older version back: another one is the newest by now, of which it takes nothing."""
    book = rulebook_of(visit)
    late = {
        "late": await book.version(saved.version),
        "theirs": await book.compare(given.base, saved.version),
        "diff": await book.compare_file(given.base, given.file, given.text),
    }
    back = msgspec.structs.replace(given, newest=saved.version)
    return await editor(visit, back, whom=whom, status=409, **late)


async def editor(
    visit: Visit, edit: Edit, *, whom: str = "", status: int = 200, **more: Any
) -> web.StreamResponse:
    """Return the page on which a file is edited; a template's with what a reader gets beside it.

    `whom`: whose e-mail it is shown as, by any id.
    """
    book = rulebook_of(visit)
    known: dict[str, Any] = {
        "findings": [],
        "diff": "",
        "matching": None,
        "is_checked": False,
        "is_refused": False,
        "is_begun": False,
        "is_unsaved": False,
        "to": "",
        "late": None,
        "is_merged": True,
        "theirs": None,
    }
    return await visit.page(
        "rules_file.html",
        here="templates" if template_in(edit.file) else HERE,
        status=status,
        file=edit.file,
        text=edit.text or "",
        base=edit.base,
        newest=edit.seen,
        is_new=await book.file(edit.base, edit.file) is None,
        vocabulary=book.words(edit.file),
        is_counted=edit.file.startswith(COUNTED),
        seen=await seen_of(visit, edit.file, edit.text or "", edit.base, whom),
        **{**known, **more},
    )


def whom_of(form: Form) -> str:
    """Return as whom a template is to be shown."""
    return form.get("q", "").strip()


def edited(form: Form) -> Edit:
    """Return the edit of the editor's form. Raise 422."""
    # A form's lines end with CRLF (HTML, 4.10.22.7); files of rules end theirs with LF.
    text = form.get("text", "").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ProblemError(422, "a file of rules is text, without NUL", field="text")
    name, base = file_name(form.get("file", "")), _number(form.get("base", ""))
    return Edit(base=base, file=name, text=text, newest=_number(form.get("newest", "0")))


def file_name(given: str) -> str:
    """Return the name of a file of rules. Raise 422 for what can be none."""
    if len(given) > NAME_CHARACTERS_MAX or _NAME.fullmatch(given) is None:
        raise ProblemError(
            422, "name a file like templates/hello.yaml: one folder at most", field="file"
        )
    return given


def _number(given: str) -> int:
    if _NUMBER.fullmatch(given) is None:
        raise ProblemError(422, "a version has a number", field="version")
    return int(given)


async def _version(book: Rulebook, given: str) -> VersionLine:
    found = await book.version(_number(given))
    if found is None:
        raise ProblemError(404, "there is no version of this number")
    return found
