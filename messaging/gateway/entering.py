"""Let people onto a path by the API.

Rules
1. Only people who are known already: somebody unknown is named, and comes to be known by a call that says who they are.
2. A request has a name that the caller gives it. Said again within the journal's 30 days it lets nobody in twice; the
   names of two callers are told apart by the path, the person and the key alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from messaging.gateway import acts
from messaging.gateway.console.rulebook import PathLine
from messaging.gateway.deps import Gateway
from messaging.gateway.problems import ProblemError
from messaging.store.audit_log import Change, note
from messaging.vocabulary.events import EntryAsked, Fact
from messaging.vocabulary.ids import own_id


@dataclass(frozen=True, slots=True)
class Entering:
    """Hold what one call wants."""

    people: list[str]
    """Visitor ids, user ids, anonymous ids or addresses."""
    request: str
    key: str


async def let_in(gateway: Gateway, path: PathLine, wanted: Entering, *, by: str) -> dict[str, Any]:
    """Journal an entry for each person; return how many were let in, how many before, and who is not known.

    Raise 409 for a path that is not open to the API, or archived, 422 for a key that is missing or not looked at.
    """
    if not path.api:
        detail = f"the path {path.name} is not open to the API: add `api: true` to its entry"
        raise ProblemError(409, detail)
    if path.name in await acts.archived_paths(gateway):
        raise ProblemError(409, f"the path {path.name} is archived: nobody is let onto it")
    if path.keyed != bool(wanted.key):
        said = "needs a key, by which its runs are told apart" if path.keyed else "takes no key"
        raise ProblemError(422, f"the path {path.name} {said}", field="key")
    found = {each: await gateway.deps.reader.find(each) for each in dict.fromkeys(wanted.people)}
    visitors = sorted({visitor for visitor in found.values() if visitor is not None})
    facts: list[tuple[Fact, str]] = [
        (
            EntryAsked(visitor=visitor, path=path.name, key=wanted.key, by=by),
            own_id("entry asked", path.name, wanted.request, wanted.key, visitor),
        )
        for visitor in visitors
    ]
    are_new = await gateway.journal_facts(facts)
    let = sum(are_new)
    if let:
        said = f"{let} of {len(found)} people"
        change = Change(by=by, act="path.entered", of=path.name, said=said)
        await note(gateway.deps.store, change, gateway.deps.wall_now())
    unknown = [each for each, visitor in found.items() if visitor is None]
    return {"let_in": let, "before": len(are_new) - let, "unknown": unknown}
