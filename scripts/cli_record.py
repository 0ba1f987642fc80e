"""`mdma replay` and `mdma audit`: what the record proves."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.client import data_option, json_option, named, wiring_in_use
from scripts.counting import counted
from scripts.folder import Refused
from scripts.visible import FINDING_CHARACTERS_MAX, say, shown

if TYPE_CHECKING:
    from agents.runtime.replay import Step, ViewAt
    from messaging.journal.mongo import MongoJournal
    from messaging.store.mongo import MongoStore

SAID = {
    "decisions": "decisions to send",
    "identity keys": "keys by which people are found",
    "journaled events": "events in the journal",
    "offers": "offers on the site",
}
"""How a count is called on the console: the audit compares sends with the decisions that ask for one."""
UPGRADED = "the product was upgraded at"
VERDICT_GOOD = "nothing was lost, doubled or sent against a refusal"
VERDICT_BAD = "each is named above"


@dataclass
class Recorded:
    """Hold the record of a running system, opened for reading."""

    store: MongoStore
    journal: MongoJournal
    shards: dict[str, int]
    view_at: ViewAt
    veil: Callable[[str], str]
    """Identity key -> its keyed hash."""


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[Recorded]:
    """Open the record of the system that runs on a data folder."""
    from messaging.journal.mongo import MongoJournal
    from messaging.store.mongo import MongoStore
    from scripts.compose import connected, view_loader
    from scripts.erasing import veil_of
    from scripts.shards import all_shards

    wiring = wiring_in_use(data)
    connection = connected(wiring)
    store = MongoStore(connection)
    try:
        loader = view_loader(store, wiring)
        shards = await all_shards(store, wiring.shards)
        journal = MongoJournal(connection, wiring.key)
        yield Recorded(store, journal, shards, loader.at, veil_of(wiring))
    finally:
        await store.close()
        await connection.close()


@click.command(
    short_help="Repeat a visitor's steps and compare them with what is stored.",
    epilog="Example: mdma replay --visitor ann@example.com",
)
@click.option(
    "--visitor", "id_", metavar="ID", required=True, callback=named, help="Whose steps to repeat."
)
@json_option
@data_option
def replay(id_: str, data: Path, as_json: bool) -> int:
    """Repeat a visitor's steps from the record and compare the result with what is stored."""
    steps, unequal, since = asyncio.run(_replay(id_, data))
    if as_json:
        lines = [
            {
                "at": s.at.isoformat(),
                "shard": s.shard,
                "batch": s.batch,
                "step": s.kind,
                "effects": s.effects,
            }
            for s in steps
        ]
        told = {"steps": lines, "unequal": unequal, "since": since and since.isoformat()}
        click.echo(json.dumps(told, indent=1))
    else:
        for step in steps:
            took = f"{step.shard.rpartition('-')[0]:9} took {shown(step.kind)}"
            say(f"{step.at:%Y-%m-%d %H:%M:%S}  {took:32} {effects_said(step.effects)}".rstrip())
        if since is not None:
            say(f"{UPGRADED} {since:%Y-%m-%d %H:%M:%S}: what was before cannot be repeated")
        said = f"DIFFERS in {', '.join(unequal)}" if unequal else "equal to what is stored"
        say(f"{counted(len(steps), 'steps')} repeated: {said}")
    return 1 if unequal else 0


def effects_said(effects: list[str]) -> str:
    """Return what a step caused: what it told whom, and what it wrote.

    >>> effects_said(["rules: Identified", "story run.entered", "rules: CohortEntered"])
    'told rules Identified, CohortEntered; wrote story run.entered'
    """
    told: dict[str, list[str]] = {}
    written = []
    for effect in effects:
        to, colon, what = effect.partition(": ")
        if colon:
            told.setdefault(to, []).append(what)
        else:
            written.append(effect)
    said = [f"told {to} {', '.join(some)}" for to, some in told.items()]
    return "; ".join(said + ([f"wrote {', '.join(written)}"] if written else []))


