"""Carry out one trial: its order comes in by standard input, what is done and what it came to go out as JSON lines.

Rules
1. Nothing is written anywhere: the store and the journal are read.
2. When standard input ends, whoever wanted this is gone: so are we.
3. Where memory runs out, this process is ended before any other: a button must not cost the store or the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from scripts.compose import Wiring
from scripts.folder import Refused

OOM_FILE, FIRST_TO_GO = Path("/proc/self/oom_score_adj"), "1000"


class Ordered(msgspec.Struct):
    """Read what is to be done."""

    kind: str
    asked: dict[str, Any]
    wiring: Wiring


def main() -> None:
    """Read the order, carry it out, tell what it came to."""
    ordered = msgspec.json.decode(sys.stdin.buffer.readline(), type=Ordered)
    threading.Thread(target=_end_with_input, daemon=True).start()
    _be_first_to_go()
    try:
        _tell({"result": asyncio.run(_WORK[ordered.kind](ordered.wiring, ordered.asked))})
    except Refused as refused:
        _tell({"failed": str(refused)})
    except Exception as error:  # noqa: BLE001 - told by its type alone: its text may name somebody
        _tell({"failed": f"it ended with {type(error).__name__}"})
    # At once: the thread that waits for the end of the input would be caught in the middle.
    os._exit(0)


def _be_first_to_go() -> None:
    with contextlib.suppress(OSError):  # not everywhere is there such a file (Linux, proc(5))
        OOM_FILE.write_text(FIRST_TO_GO)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _tell(said: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def _progress(doing: str, share: float) -> None:
    _tell({"doing": doing, "share": share})


async def _try(wiring: Wiring, asked: dict[str, Any]) -> dict[str, Any]:
    """Let a version live through the journal's last days beside the published one; or one visitor of them."""
    from messaging.journal.mongo import MongoJournal
    from messaging.store.mongo import MongoStore
    from scripts.compose import connected, view_loader
    from scripts.rules_steps import stepped
    from scripts.rules_try import DRAFT, read_records, tried
    from scripts.trial_told import stepped_told, tried_told

    connection = connected(wiring)
    store = MongoStore(connection)
    try:
        version, draft = await _compiled(store, asked["version"], DRAFT)
        view = await view_loader(store, wiring).load()
        _progress("reads the journal", 0.0)
        records = await read_records(MongoJournal(connection), timedelta(days=asked["days"]))
        versions = {"version": version, "published_version": view.rules_version}
        if visitor := asked.get("visitor"):
            _progress("one visitor, by both", 0.5)
            return {**stepped_told(await stepped(store, records, view, draft, visitor)), **versions}
        return {**tried_told(await tried(store, records, view, draft, _progress)), **versions}
    finally:
        await store.close()
        await connection.close()


async def _simulate(wiring: Wiring, asked: dict[str, Any]) -> dict[str, Any]:
    """Let people live by a version, and by the published one beside it, on the virtual clock."""
    from config.load import RulesInvalid
    from messaging.store.mongo import MongoStore
    from scripts.cli_simulate import REAL, files_of_version, published_beside
    from scripts.compose import connected
    from scripts.profiles import draw_profiles
    from scripts.rules import newest
    from scripts.rules import published as published_number
    from scripts.simulation import Request, simulate
    from scripts.trial_told import simulated_told

    connection = connected(wiring)
    store = MongoStore(connection)
    try:
        draft = await files_of_version(store, asked["version"] or await newest(store))
        published = await published_beside(store, draft)
        is_published = draft.version == await published_number(store)
        known = []
        if asked["profiles"] == REAL:
            _progress("draws leads", 0.0)
            known = await draw_profiles(store, asked["seed"], asked["visitors"], wiring.consent)
            if len(known) < PEOPLE_MIN:
                raise Refused("too few leads are known by address who have not bought")
    finally:
        await store.close()
        await connection.close()
    request = Request(
        draft=draft,
        published=published,
        visitors=asked["visitors"],
        days=asked["days"],
        seed=asked["seed"],
        holdout=wiring.holdout,
        consent=wiring.consent,
        social="social" in wiring.shards,
        profiles=asked["profiles"],
        known=known,
    )
    try:
        found = simulated_told(simulate(request, _arm_progress()))
        return {**found, "is_published": is_published}
    except RulesInvalid as error:
        raise Refused(str(error.errors[0])) from None


PEOPLE_MIN = 2
TOLD_EVERY = 0.01
"""Share after which a word is worth its line: a simulation tells at every event."""

_LIVES = {
    "rules": "the draft, by its rules alone",
    "learning": "the draft, with learning",
    "published": "the published version, with learning",
}


def _arm_progress() -> Callable[[str, float], None]:
    told = -1.0

    def say(arm: str, share: float) -> None:
        nonlocal told
        if share >= told + TOLD_EVERY:
            told = share
            _progress(_LIVES[arm], share)

    return say


async def _export(wiring: Wiring, asked: dict[str, Any]) -> dict[str, Any]:
    """Write out all of one person's data."""
    from scripts.cli_export import exported_from, written

    found = await exported_from(wiring, asked["visitor"], lambda said: _progress(said, 0.0))
    return {"document": written(found)}


async def _compiled(store: Any, version: int, number: int) -> tuple[int, Any]:
    """Return a version (the newest for 0) and its rules, compiled under a number. Raise Refused."""
    from agents.runtime.views import VERSIONS
    from config.load import compile_files
    from scripts.rules import newest

    version = version or await newest(store)
    row = await store.get_document(VERSIONS, str(version))
    if row is None:
        raise Refused(f"there is no version {version}")
    return version, compile_files(row["files"], number, row.get("html"))


_WORK = {"try": _try, "simulate": _simulate, "export": _export}
"""Kind -> how it is carried out."""


if __name__ == "__main__":
    main()
