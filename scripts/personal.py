"""Find everything that is stored of one person: `mdma export`, and the one list of the places where to look.

A person is a visitor with all younger visitors that were merged into it. What is told, section by section:

    visitors       their visitor ids, the living one first
    summary        what `visitors/{id}` of the admin API shows
    consent        category, value, time, the event that said so, and its basis if one was named
    identity       the keys that lead to them: user ids (u:), addresses (e:), anonymous ids (a:), merges (v:)
    states         bot -> visitor -> the whole state, its wake-ups, and what it was merged into
    events         journaled events with the bytes as they came, in the order of their positions
    letters        what bots told one another about them: the outbox documents, only their own letters
    batches        the batches that name them: wake-ups, events, the shard's own letters
    decisions, rewards, story, sends, engagements, alerts, notices, deliveries, orders, moments, webhooks, recipients
    (of broadcasts), list_members, trial_people (what trials of drafts named of them), quarantine, audit_log (what
    users of the console did)
                   their rows; a send has the subject of its template; a moment what was known then, by name
    refunds_waiting
                   refunds by webhook that wait for an order of theirs
    mailbox        the keyed hash of their address, and whether it is suppressed
    replay         calls of an import that wait for the world clock
    mails          e-mails to them, or about them (alerts), that the built-in SMTP sink still keeps, with their source
    logs           log lines that name one of their ids

Rules
1. Nothing is written. It tells what the bots have taken; traffic may go on.
2. What another person's place holds too (one batch, one outbox document) is cut to this person's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from agents.runtime.held import Codec
from agents.runtime.readers import StoreReader
from agents.runtime.registry import IDENTITY, WIRING, senders_of
from agents.runtime.rereading import events_of
from agents.runtime.scrub import about, is_named_by
from agents.runtime.sweeper import Names
from agents.runtime.their_orders import WAITING, refunds_waiting_for
from config.load import compile_files
from learning.serving.moment import FEATURES
from messaging.gateway.readers import ReplayCall
from messaging.mail.sink import read_mails
from messaging.ports import BatchRecord, Journal, Store
from messaging.store.tables import ROW_HOLDS
from messaging.vocabulary.events import Record, decode_event
from messaging.vocabulary.letters import decode_letters
from scripts.erasing import is_about, nobody
from scripts.personal_parts import (
    Document,
    by_name,
    call_of,
    consents_of,
    event_of,
    letter_of,
)
from scripts.rules import files_of

FORMAT = "mdma export 1"

READ_MAX = 2_000
ROWS_MAX = 1_000_000

TABLES = tuple(name for name, holds in ROW_HOLDS.items() if holds in ("visitor", "numbers"))
"""Tables with rows of visitors; a snapshot holds what was learned of all of them together."""

Progress = Callable[[str], None]


@dataclass
class Sources:
    """Hold what is read."""

    store: Store
    journal: Journal
    shards: dict[str, int]
    mailbox: Callable[[str], str]
    """Address -> its keyed hash."""
    veil: Callable[[str], str] = lambda key: key
    """Identity key -> its keyed hash."""
    waiting: list[ReplayCall] = field(default_factory=list)
    mail_folder: Path | None = None
    log_folder: Path | None = None


async def exported(sources: Sources, id_: str, *, at: datetime, say: Progress) -> Document:
    """Return all of one person's data. Raise Refused where nobody is known by the id."""
    visitor = await StoreReader(sources.store).find(id_)
    if visitor is None:
        raise await nobody(sources.store, id_, sources.veil)
    found = await _Search(sources, visitor, say).everything()
    return {"format": FORMAT, "at": at, **found}


