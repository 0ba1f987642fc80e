"""Hold a run with faults against what its client knows: counters, e-mails, runs, and the product's own audit.

Rules
1. The truth about events is the client's own list; about e-mails, what the SMTP server got; about runs, the
   script's table and the run without faults.
2. An uncertain send excuses its own absence, and where its visitor's run stands. It excuses nothing that came twice.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from messaging.mail.pool import SESSIONS
from scripts.bench_smtp import Mailbox
from scripts.bench_system import ROOT, Running
from scripts.chaos_client import FACTS, Client
from scripts.chaos_script import LEAVE, Taken, Visitor, expected_counters

UNCERTAIN_ASKED_MAX = 1_000
ASKED_AT_ONCE = 8
MAIL_FACTS = frozenset(FACTS.values())
WENT_OUT = ("handed over", "uncertain")
SETTLED_LATER = ("opened", "clicked", "answered before the server did")
"""Reasons of a ledger row that was uncertain until its reader answered."""

RunFacts = tuple[tuple[str, str, str, str, int, str], ...]
"""(path, run, stage, step, attempt, status) of each run."""


class Answers(Protocol):
    """Say what was done at e-mails (a Client does)."""

    facts: Counter[Taken]
    asked: Counter[Taken]


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
    found = [page for page in pages.values() if page is not None]
    ended = Ended([], {}, uncertain, sum(box.seen.values()))
    ended.problems += [f"the gateway refused: {text}" for text in client.rejected]
    ended.problems += problems_of_counters(visitors, client.acknowledged, pages)
    ended.problems += problems_of_facts(visitors, client, pages)
    ended.problems += problems_of_mails(visitors, box, Counter(uncertain.values()))
    ended.problems += problems_of_ledger(found, box)
    ended.problems += problems_of_uncertain(found, kills)
    for visitor in visitors:
        page = pages[visitor.name]
        ended.runs[visitor.name] = _runs(page) if page is not None else ()
    ended.problems += problems_of_runs(visitors, ended)
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
    visitors: list[Visitor],
    acknowledged: Mapping[str, Taken],
    pages: Mapping[str, dict[str, Any] | None],
) -> list[str]:
    """Return whose counters are not what their acknowledged events make."""
    problems = []
    everybody = expected_counters(acknowledged)
    for visitor in visitors:
        expected = everybody.get(visitor.name, Counter())
        counters = _counters(pages[visitor.name])
        found = Counter({name: n for name, n in counters.items() if name not in MAIL_FACTS})
        if found != expected:
            lost, more = dict(expected - found), dict(found - expected)
            problems.append(f"{visitor.name}: not counted {lost}, counted too often {more}")
    return problems


def problems_of_facts(
    visitors: list[Visitor], client: Answers, pages: Mapping[str, dict[str, Any] | None]
) -> list[str]:
    """Return whose opens, clicks and unsubscribes are not what they did.

    Each that was answered is counted. One whose answer was lost was asked for again, and may be counted as
    often; but an unsubscribe is the same fact however often it is said.
    """
    problems = []
    for visitor in visitors:
        counters = _counters(pages[visitor.name])
        for name in sorted(MAIL_FACTS):
            fact = Taken(visitor.name, name)
            least, most = client.facts[fact], client.asked[fact]
            if name == FACTS[LEAVE]:
                least, most = min(least, 1), min(most, 1)
            if not least <= counters.get(name, 0) <= most:
                times = f"{least} to {most} times"
                problems.append(f"{visitor.name}: {name} {counters.get(name, 0)}, did so {times}")
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


def problems_of_ledger(pages: Iterable[dict[str, Any]], box: Mailbox) -> list[str]:
    """Return which e-mails the ledger and the SMTP server do not agree on."""
    status = {send["message_id"]: send["status"] for page in pages for send in page["sends"]}
    # A Message-ID is the send's id and the sender's host.
    came = {message.partition("@")[0] for message in box.seen}
    return [
        *(f"e-mail {each} came and is in nobody's ledger" for each in sorted(came - status.keys())),
        *(
            f"e-mail {each} came and the ledger says {status[each]}"
            for each in sorted(came & status.keys())
            if status[each] not in WENT_OUT
        ),
        *(
            f"e-mail {each} is handed over by the ledger and did not come"
            for each, said in sorted(status.items())
            if said == "handed over" and each not in came
        ),
    ]


def problems_of_uncertain(pages: Iterable[dict[str, Any]], kills: int) -> list[str]:
    """Return whether more sends became uncertain, settled later or not, than sessions were cut by kills."""
    sends = [send for page in pages for send in page["sends"]]
    count = sum(send["status"] == "uncertain" or send["reason"] in SETTLED_LATER for send in sends)
    return [f"{count} uncertain sends by {kills} kills"] if count > SESSIONS * kills else []


def problems_of_runs(visitors: list[Visitor], ended: Ended) -> list[str]:
    """Return whose run did not end as their row of the script's table says."""
    problems, excused = [], set(ended.uncertain.values())
    for visitor in visitors:
        row, runs = visitor.row, ended.runs[visitor.name]
        due = [(*row.end, row.mails)] if row.end is not None else []
        found = [(stage, status, attempt) for _, _, stage, _, attempt, status in runs]
        if found != due and visitor.address not in excused:
            problems.append(f"{visitor.name} ended at {found}, by the script at {due}")
    return problems


def _counters(page: dict[str, Any] | None) -> dict[str, int]:
    return page["counters"] if page is not None else {}


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
