"""Let one visitor's journaled events happen again under a draft, and say what it does step by step.

This is `mdma rules try --visitor`.

Rules
1. As in `rules_try`: nothing is sent, nothing is written, a visitor begins anew on both sides, and nobody answers an
   e-mail that never was.
2. Only this visitor's events happen, by all their ids; time goes on until the newest event of anybody.
3. A step is a line of the visitor's story, in the words of `mdma visitor`. What both sides say at the same time stands
   once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.runtime.inprocess import InProcess, Recall
from agents.runtime.registry import IDENTITY
from agents.runtime.timelines import ordered
from messaging.ports import Store
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import visitor_id_for
from scripts.counting import counted
from scripts.folder import Refused
from scripts.recalled import what_was_found
from scripts.rules_try import FOLLOW_MAX, OWN, both_views, identities, under
from scripts.story import by_whom, sentence

BOTH, DRAFT_ONLY, PUBLISHED_ONLY = "both", "draft", "published"
MARKS = {BOTH: " ", DRAFT_ONLY: "+", PUBLISHED_ONLY: "-"}

VISITOR = "Visitor"
"""Stands by what a visitor did: it comes before what it led to."""

NOBODY_ASKED = "social"
"""The bot whose lines are left out: here nobody is looked up, and each of them would say that no answer came."""

TABLES = {
    "story": "",
    "decisions": "rules",
    "sends": "email",
    "alerts": "rules",
    "engagements": "engagement",
}
"""Table whose rows are lines of a story -> whose they are where they do not say so."""


class Step(msgspec.Struct, frozen=True):
    """Hold one line."""

    at: datetime
    by: str
    says: str
    side: str
    """`both`, `draft` or `published`: who does so."""


class Stepped(msgspec.Struct):
    """Hold what both sides do with one visitor."""

    visitor: str
    events: int
    since: datetime
    until: datetime
    steps: list[Step]


async def stepped(
    store: Store, records: list[Record], view: View, draft: CompiledRules, visitor: str
) -> Stepped:
    """Return what the published rules and a draft do with a visitor.

    Raise Refused where no event of theirs is among these, or no version is published.
    """
    published, trial = both_views(view, draft)
    known = await identities(store, records)
    own = [record for record in records if visitor in _owners(record, known)]
    if not own:
        raise Refused(
            f"no event of visitor {visitor} was journaled in this time: look further back"
        )
    until, recall = records[-1].received_at, await what_was_found(store)
    now, then = (
        {
            (step.at, step.by, step.says): step
            for step in _lived(side, own, known, recall, visitor, until)
        }
        for side in (published, trial)
    )
    steps = [
        msgspec.structs.replace(step, side=_side(key in now, key in then))
        for key, step in (now | then).items()
    ]
    order = {key: number for number, key in enumerate([*now, *then])}
    steps.sort(key=lambda step: (step.at, step.by != VISITOR, order[step.at, step.by, step.says]))
    return Stepped(visitor, len(own), own[0].received_at, until, steps)


def _side(is_published: bool, is_draft: bool) -> str:
    if is_published and is_draft:
        return BOTH
    return DRAFT_ONLY if is_draft else PUBLISHED_ONLY


def _owners(record: Record, known: Mapping[str, tuple[str, int]]) -> set[str]:
    return {_owner(key, known) for key in IDENTITY.keys_of(record, record.event)}


def _owner(key: str, known: Mapping[str, tuple[str, int]]) -> str:
    """Return whose a key is by now: the store's word, else what an unknown key would lead to."""
    unknown = key.removeprefix(OWN) if key.startswith(OWN) else visitor_id_for(key)
    visitor = known.get(key, (unknown, 0))[0]
    for _ in range(FOLLOW_MAX):
        into = known.get(f"{OWN}{visitor}", (visitor, 0))[0]
        if into == visitor:
            break
        visitor = into
    return visitor


def _lived(
    view: View,
    records: list[Record],
    known: Mapping[str, tuple[str, int]],
    recall: Recall,
    visitor: str,
    until: datetime,
) -> list[Step]:
    """Return the lines of one side, in order."""
    world = InProcess(view, records[0].received_at, identity=known, recall=recall)
    world.feed(under(records, view.rules_version))
    world.advance(until)
    lines = ordered([*_events(world, visitor), *_rows(world)])
    return [
        Step(line["at"], by_whom(line), _says(line, view.rules_version), BOTH) for line in lines
    ]


def _events(world: InProcess, visitor: str) -> Iterator[dict[str, Any]]:
    held = world.states("behavior").get(visitor)
    for at, what in held.state.recent if held is not None else ():
        yield {"at": datetime.fromtimestamp(at, UTC), "kind": "event", "what": what}


def _rows(world: InProcess) -> Iterator[dict[str, Any]]:
    """Give the rows that are lines of a story, each as it was written last."""
    rows = {(row.table, row.id): row.fields for row in world.rows if row.table in TABLES}
    for (table, _), fields in rows.items():
        if fields.get("bot") == NOBODY_ASKED:
            continue
        kind = fields.get("kind", table)
        yield {"bot": TABLES[table], **fields, "kind": f"{table}: {kind}"}


def _says(line: dict[str, Any], version: int) -> str:
    """Return a line's sentence, without the version: which side it is of stands beside it."""
    return sentence(line).replace(f", version {version})", ")")


def lines(told: Stepped) -> Iterator[str]:
    """Give what came of it in words."""
    span = f"from {told.since:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC"
    yield f"visitor {told.visitor}: {counted(told.events, 'events')} {span}"
    unlike = sum(step.side != BOTH for step in told.steps)
    yield (
        "+ only the draft does so, - only the published rules do"
        if unlike
        else "the draft and the published rules do the same"
    )
    for step in told.steps:
        yield f"{MARKS[step.side]} {step.at:%Y-%m-%d %H:%M:%S}  {step.by}: {step.says}"