class _Search:
    """Look for one person in every place."""

    def __init__(self, sources: Sources, visitor: str, say: Progress) -> None:
        self._from = sources
        self._store = sources.store
        self._say = say
        self._visitors = [visitor]
        self._who: set[str] = {visitor}
        self._addresses: set[str] = set()

    async def everything(self) -> Document:
        """Return the document."""
        self._say("looking for merged visitors")
        self._visitors += await self._younger()
        self._who.update(self._visitors)
        states = {bot: await self._states(bot) for bot in WIRING if bot != "learner"}
        batches, events = await self._recorded()
        self._say("reading rows, e-mails and logs")
        rows = await self._rows()
        keys, identity = await self._identity(events)
        self._addresses = {key[2:] for key in keys if key.startswith("e:")}
        names = Names(
            ids=[*self._visitors, *sorted(row["id"] for row in rows["sends"])],
            addresses=sorted(self._addresses),
        )
        return {
            "visitors": self._visitors,
            "summary": await StoreReader(self._store).visitor(self._visitors[0]),
            "consent": consents_of(states["behavior"], events),
            "identity": identity,
            "states": states,
            "events": [event_of(record) for record in events],
            "letters": await self._letters(),
            "batches": batches,
            **rows,
            WAITING: await self._refunds_waiting(keys),
            "mailbox": await self._mailboxes(),
            "replay": [call_of(call) for call in self._from.waiting if self._is_theirs(call, keys)],
            "mails": list(self._mails(names)),
            "logs": list(self._log_lines(names)),
        }

    async def _younger(self) -> list[str]:
        """Return the visitors that were merged into this one, over all steps."""
        leads: dict[str, str] = {}
        after = ""
        while ids := await self._store.visitors("behavior", after, READ_MAX):
            after = ids[-1]
            rows = await self._store.identities([f"v:{each}" for each in ids])
            leads.update((key[2:], row[0]) for key, row in rows.items() if row[0] != key[2:])
        found = list(self._visitors)
        for older in found:
            found += sorted(each for each, into in leads.items() if into == older)
        return found[1:]

    async def _states(self, bot: str) -> Document:
        codec = Codec(WIRING[bot].make())
        bodies = await self._store.load(bot, self._visitors)
        found = {}
        for visitor, body in sorted(bodies.items()):
            held = codec.decode(body)
            found[visitor] = {
                "state": by_name(held.state),
                "wakes": held.wakes,
                "merged_into": held.moved,
            }
        return found

    # The record: batches, events, letters

    async def _recorded(self) -> tuple[list[Document], list[Record]]:
        batches: list[Document] = []
        events: dict[int, Record] = {}
        for bot, count in self._from.shards.items():
            for index in range(count):
                self._say(f"reading the batches of {bot}-{index}")
                async for number, record in _all_batches(self._store, f"{bot}-{index}"):
                    theirs = await events_of(self._from.journal, record, self._who, (index, count))
                    events.update((each.position, each) for each in theirs)
                    part = self._part(record)
                    if part or theirs:
                        part["events"] = [each.position for each in theirs]
                        place = {"shard": f"{bot}-{index}", "number": number, "at": record.at}
                        batches.append(place | part)
        return batches, [events[position] for position in sorted(events)]

    def _part(self, record: BatchRecord) -> Document:
        """Return what a batch record itself holds of this person, empty if nothing."""
        wakes = [wake for wake in record.wakes if wake[0] in self._who]
        local = self._theirs(record.local) if record.local else []
        skipped = [place for place in record.skipped if is_named_by(place, self._who)]
        parts = {"wakes": wakes, "local": local, "skipped": skipped}
        return {name: part for name, part in parts.items() if part}

    async def _letters(self) -> list[Document]:
        found = []
        for bot, count in self._from.shards.items():
            for to in (f"{bot}-{index}" for index in range(count)):
                self._say(f"reading the letters to {to}")
                for sender in senders_of(bot, self._from.shards):
                    found += [each async for each in self._letters_of(sender, to)]
        return found

    async def _letters_of(self, sender: str, to: str) -> Any:
        after = 0
        while chunks := await self._store.read_outbox(sender, to, after, READ_MAX):
            after = chunks[-1].last
            for chunk in chunks:
                theirs = self._theirs(chunk.body)
                if theirs:
                    place = {"from": sender, "to": to, "number": chunk.last, "at": chunk.at}
                    yield place | {"letters": theirs}

    def _theirs(self, body: bytes) -> list[Document]:
        return [letter_of(each) for each in decode_letters(body) if about(each.message) & self._who]

    # What is kept by key

    async def _rows(self) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {}
        for table in TABLES:
            rows: list[Document] = []
            for visitor in self._visitors:
                match = {"visitor": visitor}
                rows += await self._store.rows(table, match, limit=ROWS_MAX, newest=False)
            found[table] = rows
        known = {row["id"] for row in found["rewards"]}
        for decision in found["decisions"]:
            match = {"decision_id": decision["id"]}
            more = await self._store.rows("rewards", match, limit=ROWS_MAX, newest=False)
            found["rewards"] += [row for row in more if row["id"] not in known]
        subjects: dict[tuple[int, str], str] = {}
        for send in found["sends"]:
            key = (send["rules_version"], send["template"])
            if key not in subjects:
                subjects[key] = await self._subject(*key)
            send["subject"] = subjects[key]
        for moment in found["moments"]:
            moment["inputs"] = dict(zip(FEATURES, moment["inputs"], strict=False))
        return found

    async def _subject(self, version: int, template: str) -> str:
        """Return a template's subject as it was written, empty where its version is gone."""
        files = await files_of(self._store, version)
        if files is None:
            return ""
        written = compile_files(files, version).templates.get(template)
        return written.subject if written is not None else ""

    async def _identity(self, events: list[Record]) -> tuple[set[str], list[Document]]:
        """Return the keys that lead to this person, and their rows: a key comes from nowhere but an event."""
        asked = {f"v:{visitor}" for visitor in self._visitors}
        for record in events:
            asked.update(IDENTITY.keys_of(record, record.event))
        rows = await self._store.identities(sorted(asked))
        theirs = {key: row for key, row in rows.items() if row[0] in self._who}
        found = [{"key": k, "visitor": v, "born": n} for k, (v, n) in sorted(theirs.items())]
        return set(theirs), found

    async def _mailboxes(self) -> list[Document]:
        found = []
        for address in sorted(self._addresses):
            box = self._from.mailbox(address)
            row = await self._store.get_document("mailboxes", box) or {}
            is_suppressed = box in await self._store.suppressed([box])
            found.append({**row, "id": box, "suppressed": is_suppressed})
        return found

    async def _refunds_waiting(self, keys: set[str]) -> list[Document]:
        """Return refunds that wait for an order of theirs."""
        rows = await refunds_waiting_for(self._store, self._visitors, keys, self._from.veil)
        decode = msgspec.msgpack.Decoder(Record).decode
        return [row | {"record": event_of(decode(row["record"]))} for row in rows]

    def _is_theirs(self, call: ReplayCall, keys: set[str]) -> bool:
        try:
            event = decode_event(call.raw)
        except (msgspec.DecodeError, ValueError):
            return False
        record = Record(0, call.id, 0, call.at, call.at, "", call.raw)
        return bool(set(IDENTITY.keys_of(record, event)) & keys)

    # Files

    def _mails(self, names: Names) -> Iterator[Document]:
        for entry in read_mails(self._from.mail_folder) if self._from.mail_folder else ():
            if is_about(entry, names):
                source = Path(entry.pop("path")).read_bytes()
                yield entry | {"source": source.decode(errors="replace")}

    def _log_lines(self, names: Names) -> Iterator[Document]:
        folder = self._from.log_folder
        words = [*names.ids, *names.addresses]
        for file in sorted(folder.glob("*.log*")) if folder is not None else ():
            with file.open(errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    if any(word in line.lower() for word in words):
                        yield {"file": file.name, "line": number, "text": line.rstrip("\n")}


async def _all_batches(store: Store, shard: str) -> Any:
    after = 0
    while some := await store.batches(shard, after, READ_MAX):
        after = some[-1][0]
        for each in some:
            yield each
