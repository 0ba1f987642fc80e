"""Let a draft of the rules live through the journaled events again, beside the published rules: `mdma rules try`.

Rules
1. Nothing is sent and nothing is written: both runs happen in this process, on the events as they were.
2. Both sides live through the same events with the same policies; every e-mail of theirs counts as handed over. The
   opens and clicks of e-mails that both would send come from the journal; nobody answers an e-mail that never was.
3. What a broadcast was ordered by is the set of rules that a side goes by: both have it, or neither.
4. What Social found of an address is recalled, as far as it stands: nobody is asked again.
5. Who is known by which id comes from the store. What was known before the first event does not: a visitor
   begins anew on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules.flow import is_hidden
from agents.runtime.inprocess import InProcess, Recall
from agents.runtime.registry import IDENTITY
from messaging.ports import Journal, Store
from messaging.vocabulary.events import BroadcastOrdered, LetterReplayed, Record
from messaging.vocabulary.ids import position
from messaging.vocabulary.quarantine import row_of_replay
from scripts.counting import counted
from scripts.folder import Refused
from scripts.recalled import what_was_found

DRAFT = 2**31 - 1
"""Version that a draft is compiled under: above any that was pushed."""

EXAMPLES_MAX = 10
"""Visitors named for each path."""

EVENTS_MAX = 1_000_000
"""Events held at once: half a gigabyte."""

READ_MAX = 5_000
FEED_MAX = 5_000
"""Events between two words on how far it has come."""

SENT = "handed over"

OWN = "v:"
"""Before a visitor id: the key that leads to who it is after a merge."""

FOLLOW_MAX = 16
"""Merges followed from one visitor to the next."""

Progress = Callable[[str, float], None]
"""Is told what is done, in words, and the share of all that is done."""


class PathTold(msgspec.Struct):
    """Say what one side would do on a path."""

    entered: int
    won: int
    e_mails: dict[str, int]
    """Template -> e-mails handed over."""
    refused: dict[str, int]
    """Reason -> e-mails refused."""
    examples: list[dict[str, Any]]
    """`visitor`, the `e_mails` they would get, and those that they would get on the `other_side`; first come those who
    would be treated otherwise there."""


class Side(msgspec.Struct):
    """Say where everybody stands at the end of one side."""

    cohorts: dict[str, int]
    paths: dict[str, PathTold]


class Told(msgspec.Struct):
    """Hold what `rules try` came to."""

    events: int
    since: datetime
    until: datetime
    published: Side
    draft: Side


async def tried(
    store: Store, records: list[Record], view: View, draft: CompiledRules, say: Progress
) -> Told:
    """Return what the published rules and a draft make of these events.

    Raise Refused where there are no events, or no published rules.
    """
    view, trial = both_views(view, draft)
    if not records:
        raise Refused("no event was journaled in this time: look further back")
    known, recall = await identities(store, records), await what_was_found(store)

    def half_of(side: str, begun: float) -> Progress:
        return lambda text, share: say(f"{side}: {text}", begun + share / 2)

    published = _lived(view, records, known, recall, half_of("published rules", 0.0))
    drafted = _lived(trial, records, known, recall, half_of("draft", 0.5))
    return Told(
        len(records),
        records[0].received_at,
        records[-1].received_at,
        _side(published, drafted),
        _side(drafted, published),
    )


def both_views(view: View, draft: CompiledRules) -> tuple[View, View]:
    """Return what the bots see of the published rules and of a draft. Raise Refused where no version is published."""
    if view.rules is None:
        raise Refused("no version is published: publish one first")
    trial = msgspec.structs.replace(
        view, rules=draft, rules_version=draft.version, pinned={draft.version: draft}
    )
    return view, trial


async def read_records(journal: Journal, back: timedelta) -> list[Record]:
    """Return the journaled events that were taken so long before the newest one or later, in that order."""
    found: list[Record] = []
    newest = datetime.min.replace(tzinfo=UTC)
    for stream in await journal.tails():
        after = position(stream, 0)
        while True:
            some, reached = await journal.read(stream, after, READ_MAX, (0, 1))
            newest = max([newest, *(each.received_at for each in some)])
            found += [each for each in some if newest - each.received_at <= back]
            if len(found) > EVENTS_MAX:
                found = [each for each in found if newest - each.received_at <= back]
            if len(found) > EVENTS_MAX:
                raise Refused(f"these are more than {EVENTS_MAX:,} events: do not look so far back")
            if reached == after:
                break
            after = reached
    found = [each for each in found if newest - each.received_at <= back and _is_tried(each)]
    return sorted(found, key=lambda record: (record.received_at, record.position))


def _is_tried(record: Record) -> bool:
    """Say whether an event is tried: not what cannot be read, nor a replay of what stands there already."""
    try:
        IDENTITY.keys_of(record, record.event)
    except (msgspec.DecodeError, ValueError):
        return False
    return not row_of_replay(record) and not isinstance(record.event, LetterReplayed)


async def identities(store: Store, records: list[Record]) -> dict[str, tuple[str, int]]:
    """Return the keys of these events as they stand, so that both sides call everybody by their own id."""
    asked = sorted({key for record in records for key in IDENTITY.keys_of(record, record.event)})
    found: dict[str, tuple[str, int]] = {}
    for first in range(0, len(asked), READ_MAX):
        found |= await store.identities(asked[first : first + READ_MAX])
    owners = sorted({f"{OWN}{visitor}" for visitor, _ in found.values()})
    while owners:
        rows = await store.identities(owners)
        found |= rows
        owners = sorted({f"{OWN}{row[0]}" for row in rows.values()} - found.keys())
    return found


def _lived(
    view: View,
    records: list[Record],
    known: dict[str, tuple[str, int]],
    recall: Recall,
    say: Progress,
) -> InProcess:
    """Let all events happen under one set of rules."""
    world = InProcess(view, records[0].received_at, identity=known, recall=recall)
    records = under(records, view.rules_version)
    for first in range(0, len(records), FEED_MAX):
        world.feed(records[first : first + FEED_MAX])
        fed = min(first + FEED_MAX, len(records))
        say(f"{fed:,} of {counted(len(records), 'events')}", fed / len(records))
    world.advance(records[-1].received_at)
    return world


def under(records: list[Record], version: int) -> list[Record]:
    """Return events as they would have been under a version: broadcasts are ordered by it."""
    return [
        msgspec.structs.replace(
            record, raw=msgspec.json.encode(msgspec.structs.replace(record.event, version=version))
        )
        if isinstance(record.event, BroadcastOrdered)
        else record
        for record in records
    ]


def _side(world: InProcess, other: InProcess) -> Side:
    rules = world.view.rules
    sizes = Counter(
        name
        for _, held in world.everybody("behavior")
        if not held.moved
        for name in held.state.cohorts
    )
    mine, theirs = _by_path(world), _by_path(other)
    return Side(
        {name: sizes[name] for name in rules.cohorts if not is_hidden(name)},
        {
            name: _path(mine.get(name, {}), theirs.get(name, {}), world, name)
            for name in rules.paths
        },
    )


def _by_path(world: InProcess) -> dict[str, dict[str, list[str]]]:
    """Return path -> visitor who entered it -> templates they got, in order."""
    found: dict[str, dict[str, list[str]]] = {}
    for fields in _stories(world, "run.entered"):
        found.setdefault(fields["detail"]["path"], {}).setdefault(fields["visitor"], [])
    for fields in _sends(world, SENT):
        templates = found.setdefault(fields["path"], {}).setdefault(fields["visitor"], [])
        templates.append(fields["template"])
    return found


def _stories(world: InProcess, kind: str) -> Iterator[dict[str, Any]]:
    return (r.fields for r in world.rows if r.table == "story" and r.fields["kind"] == kind)


def _sends(world: InProcess, status: str) -> Iterator[dict[str, Any]]:
    """Give the sends that came to this status, each once: a row is written anew when something is added to it."""
    rows = {
        r.id: r.fields for r in world.rows if r.table == "sends" and r.fields["status"] == status
    }
    yield from rows.values()


def _path(
    mine: dict[str, list[str]], theirs: dict[str, list[str]], world: InProcess, path: str
) -> PathTold:
    unlike = sorted(mine, key=lambda visitor: (theirs.get(visitor) == mine[visitor], visitor))
    refused = [each["reason"] for each in _sends(world, "refused") if each["path"] == path]
    goals = [each for each in _stories(world, "run.won") if each["detail"].get("path") == path]
    return PathTold(
        entered=len(mine),
        won=len({each["visitor"] for each in goals}),
        e_mails=dict(sorted(Counter(t for some in mine.values() for t in some).items())),
        refused=dict(sorted(Counter(refused).items())),
        examples=[
            {"visitor": v, "e_mails": mine[v], "other_side": theirs.get(v, [])}
            for v in unlike[:EXAMPLES_MAX]
        ],
    )


def lines(told: Told) -> list[str]:
    """Return what came of it in words, the draft beside the published rules."""
    now, draft = told.published, told.draft
    span = f"from {told.since:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC"
    found = [f"{counted(told.events, 'events')} {span}"]
    found += [f"cohort {each}" for each in _all_beside(now.cohorts, draft.cohorts)]
    nothing = PathTold(0, 0, {}, {}, [])
    for name in sorted(now.paths.keys() | draft.paths.keys()):
        found += _path_lines(name, now.paths.get(name, nothing), draft.paths.get(name, nothing))
    return found


def _path_lines(name: str, now: PathTold, draft: PathTold) -> Iterator[str]:
    yield f"path {name}: {_beside(now.entered, draft.entered)} enter it"
    yield f"  {_beside(now.won, draft.won)} reach its goal"
    yield from (f"  e-mail {each}" for each in _all_beside(now.e_mails, draft.e_mails))
    yield from (f"  refused, {each}" for each in _all_beside(now.refused, draft.refused))
    for each in draft.examples:
        yield f"  visitor {each['visitor']} gets {', '.join(each['e_mails']) or 'no e-mail'}"


def _all_beside(now: dict[str, int], draft: dict[str, int]) -> Iterator[str]:
    for each in sorted(now.keys() | draft.keys()):
        yield f"{each}: {_beside(now.get(each), draft.get(each))}"


def _beside(now: int | None, draft: int | None) -> str:
    """Return two counts in words.

    >>> _beside(3, 5), _beside(3, 3), _beside(None, 2), _beside(2, None)
    ('5 (now 3)', '3 (as now)', '2 (new)', 'gone (now 2)')
    """
    if now is None:
        return f"{draft:,} (new)"
    if draft is None:
        return f"gone (now {now:,})"
    return f"{draft:,} (as now)" if now == draft else f"{draft:,} (now {now:,})"
