"""Break real parts under traffic, then prove that nothing was lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import ClientError

from scripts.bench_measure import Say, percentile, progress, progress_over
from scripts.bench_rules import write_rules_now
from scripts.bench_smtp import listening
from scripts.bench_system import Running, running, stop_on_sigterm
from scripts.chaos_checks import Ended, checked, differences
from scripts.chaos_client import Client
from scripts.chaos_kills import PARTS, Kill, kill
from scripts.chaos_mail import ReadMailbox
from scripts.chaos_script import Visitor, script
from scripts.chaos_world import WorldTime

EVENTS_A_ROUND = 20_000
MINUTES_A_ROUND = 3.0
SPEED = 6_000
CLOCK_START = "2026-03-02T00:00:00Z"
RESPONSE_HOURS = 24
"""The loop passes through its four e-mails while parts are killed: a day is 14 s at this speed, and answers come
within seconds. While a part is dead the gate holds the world, so no fault makes an answer late."""
PART_SECONDS = 4.0
"""How long a part is left in peace before it is killed; traffic goes on over this and over its recovery."""
RECOVER_GOAL_SECONDS = 10.0
QUIET_SECONDS = 180.0
RUNS_SECONDS_MAX = 600.0
RUNS_LOOK_SECONDS = 1.0
RUNS_LOOKS = 3
"""So often in a row nothing must go on: one look may fall between two steps of a run."""
UNDER_WAY = ("planned", "sending", "waiting", "visiting")


def main() -> int:
    """Run the script without faults and with them, check, and print. Return 0 if all is well, else 1."""
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Kill each part of a running system under traffic, then audit what is left.",
        epilog="Example: scripts/chaos --minutes 10",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES_A_ROUND,
        metavar="N",
        help=f"go on so long: each part is killed once in {MINUTES_A_ROUND:g} minutes (one round)",
    )
    given = parser.parse_args()
    if not given.minutes > 0:
        parser.error("--minutes must be more than 0")
    rounds = max(1, math.ceil(given.minutes / MINUTES_A_ROUND))
    visitors = script(EVENTS_A_ROUND * rounds)
    with tempfile.TemporaryDirectory(prefix="mdma-chaos-") as folder:
        try:
            problems = uvloop.run(_stoppable(broken(Path(folder), visitors, PARTS * rounds, _tell)))
        except asyncio.CancelledError:
            return 143
        except (RuntimeError, TimeoutError, OSError) as error:
            problems = [str(error) or type(error).__name__]
    progress_over()
    for problem in problems:
        print(f"WRONG: {problem}")
    print("nothing was lost or doubled" if not problems else f"{len(problems)} things are wrong")
    return 1 if problems else 0


async def _stoppable(work: Coroutine[Any, Any, list[str]]) -> list[str]:
    stop_on_sigterm()
    return await work


def _tell(text: str) -> None:
    """Print what stays; show what passes."""
    if text.startswith("  "):
        progress(text.strip())
    else:
        progress_over()
        print(text, flush=True)


async def broken(
    folder: Path, visitors: list[Visitor], parts: Sequence[str], say: Say, *, compare: bool = True
) -> list[str]:
    """Play the script with these kills; return everything that is wrong.

    Args:
        folder: where the systems keep their files.
        visitors: the script.
        parts: what to kill, in this order.
        say: tells the person; a line that begins with two blanks passes.
        compare: play it without any kill first, and hold the one against the other.
    """
    rules = folder / "rules"
    write_rules_now(rules, response_hours=RESPONSE_HOURS)
    calm = None
    if compare:
        calm, _ = await _played(folder / "calm", rules, visitors, (), say)
        say(f"without faults: {calm.mails} e-mails, {len(calm.problems)} things wrong")
    disturbed, kills = await _played(folder / "disturbed", rules, visitors, parts, say)
    problems = [*(calm.problems if calm else ()), *disturbed.problems]
    problems += [f"{each.part} did not recover" for each in kills if each.seconds is None]
    if calm is not None:
        problems += differences(calm, disturbed, visitors)
    _tell_kills(kills, disturbed, say)
    return problems


async def _played(
    folder: Path, rules: Path, visitors: list[Visitor], parts: Sequence[str], say: Say
) -> tuple[Ended, list[Kill]]:
    """Play the script on a system of its own, with these kills."""
    say("  starting the system")
    # The snapshot is pinned: nobody learns, so that both runs choose alike.
    settings = {"holdout": "0", "learning": "off", "speed": f"{SPEED}", "clock_start": CLOCK_START}
    box, world = ReadMailbox(), WorldTime()
    async with listening(box), running(folder, box.port, config=rules, **settings) as system:
        client = Client(system.url, system.write_key, box, world)
        tasks = [
            asyncio.ensure_future(world.follow(system)),
            asyncio.ensure_future(client.play(visitors)),
        ]
        try:
            kills = await _kills(system, client, parts, visitors, say)
            await client.allow(math.inf)
            say("  the last events")
            await _first_of(client.everything_sent(), *tasks)
            say("  waiting until every run has ended")
            await _first_of(_runs_ended(system, client), *tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        say("  waiting until all is quiet")
        await system.quiet(QUIET_SECONDS, times=3)
        say("  checking")
        ended = await checked(system, visitors, client, box, len(kills))
        say(
            f"{len(client.acknowledged):,} events and {client.facts.total():,} answers to e-mails "
            f"acknowledged, {client.again:,} requests sent again; "
            + ", ".join(f"{fact} {count}" for fact, count in sorted(_by_name(client).items()))
        )
    return ended, kills


def _by_name(client: Client) -> Counter[str]:
    counts: Counter[str] = Counter()
    for fact, count in client.facts.items():
        counts[fact.name] += count
    return counts


async def _first_of(work: Coroutine[Any, Any, None], *others: asyncio.Future[None]) -> None:
    """Do some work; what fails beside it fails here."""
    doing = asyncio.ensure_future(work)
    try:
        while not doing.done():
            under_way = {doing, *(each for each in others if not each.done())}
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    finally:
        doing.cancel()


async def _runs_ended(system: Running, client: Client) -> None:
    """Wait until no run goes on and nobody has anything to do. Raise TimeoutError with what still goes on."""
    deadline = time.monotonic() + RUNS_SECONDS_MAX
    quiet, runs = 0, {"unknown": 1}
    while quiet < RUNS_LOOKS:
        await asyncio.sleep(RUNS_LOOK_SECONDS)
        if time.monotonic() > deadline:
            raise TimeoutError(f"runs still go on after {RUNS_SECONDS_MAX:.0f} s: {runs}")
        try:
            runs = (await system.get("stats"))["runs"]
        except (ClientError, TimeoutError):
            continue  # the gateway is busy
        going = sum(count for status, count in runs.items() if status in UNDER_WAY)
        quiet = 0 if going or client.acting else quiet + 1


async def _kills(
    system: Running, client: Client, parts: Sequence[str], visitors: list[Visitor], say: Say
) -> list[Kill]:
    """Kill part after part while the traffic goes on; each has its share of the events."""
    events = sum(len(step.calls) for visitor in visitors for step in visitor.steps)
    share = events / (len(parts) + 1)
    kills: list[Kill] = []
    for number, part in enumerate(parts):
        flowing = asyncio.ensure_future(_flow(client, share * number, share))
        try:
            await asyncio.sleep(PART_SECONDS)
            say(f"  killing {part}")
            kills.append(await kill(system, part, client))
        finally:
            flowing.cancel()
        seconds = kills[-1].seconds
        say(
            f"killed {part:11} " + ("lost" if seconds is None else f"recovered in {seconds:5.2f} s")
        )
    return kills


async def _flow(client: Client, start: float, events: float) -> None:
    """Let a share of the events go, evenly over the time that a kill is expected to take."""
    pieces = 100
    for piece in range(1, pieces + 1):
        await client.allow(start + events * piece / pieces)
        await asyncio.sleep((PART_SECONDS + RECOVER_GOAL_SECONDS) / pieces)


def _tell_kills(kills: list[Kill], ended: Ended, say: Say) -> None:
    seconds = [each.seconds for each in kills if each.seconds is not None]
    if seconds:
        late = percentile(seconds, 0.95)
        reached = "reached" if late <= RECOVER_GOAL_SECONDS else "NOT REACHED"
        say(
            f"time to recover: p95 {late:.2f} s (goal {RECOVER_GOAL_SECONDS:g} s: {reached}), "
            f"longest {max(seconds):.2f} s"
        )
    for message, recipient in sorted(ended.uncertain.items()):
        say(f"uncertain: {message} to {recipient}")


if __name__ == "__main__":
    sys.exit(main())
