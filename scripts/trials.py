"""Keep trials of drafts, and carry them out: one at a time, each in a process of its own.

Rules
1. A trial is a row: any gateway may ask for one, one gateway carries them out. A row's status moves forward only, by
   a swap, so that of "cancel" and "done" one holds.
2. The line is short, and a trial has an end in time: whoever asks is told at once that others wait.
3. Whom a trial names stands in rows of their own (`trial_people`), which an erasure removes as any other. Nobody is
   named who is gone by then. Who a trial of one visitor is about, and what it came to, is such a row.
4. Trials that are older than the newest few of their kind are removed, with whom they name.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import structlog

from agents.runtime.readers import StoreReader
from messaging.gateway.console.desk import Page
from messaging.gateway.console.trials import (
    CANCELLED,
    DONE,
    FAILED,
    KINDS,
    RUNNING,
    UNDER_WAY,
    WAITING,
    OneTold,
    Order,
    StepLine,
    Trial,
    TrialPerson,
)
from messaging.gateway.paging import After
from messaging.ports import Clock, Store
from messaging.vocabulary.errors import WorldError
from scripts.trial_process import TrialFailed
from scripts.visible import shown

TRIALS, PEOPLE = "trials", "trial_people"

WAITING_MAX = 5
"""Trials that may wait for the one under way."""

KEPT_MAX = 20
"""Of each kind."""

PEOPLE_MAX = 200
STEPS_MAX = 1_000
"""Steps that are kept of one visitor: the newest."""

LOOK_SECONDS = 5.0
"""Whoever asks here is heard at once; this is for what another gateway took."""
STARTS_MAX = 2
"""Twice begun and never ended: it would take the gateway down with it a third time too."""

GONE = "who it is about was erased"

_LISTED = ("kind", "asked", "by", "at", "status", "doing", "share", "why", "ended_at")

log = structlog.get_logger()


class Runner(Protocol):
    """Carry one trial out."""

    async def run(
        self, kind: str, asked: dict[str, Any], told: Callable[[str, float], None]
    ) -> dict[str, Any]:
        """Return what it came to; `told` hears what is done, and how much. Raise TrialFailed."""
        ...

    def stop(self) -> None:
        """End what is under way."""
        ...


class StoredTrials:
    """Implement `messaging.gateway.console.trials.Trials`.

    Parameters:
        store: where the rows are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = StoreReader(store)
        self.asked = asyncio.Event()
        """Is set when somebody asks here: who works in this process need not look first."""

    async def ask(self, kind: str, order: Order, by: str, at: datetime) -> str:
        """Put a trial in the line."""
        if await self._store.count(TRIALS, {"status": WAITING}) >= WAITING_MAX:
            return ""
        id_ = secrets.token_hex(8)
        asked: dict[str, Any] = msgspec.to_builtins(order)
        if visitor := asked.pop("visitor", ""):
            asked["one"] = True
            await self._store.put_document(
                PEOPLE, _key_of_one(id_), {"trial": id_, "at": at, "visitor": visitor}
            )
        fields = {"kind": kind, "asked": asked, "by": by, "at": at}
        await self._store.put_document(TRIALS, id_, {**fields, "status": WAITING, "starts": 0})
        self.asked.set()
        return id_

    async def newest(
        self, kind: str, after: After | None = None, limit: int = KEPT_MAX, status: str = ""
    ) -> Page:
        """Return a page of the trials of a kind."""
        match = {"kind": kind, **({"status": status} if status else {})}
        rows = await self._store.rows(TRIALS, match, limit=limit + 1, after=after, only=_LISTED)
        lines = [msgspec.convert(row, Trial) for row in rows[:limit]]
        return Page(lines=lines, after=(lines[-1].at, lines[-1].id) if len(rows) > limit else None)

    async def trial(self, id_: str) -> Trial | None:
        """Return a trial."""
        row = await self._store.get_document(TRIALS, id_)
        return msgspec.convert(row, Trial) if row is not None else None

    async def people(self, id_: str) -> list[TrialPerson]:
        """Return whom a trial named."""
        found = await self._store.rows(PEOPLE, {"trial": id_}, limit=PEOPLE_MAX, newest=False)
        rows = [row for row in found if row["id"] != _key_of_one(id_)]
        addresses = await self._reader.addresses(sorted({row["visitor"] for row in rows}))
        return [
            TrialPerson(
                visitor=row["visitor"],
                who=shown(addresses.get(row["visitor"]) or f"visitor {row['visitor'][:6]}"),
                path=row["path"],
                e_mails=row["e_mails"],
                now=row["now"],
            )
            for row in rows
        ]

    async def one(self, id_: str) -> OneTold | None:
        """Return what a trial of one visitor came to."""
        row = await self._store.get_document(PEOPLE, _key_of_one(id_))
        if row is None or "told" not in row:
            return None
        addresses = await self._reader.addresses([row["visitor"]])
        who = shown(addresses.get(row["visitor"]) or f"visitor {row['visitor'][:6]}")
        told = {**row["told"], "visitor": row["visitor"], "who": who}
        steps = [msgspec.convert(step, StepLine) for step in told.pop("steps")]
        return OneTold(
            **{name: told[name] for name in ("visitor", "who", "events", "left_out")},
            since=msgspec.convert(told["since"], datetime),
            until=msgspec.convert(told["until"], datetime),
            steps=steps,
        )

    async def cancel(self, id_: str) -> bool:
        """End a trial that is under way."""
        for _ in UNDER_WAY:  # it may begin between the look and the swap
            row = await self._store.get_document(TRIALS, id_)
            if row is None or row["status"] not in UNDER_WAY:
                return False
            if await _moved(self._store, row, status=CANCELLED, ended_at=datetime.now(UTC)):
                return True
        return False


