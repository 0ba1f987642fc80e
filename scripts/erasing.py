"""Put the eraser together, find what stands of a person in files, and the receipt of whoever was erased."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import structlog

from agents.runtime.broadcaster import Broadcaster
from agents.runtime.eraser import ASKED, ERASURES, Eraser, Reach
from agents.runtime.filler import Filler
from agents.runtime.mover import Mover
from agents.runtime.passing import Ways
from agents.runtime.sweeper import Names, Sweeper
from config.load import compile_files
from messaging.gateway.replay_mongo import MongoReplayQueue
from messaging.journal.mongo import MongoJournal
from messaging.mail.sink import read_mails, remove_mails
from messaging.mail.tokens import key_hash, mailbox_hash
from messaging.ports import Clock, Peers, Store
from messaging.store.connection import Connection
from messaging.store.mongo_sweep import MongoSweep
from messaging.vocabulary.ids import (
    TEST_SEND,
    anonymous_key,
    email_key,
    erased_key,
    normal_address,
    user_key,
)
from scripts.compose import Wiring
from scripts.folder import Refused

OPEN_ERASURES_MAX = 10_000

BLANK = b"-"
"""Stands for each byte of a log line that named somebody: the line keeps its length, for its writer goes on."""


def eraser_of(
    wiring: Wiring, connection: Connection, store: Store, *, peers: Peers, clock: Clock
) -> Eraser:
    """Return the one who works off erasures, for the gateway's process."""
    reach = Reach(
        store=store,
        sweep=MongoSweep(connection),
        journal=MongoJournal(connection, wiring.key),
        peers=peers,
        clock=clock,
        shards=wiring.shards,
        veil=veil_of(wiring),
        log=structlog.get_logger(),
    )
    return Eraser(reach, sweeper_of(wiring, connection, store))


async def open_erasure(store: Store, visitor: str) -> str | None:
    """Return the receipt of an erasure of this visitor that is asked for and not done; None: there is none."""
    rows = await store.rows(ERASURES, {"status": ASKED}, limit=OPEN_ERASURES_MAX)
    return next((row["id"] for row in rows if visitor in row["visitors"]), None)


def mover_of(
    wiring: Wiring, connection: Connection, store: Store, *, peers: Peers, clock: Clock
) -> Mover:
    """Return the one who moves runs to a version that was published, for the gateway's process."""
    ways = Ways(
        store=store,
        journal=MongoJournal(connection, wiring.key),
        peers=peers,
        clock=clock,
        shards=wiring.shards,
        log=structlog.get_logger(),
    )
    return Mover(ways, compile_files)


def filler_of(
    wiring: Wiring, connection: Connection, store: Store, *, peers: Peers, clock: Clock
) -> Filler:
    """Return the one who back-fills the cohorts of a version that was published, for the gateway's process."""
    return Filler(_ways(wiring, connection, store, peers, clock), compile_files, wiring.consent)


def broadcaster_of(
    wiring: Wiring, connection: Connection, store: Store, *, peers: Peers, clock: Clock
) -> Broadcaster:
    """Return the one who passes over all visitors with a broadcast, for the gateway's process."""
    return Broadcaster(_ways(wiring, connection, store, peers, clock), compile_files)


def _ways(wiring: Wiring, connection: Connection, store: Store, peers: Peers, clock: Clock) -> Ways:
    return Ways(
        store=store,
        journal=MongoJournal(connection, wiring.key),
        peers=peers,
        clock=clock,
        shards=wiring.shards,
        log=structlog.get_logger(),
    )


def sweeper_of(wiring: Wiring, connection: Connection, store: Store) -> Sweeper:
    """Return who walks through everything that is stored."""
    mail = Path(wiring.mail_folder) if wiring.mail_folder else None
    return Sweeper(
        store,
        MongoSweep(connection),
        MongoJournal(connection, wiring.key),
        wiring.shards,
        veil=veil_of(wiring),
        mailbox=lambda address: mailbox_hash(wiring.key, address),
        files=DiskFiles(mail, Path(wiring.log_folder)),
        waiting=MongoReplayQueue(connection),
    )


def veil_of(wiring: Wiring) -> Callable[[str], str]:
    """Return the keyed hash of identity keys."""
    return lambda key: key_hash(wiring.key, key)


class DiskFiles:
    """Sweep the e-mails that the built-in SMTP sink keeps, and the log files (`agents.runtime.sweeper.Files`).

    Parameters:
        mail_folder: the sink's, None where there is none.
        log_folder: where every part writes its log.
    """

    def __init__(self, mail_folder: Path | None, log_folder: Path) -> None:
        self._mail_folder = mail_folder
        self._log_folder = log_folder

    async def sweep(self, names: Names, *, remove: bool) -> dict[str, int]:
        """Return how many e-mails and log lines name a person; with `remove` they do not any more."""
        return await asyncio.to_thread(self._sweep, names, remove)

    def _sweep(self, names: Names, remove: bool) -> dict[str, int]:
        mails: set[int] = set()
        if self._mail_folder is not None:
            kept = read_mails(self._mail_folder)
            mails = {each["number"] for each in kept if is_about(each, names)}
            if remove and mails:
                remove_mails(self._mail_folder, mails)
        words = [name.encode() for name in (*names.ids, *names.addresses)]
        files = sorted(self._log_folder.glob("*.log*"))
        lines = sum(_blanked(file, words, remove=remove) for file in files)
        return {"e-mails kept": len(mails), "log lines": lines}


def is_about(entry: dict[str, Any], names: Names) -> bool:
    """Say whether an e-mail that is kept went to the person, or tells somebody of them.

    No ledger has an alert (without a send id) or a template's test e-mail: whom they name stands in their words.
    """
    to = {normal_address(each) for each in entry["to"]}
    if entry["send_id"] in names.ids or not to.isdisjoint(names.addresses):
        return True
    if entry["send_id"] and not entry["send_id"].startswith(TEST_SEND):
        return False
    mail = message_from_bytes(Path(entry["path"]).read_bytes(), policy=policy.default)
    texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    text = "\n".join([str(mail["Subject"]), *texts]).casefold()
    return any(name in text for name in (*names.ids, *names.addresses))


def _blanked(file: Path, words: list[bytes], *, remove: bool) -> int:
    """Return how many lines of a log name the person; blank them where they stand if asked to."""
    count = 0
    with file.open("r+b" if remove else "rb") as lines:
        while line := lines.readline():
            if not any(word in line.lower() for word in words):
                continue
            count += 1
            if remove:
                end = lines.tell()
                lines.seek(end - len(line))
                lines.write(BLANK * len(line.rstrip(b"\n")))
                lines.seek(end)
    return count


async def receipt_of(store: Store, id_: str, veil: Callable[[str], str]) -> dict[str, Any] | None:
    """Return the newest erasure of whoever was known by an id, done or under way; None if there was none."""
    keys = (user_key(id_), email_key(id_), anonymous_key(id_), "v:" + id_)
    rows = await store.identities([erased_key(veil(key)) for key in keys])
    if not rows:
        return None
    receipt, _ = max(rows.values(), key=lambda row: row[1])
    return await store.get_document(ERASURES, receipt)


async def nobody(store: Store, id_: str, veil: Callable[[str], str]) -> Refused:
    """Return the error for an id that leads to nobody: perhaps somebody was erased under it."""
    receipt = await receipt_of(store, id_, veil)
    if receipt is None:
        return Refused(f"nobody is known as {id_}")
    at: datetime = receipt.get("completed_at") or receipt["at"]
    return Refused(f"{id_} was erased at {at:%Y-%m-%d %H:%M} UTC: receipt {receipt['id']}")
