"""A draft beside the published rules on the same events: who enters what, and that nothing is written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import pytest

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from config.load import DEFAULTS, compile_files, read_folder
from messaging.journal.memory import MemoryJournal
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.events import BroadcastOrdered, LetterReplayed, Record
from messaging.vocabulary.ids import partition_of, position, visitor_id_for
from messaging.vocabulary.quarantine import replay_of
from scripts.cli import main
from scripts.folder import Refused
from scripts.rules_try import DRAFT, Told, lines, read_records, tried

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PATH = "lead-to-customer"


@lru_cache
def rules(version: int, entry: str = "addressable-lead") -> CompiledRules:
    """Return the shipped routine, entered by a cohort."""
    files = read_folder(DEFAULTS)
    file = f"paths/{PATH}.yaml"
    files[file] = files[file].replace("  cohort: addressable-lead", f"  cohort: {entry}")
    return compile_files(files, version)


def a_call(number: int, at: datetime, **call: Any) -> Record:
    """Return the journaled record of one call."""
    raw = msgspec.json.encode({"messageId": f"m{number}", **call})
    partition = partition_of(visitor_id_for(f"u:{call['userId']}"))
    return Record(position(1, number), f"m{number}", partition, at, at, "", raw)


def events() -> list[Record]:
    """Return two leads who may be written to; one of them fills a cart. A last page view lets three days pass."""
    consent = {"consent": {"categoryPreferences": {"email": True}}}
    found = []
    for number, user in ((1, "ann"), (2, "bob")):
        traits = {"email": f"{user}@example.com"}
        found.append(
            a_call(number, START, type="identify", userId=user, traits=traits, context=consent)
        )
    found.append(
        a_call(3, START + timedelta(hours=1), type="track", event="Product Added", userId="bob")
    )
    found.append(a_call(4, START + timedelta(days=3), type="page", userId="ann"))
    return found


def told_of(
    draft: CompiledRules,
    database: MemoryDatabase | None = None,
    records: list[Record] | None = None,
) -> Told:
    """Return what comes of a draft."""
    published = rules(1)
    view = View(published, 1, {1: published}, {}, holdout=0.0, learning=False)
    store = MemoryStore(database or MemoryDatabase())
    return asyncio.run(tried(store, records or events(), view, draft, lambda *_: None))


def test_the_same_rules_come_to_the_same():
    told = told_of(rules(DRAFT))
    assert told.draft == told.published
    assert told.draft.paths[PATH].entered == 2
    assert sum(told.draft.paths[PATH].e_mails.values()) >= 2
    assert told.draft.cohorts["addressable-lead"] == 2
    assert told.draft.cohorts["in-cart"] == 1


def test_a_narrower_entry_lets_fewer_enter_and_names_who_is_treated_otherwise():
    told = told_of(rules(DRAFT, "in-cart"))
    assert (told.published.paths[PATH].entered, told.draft.paths[PATH].entered) == (2, 1)
    assert [e["visitor"] for e in told.draft.paths[PATH].examples] == [visitor_id_for("u:bob")]
    assert f"path {PATH}: 1 (now 2) enter it" in lines(told)


@pytest.mark.parametrize("version", [1, 7])
def test_a_broadcast_that_went_out_does_not_make_the_same_rules_others(version: int):
    """It names the version it was ordered under, which a draft is not; its e-mail counts at the caps of both sides."""
    bob = visitor_id_for("u:bob")
    ordered = BroadcastOrdered(
        visitor=bob,
        broadcast="b",
        template="invite-short",
        cohort="addressable-lead",
        path=PATH,
        version=version,
    )
    at = START + timedelta(minutes=1)
    raw = msgspec.json.encode(ordered)
    record = Record(position(1, 9), "m9", partition_of(bob), at, at, "", raw)
    told = told_of(rules(DRAFT), records=[*events()[:2], record, *events()[2:]])
    assert told.draft == told.published
    assert told.draft.paths[PATH].e_mails != told_of(rules(DRAFT)).draft.paths[PATH].e_mails


def test_visitors_are_called_by_the_ids_that_the_store_knows():
    database = MemoryDatabase()
    known = visitor_id_for("a:browser")
    database.identity["u:bob"] = (known, 1)
    told = told_of(rules(DRAFT, "in-cart"), database)
    assert [e["visitor"] for e in told.draft.paths[PATH].examples] == [known]


def test_nothing_is_written():
    database = MemoryDatabase()
    told_of(rules(DRAFT), database)
    assert vars(database) == vars(MemoryDatabase())


async def test_events_are_read_back_from_the_newest_and_the_unreadable_left_out():
    database = MemoryDatabase()
    journal = MemoryJournal(database)
    await journal.open_stream("gateway-1")
    broken = Record(position(1, 5), "m5", 0, START, START + timedelta(days=3), "", b"{")
    await journal.append([*events(), broken])
    found = await read_records(journal, timedelta(days=1))
    assert [each.message_id for each in found] == ["m4"]
    assert len(await read_records(journal, timedelta(days=3))) == 4


async def test_what_is_replayed_from_the_quarantine_is_not_tried_twice():
    """The event itself is tried where it came first; a message to one bot follows from what is tried."""
    database = MemoryDatabase()
    journal = MemoryJournal(database)
    await journal.open_stream("gateway-1")
    first = events()[-1]
    told = msgspec.json.encode(LetterReplayed(visitor="0a" * 12, row="r", bot="sales", body=b""))
    replays = [
        msgspec.structs.replace(first, position=position(1, 8), message_id=replay_of("r", first)),
        msgspec.structs.replace(first, position=position(1, 9), message_id="fact", raw=told),
    ]
    await journal.append([*events(), *replays])
    found = await read_records(journal, timedelta(days=3))
    assert [each.message_id for each in found] == [each.message_id for each in events()]


def test_where_nothing_happened_one_is_told_so():
    view = View(rules(1), 1, {}, {})
    with pytest.raises(Refused, match="no event was journaled"):
        asyncio.run(tried(MemoryStore(MemoryDatabase()), [], view, rules(DRAFT), lambda *_: None))


def test_where_no_version_is_published_one_is_told_what_to_do():
    with pytest.raises(Refused, match="publish one first"):
        asyncio.run(
            tried(
                MemoryStore(MemoryDatabase()), events(), View(None, 0, {}, {}), rules(DRAFT), print
            )
        )


@pytest.mark.parametrize("since", ["", "d", "0d", "-1d", "30", "1.5d", "30w", "٣d", "9999999d"])
def test_a_length_of_time_that_is_none_is_wrong_use(since, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        "sys.argv", ["mdma", "rules", "try", "--since", since, "--data", str(tmp_path)]
    )
    assert main() == 2
    assert "is no length of time: write it like 30d or 12h" in capsys.readouterr().err