class TrialWork:
    """Carry out what stands in the line.

    Parameters:
        trials: where it stands.
        store: where that is kept.
        runner: carries one out.
        clock: lets machine time pass.
    """

    def __init__(self, trials: StoredTrials, store: Store, runner: Runner, clock: Clock) -> None:
        self._trials = trials
        self._store = store
        self._runner = runner
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                try:
                    await self.look()
                except WorldError as error:
                    log.warning("trial.interrupted", reason=type(error).__name__)
                await self._wait()
        finally:
            self._runner.stop()

    async def look(self) -> int:
        """Carry out every trial in the line, the oldest first; return how many there were."""
        done = 0
        for status in (RUNNING, WAITING):  # what ran when the process before ended begins anew
            for row in await self._store.rows(TRIALS, {"status": status}, newest=False):
                await self._carry_out(row)
                done += 1
        return done

    async def _wait(self) -> None:
        asked = asyncio.create_task(self._trials.asked.wait())
        rest = asyncio.create_task(self._clock.sleep(LOOK_SECONDS))
        try:
            await asyncio.wait((asked, rest), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            rest.cancel()
        self._trials.asked.clear()

    async def _carry_out(self, row: dict[str, Any]) -> None:
        if row["starts"] >= STARTS_MAX:
            await _moved(
                self._store,
                row,
                status=FAILED,
                why="the system ended while it ran",
                ended_at=datetime.now(UTC),
            )
            return
        begun = row | {"status": RUNNING, "starts": row["starts"] + 1, "doing": "begins"}
        if not await _moved(self._store, row, **begun):
            return
        log.info("trial.begun", trial=row["id"], kind=row["kind"])
        ended = await self._ended(begun)
        if await _moved(self._store, begun, **ended, ended_at=datetime.now(UTC)):
            log.info("trial.ended", trial=row["id"], status=ended["status"])
        await self._tidy(row["kind"])

    async def _ended(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a trial that has ended."""
        heard = ["begins", 0.0]

        def told(doing: str, share: float) -> None:
            heard[:] = [doing, share]

        about = await self._store.get_document(PEOPLE, _key_of_one(row["id"]))
        if row["asked"].get("one") and about is None:
            return {"status": FAILED, "why": GONE}
        asked = row["asked"] | ({"visitor": about["visitor"]} if about is not None else {})
        watch = asyncio.create_task(self._watch(row, heard))
        try:
            result = await self._runner.run(row["kind"], asked, told)
        except TrialFailed as failed:
            return {"status": FAILED, "why": shown(str(failed), 500)}
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        await self._name(row["id"], result.pop("people", []))
        if about is not None and not await self._tell_of_one(about, result.pop("one", {})):
            return {"status": FAILED, "why": GONE}
        return {"status": DONE, "result": result, "share": 1.0}

    async def _watch(self, row: dict[str, Any], heard: list[Any]) -> None:
        """Write down how far it has come; stop it once somebody cancelled it."""
        while True:
            await self._clock.sleep(1.0)
            doing, share = heard
            with contextlib.suppress(WorldError):  # the next look says so as well
                if not await _moved(self._store, row, doing=doing, share=share):
                    self._runner.stop()
                    return

    async def _name(self, id_: str, people: list[dict[str, Any]]) -> None:
        """Keep whom a trial names, of those who are there."""
        people = people[:PEOPLE_MAX]
        there = await self._who_is_there(sorted({each["visitor"] for each in people}))
        now = datetime.now(UTC)
        for number, each in enumerate(people):
            if each["visitor"] in there:
                key = f"{id_}:{number:04}"
                await self._store.put_document(PEOPLE, key, {"trial": id_, "at": now, **each})

    async def _tell_of_one(self, row: dict[str, Any], told: dict[str, Any]) -> bool:
        """Keep what a trial came to of the visitor it is about, and say whether they are still there."""
        steps = told.get("steps", [])
        kept = {"steps": steps[-STEPS_MAX:], "left_out": max(0, len(steps) - STEPS_MAX)}
        fields = {**{n: v for n, v in row.items() if n != "id"}, "told": {**told, **kept}}
        return await self._store.swap_document(
            PEOPLE, row["id"], fields, {"visitor": row["visitor"]}
        )

    async def _who_is_there(self, visitors: list[str]) -> set[str]:
        return set(await self._store.load("behavior", visitors))

    async def _tidy(self, kind: str) -> None:
        """Remove the trials of a kind that are too many."""
        assert kind in KINDS, "rows are written here alone"
        rows = await self._store.rows(TRIALS, {"kind": kind}, limit=10 * KEPT_MAX, only=("status",))
        for row in rows[KEPT_MAX:]:
            for person in await self._store.rows(PEOPLE, {"trial": row["id"]}, limit=PEOPLE_MAX):
                await self._store.remove_document(PEOPLE, person["id"])
            await self._store.remove_document(TRIALS, row["id"])


def _key_of_one(trial: str) -> str:
    """Return the key of the row that says who a trial is about, and what it came to."""
    return f"{trial}:one"


async def _moved(store: Store, row: dict[str, Any], **changes: Any) -> bool:
    """Write a trial's row where its status is what it was, and say whether it was."""
    fields = {name: value for name, value in (row | changes).items() if name != "id"}
    return await store.swap_document(TRIALS, row["id"], fields, {"status": row["status"]})
