"""Hold a run with faults against what its client knows: counters, e-mails, runs, and the product's own audit."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import Any

import msgspec

from messaging.mail.pool import SESSIONS
from scripts.bench_smtp import Mailbox
from scripts.bench_system import ROOT, Running
from scripts.chaos_client import Client
from scripts.chaos_script import Visitor, expected_counters

UNCERTAIN_ASKED_MAX = 1_000
ASKED_AT_ONCE = 8
MAIL_FACTS = frozenset({"mail_opened", "mail_clicked"})

RunFacts = tuple[tuple[str, str, str, str, int, str], ...]
"""(path, run, stage, step, attempt, status) of each run."""


class Ended(msgspec.Struct):
    """Say how a run of the script ended."""

    problems: list[str]
    runs: dict[str, RunFacts]
    """Visitor -> the runs they stand on."""
    uncertain: dict[str, str]
    """Message-ID -> recipient, of sends that may or may not have arrived."""
    mails: int


async def checked(
    system: Running, visitors: list[Visitor], client: Client, box: Mailbox, kills: int
) -> Ended:
    """Check everything about a system that has come to rest."""
    pages = await _pages(system, visitors)
    uncertain = await _uncertain(system, pages)
    ended = Ended([], {}, uncertain, sum(box.seen.values()))
    ended.problems += [f"the gateway refused events: {text}" for text in client.rejected]
    ended.problems += problems_of_counters(visitors, client.acknowledged, pages)
    ended.problems += problems_of_mails(visitors, box, Counter(uncertain.values()))
    if len(uncertain) > SESSIONS * kills:
        ended.problems.append(f"{len(uncertain)} uncertain sends by {kills} kills")
    for visitor in visitors:
        page = pages[visitor.name]
        ended.runs[visitor.name] = _runs(page) if page is not None else ()
    ended.problems += await _audit(system)
    return ended


def differences(calm: Ended, disturbed: Ended, visitors: list[Visitor]) -> list[str]:
    """Return whose runs ended otherwise than without faults, but for those with an uncertain send."""
    excused = set(disturbed.uncertain.values()) | set(calm.uncertain.values())
    found = []
    for visitor in visitors:
        before, after = calm.runs[visitor.name], disturbed.runs[visitor.name]
        if before != after and visitor.address not in excused:
            found.append(f"{visitor.name} ended at {after}, without faults at {before}")
    return found


async def _pages(system: Running, visitors: list[Visitor]) -> dict[str, dict[str, Any] | None]:
    """Ask the API for every visitor."""
    turn = asyncio.Semaphore(ASKED_AT_ONCE)

    async def page(visitor: Visitor) -> dict[str, Any] | None:
        async with turn:
            found: dict[str, Any] | None = await system.find(f"browser-of-{visitor.name}")
            return found

    return dict(
        zip(
            [visitor.name for visitor in visitors],
            await asyncio.gather(*(page(each) for each in visitors)),
            strict=True,
        )
    )


async def _uncertain(system: Running, pages: dict[str, dict[str, Any] | None]) -> dict[str, str]:
    answer = await system.get(f"sends?status=uncertain&limit={UNCERTAIN_ASKED_MAX}")
    addresses = {page["visitor_id"]: str(page["email"]) for page in pages.values() if page}
    return {row["id"]: addresses.get(row["visitor"], "") for row in answer["sends"]}


def problems_of_counters(
    visitors: list[Visitor], acknowledged: set[str], pages: dict[str, dict[str, Any] | None]
) -> list[str]:
    """Return whose counters are not what their acknowledged events make."""
    problems = []
    for visitor in visitors:
        expected = expected_counters(visitor, acknowledged)
        page = pages[visitor.name]
        counters = page["counters"] if page is not None else {}
        found = Counter({name: n for name, n in counters.items() if name not in MAIL_FACTS})
        if found != expected:
            lost, more = dict(expected - found), dict(found - expected)
            problems.append(f"{visitor.name}: not counted {lost}, counted too often {more}")
    return problems


def problems_of_mails(visitors: list[Visitor], box: Mailbox, uncertain: Counter[str]) -> list[str]:
    """Return what is wrong with the e-mails that came; `uncertain`: address -> sends that may be missing."""
    problems = [
        f"e-mail {message} was handed over {times} times"
        for message, times in box.seen.items()
        if times > 1
    ]
    came = Counter(box.recipients.values())
    for visitor in visitors:
        count = came.pop(visitor.address, 0)
        if not visitor.mails - uncertain[visitor.address] <= count <= visitor.mails:
            problems.append(f"{visitor.name} got {count} e-mails, {visitor.mails} were due")
    return problems + [f"{address} got e-mails and is nobody" for address in came]


def _runs(page: dict[str, Any]) -> RunFacts:
    return tuple(
        sorted(
            (r["path"], r["run"], r["stage"], r["step"], r["attempt"], r["status"])
            for r in page["runs"]
        )
    )


async def _audit(system: Running) -> list[str]:
    """Run `mdma audit`; return what it says when it does not exit with 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.cli",
        "audit",
        "--data",
        str(system.folder),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if not process.returncode:
        return []
    return [f"audit: {line}" for line in said.decode(errors="replace").splitlines()]
