"""Pass over all visitors with a broadcast: whoever is in its cohort when the pass comes to them is told of it.

A document of the table `broadcasts` says what was ordered and how far the pass has come; the Rules Manager plans each
e-mail and writes what became of it (`recipients`).

Rules
1. A page of visitors is told again after a crash: Rules lets a broadcast come to a visitor once.
2. What is called off while the pass is under way ends it; then whoever's e-mail has not gone out is told so, until
   nobody is left. What Email has been asked for already goes out, or, where it cannot at once, never.
   That goes by rounds with a pause between them, in which other orders are looked at.
3. A dry run passes in the same way and tells nobody: it counts who would get it, and who would not, and why.
4. What is due waits while its cohort is being filled: a pass would end before all of its people are known.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from agents.rules_manager.broadcast_rule import name_of
from agents.rules_manager.broadcasting import may_go, refusal
from agents.rules_manager.state import RulesState
from agents.runtime.filler import is_filled
from agents.runtime.held import Codec
from agents.runtime.passing import Passage, Ways, look_always
from agents.runtime.registry import WIRING
from agents.runtime.views import Compile, Versions, read_versions
from messaging.vocabulary.events import BroadcastOrdered
from messaging.vocabulary.plans import Broadcast

BROADCASTS = "broadcasts"
ORDERED, UNDER_WAY, CANCELLING = "ordered", "under way", "cancelling"
DONE, CANCELLED = "done", "cancelled"
OPEN = (CANCELLING, UNDER_WAY, ORDERED)
"""In the order in which they are looked at: what is called off comes first."""

PAGE = 500
AT_ONCE_MAX = 100
"""Broadcasts of one status that are looked at in one look."""
CANCEL_ROUNDS = 100
"""After so many rounds that left somebody it is said aloud, and after as many again."""
AGAIN_SECONDS = 25.0
"""Pause between two rounds."""

WOULD_GET = "would get it"
SUPPRESSED = "suppressed"
"""Why Email will refuse it: another visitor left by that mailbox, or it proved not to be there."""


class Broadcaster:
    """Work off the open broadcasts.

    Parameters:
        ways: ports.
        compile_: makes rules of files.
    """

    def __init__(self, ways: Ways, compile_: Compile) -> None:
        self._to = ways
        self._versions = Versions(compile_)
        self._passage = Passage(ways, "broadcaster")
        self._codec = Codec(WIRING["rules"].make())
        self._rounds: dict[str, tuple[int, float | None]] = {}
        """What is being called off -> rounds so far, machine time of the next."""

    async def run(self) -> None:
        """Work until cancelled; what a pass meets on its way is met again after a pause."""
        await look_always(self._to, self.look, "broadcast.interrupted")

    async def look(self) -> int:
        """Carry what is due to its end, and what is called off one round on; return how many those were."""
        count = 0
        for status in OPEN:
            match = {"status": status}
            for job in await self._to.store.rows(
                BROADCASTS, match, limit=AT_ONCE_MAX, newest=False
            ):
                if status == CANCELLING:
                    count += await self._call_off(job)
                elif job["at"] <= self._to.clock.now() and await self._is_filled(job):
                    await self._pass(job)
                    count += 1
        return count

    async def _pass(self, job: dict[str, Any]) -> None:
        """Tell everybody in the cohort, page by page from where the pass stands."""
        if job["status"] == ORDERED and not await self._swap(job, status=UNDER_WAY):
            return  # it was called off this moment
        broadcast = _broadcast(job)
        rules = await self._rules(broadcast.version)
        told: Counter[str] = Counter(job["told"])
        after = job["after"]
        while page := await self._page(after):
            after, states = page
            inside = {v: s for v, s in states.items() if broadcast.cohort in s.cohorts}
            reasons = {v: refusal(s, rules, broadcast) for v, s in inside.items()}
            boxes = {v: inside[v].mailbox for v, reason in reasons.items() if not reason}
            suppressed = await self._to.store.suppressed(
                sorted({each for each in boxes.values() if each})
            )
            reasons |= {v: SUPPRESSED for v, box in boxes.items() if box in suppressed}
            told.update(reason or WOULD_GET for reason in reasons.values())
            if inside and not job["dry_run"]:
                await self._tell(sorted(inside), broadcast, cancel=False)
            if not await self._swap(job, after=after, told=dict(told)):
                return  # called off: the next look goes on with that
        await self._swap(job, status=DONE, after="", completed_at=self._to.clock.now())
        self._to.log.info("broadcast.passed", told=sum(told.values()), dry_run=job["dry_run"])

    async def _is_filled(self, job: dict[str, Any]) -> bool:
        return job["status"] != ORDERED or await is_filled(self._to.store, job["cohort"])

    async def _call_off(self, job: dict[str, Any]) -> bool:
        """Tell everybody whose e-mail may still go out that it was called off; return False before the next round.

        Once nobody is left to be told, it is called off.
        """
        rounds, next_at = self._rounds.get(job["id"], (0, None))
        if next_at is not None and self._to.clock.machine() < next_at:
            return False
        broadcast = _broadcast(job)
        path = name_of(broadcast.id)
        await self._passage.settled(2)
        any_left = False
        after = ""
        while page := await self._page(after):
            after, states = page
            runs = {visitor: state.runs.get(path) for visitor, state in states.items()}
            left = [visitor for visitor, run in runs.items() if may_go(run)]
            any_left = any_left or bool(left)
            if left:
                await self._tell(left, broadcast, cancel=True)
        if any_left:
            rounds += 1
            self._rounds[job["id"]] = (rounds, self._to.clock.machine() + AGAIN_SECONDS)
            if rounds % CANCEL_ROUNDS == 0:
                self._to.log.error("broadcast.unfinished", status=job["status"])
            return True
        self._rounds.pop(job["id"], None)
        await self._swap(job, status=CANCELLED, after="", completed_at=self._to.clock.now())
        return True

    async def _page(self, after: str) -> tuple[str, dict[str, RulesState]] | None:
        """Return (last visitor of the page behind one, visitor -> state), tombstones left out; None at the end."""
        page = await self._to.store.visitors("rules", after, PAGE)
        if not page:
            return None
        bodies = await self._to.store.load("rules", page)
        held = {visitor: self._codec.decode(body) for visitor, body in sorted(bodies.items())}
        return page[-1], {visitor: each.state for visitor, each in held.items() if not each.moved}

    async def _tell(self, visitors: list[str], broadcast: Broadcast, *, cancel: bool) -> None:
        facts = [
            BroadcastOrdered(
                visitor=visitor,
                broadcast=broadcast.id,
                template=broadcast.template,
                cohort=broadcast.cohort,
                path=broadcast.path,
                version=broadcast.version,
                priority=broadcast.priority,
                cancel=cancel,
            )
            for visitor in visitors
        ]
        await self._passage.records([self._passage.fact(each) for each in facts])

    async def _swap(self, job: dict[str, Any], **changes: Any) -> bool:
        """Note how far it has come, unless somebody gave it another status meanwhile; return whether it was noted."""
        expected = {"status": job["status"]}
        fields = {name: value for name, value in (job | changes).items() if name != "id"}
        if not await self._to.store.swap_document(BROADCASTS, job["id"], fields, expected):
            return False
        job.update(changes)
        return True

    async def _rules(self, version: int) -> Any:
        if version not in self._versions:
            await read_versions(self._to.store, self._versions)
        return self._versions.get(version)


def _broadcast(job: dict[str, Any]) -> Broadcast:
    return Broadcast(
        job["id"], job["template"], job["cohort"], job["path"], job["version"], job["priority"]
    )