async def _replay(id_: str, data: Path) -> tuple[list[Step], list[str], datetime | None]:
    """Return the steps, the bots whose result differs, and since when there are steps (None: since the first)."""
    from agents.runtime.readers import StoreReader
    from agents.runtime.registry import WIRING
    from agents.runtime.replay import RecordBrokenError, Replayer
    from messaging.vocabulary.ids import PARTITIONS, partition_of
    from scripts.erasing import nobody

    steps: list[Step] = []
    unequal = []
    since: list[datetime] = []
    async with opened(data) as record:
        visitor = await StoreReader(record.store).find(id_)
        if visitor is None:
            raise await nobody(record.store, id_, record.veil)
        for bot, wiring in WIRING.items():
            if bot == "learner":
                continue  # its states are policies, not visitors
            of = record.shards.get(bot, 1)
            shard = (partition_of(visitor) * of // PARTITIONS, of)
            replayer = Replayer(wiring.make(), shard, record.store, record.journal, record.view_at)
            for _ in range(5):
                # Traffic may go on: catch up until nothing was committed between fold and look.
                try:
                    await replayer.advance(visitor=visitor)
                except RecordBrokenError as error:
                    raise Refused(f"{error}: mdma audit says more") from error
                stored = (await record.store.load(bot, [visitor])).get(visitor)
                stored = stored and replayer.stored(stored)
                equal = replayer.bodies().get(visitor) == stored
                if equal:
                    break
            if not equal:
                unequal.append(bot)
            steps += replayer.steps
            if replayer.checkpoint is not None:
                since.append(replayer.checkpoint.at)
    steps.sort(key=lambda step: (step.at, step.shard, step.batch))
    return steps, unequal, max(since, default=None)


def moment(ctx: click.Context, _: click.Parameter, text: str | None) -> datetime | None:
    """Read a time given on the command line, as it is shown or shorter; UTC if it names no zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        said = f"{text} is no time: write it like 2026-11-01 or 2026-11-01T14:00:00Z"
        raise click.UsageError(said, ctx) from None


@click.command(
    short_help="Prove: nothing lost, doubled or sent against a refusal.",
    epilog="Example: mdma audit --since 2026-11-01",
)
@click.option("--visitor", "id_", metavar="ID", callback=named, help="Audit one visitor only.")
@click.option(
    "--since",
    metavar="T",
    callback=moment,
    help="Leave older sends out of the ledger's checks (UTC).",
)
@json_option
@data_option
def audit(id_: str | None, since: datetime | None, data: Path, as_json: bool) -> int:
    """Prove from the record that nothing was lost, doubled, or sent against a refusal."""
    from scripts.audit import Auditor, Report

    async def run() -> Report:
        async with opened(data) as record:
            auditor = Auditor(
                record.store, record.journal, record.shards, record.view_at, record.veil
            )
            return await auditor.run(visitor=id_, since=since, say=_say)

    report = asyncio.run(run())
    if as_json:
        found = [{"rule": f.rule, "what": f.what} for f in report.findings]
        click.echo(
            json.dumps(
                {
                    "looked_at": report.looked_at,
                    "findings": found,
                    "since": report.since and report.since.isoformat(),
                },
                indent=1,
            )
        )
    else:
        for finding in report.findings:
            say(f"{finding.rule:10} {shown(finding.what, FINDING_CHARACTERS_MAX)}")
        looked = (counted(count, SAID.get(n, n)) for n, count in report.looked_at.items())
        say(f"looked at {', '.join(looked)}")
        if report.since is not None:
            say(
                f"{UPGRADED} {report.since:%Y-%m-%d %H:%M:%S}: steps of before it were not repeated"
            )
        count = len(report.findings)
        then = " since then" if report.since is not None else ""
        good = f"no findings{then}: {VERDICT_GOOD}"
        said = f"{counted(count, 'findings')}: {VERDICT_BAD}" if count else good
        say(said)
    return 0 if report.clean else 1


def _say(text: str) -> None:
    if sys.stderr.isatty():
        say(text, err=True)
