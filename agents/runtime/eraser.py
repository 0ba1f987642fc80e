"""Erase people while the system runs, one after the other, each to its end: `mdma erase`.

An erasure is a document of the table `erasures`, and goes through these steps:

    1. hide    the keys lead to nobody any more; what was being taken meanwhile is let through, until none is found
    2. settle  what stands in the journal is taken, and letters under way arrive: merges of this person are over then
    3. tell    every bot forgets the visitors; Email first waits for the outcome of what it is handing over
    4. settle  what was told of them before arrives, and ends at the tombstones
    5. count   what there is, for the receipt
    6. remove  events, letters, batches, rows, states, files
    7. receipt what was removed, what stays and why; nothing in it names anybody

Rules
1. Every step can be repeated. After a crash an erasure begins anew with its first step, and finds less to do.
2. What cannot be seen in the store cannot be waited for. So a step is passed when every shard has taken something
   that was written after it: an empty record in the journal, or a fact told a second time.
3. The document names whom it is about only until it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.protocol.bot import ERASED
from agents.runtime.held import Codec
from agents.runtime.passing import Passage, Ways, look_always
from agents.runtime.registry import IDENTITY, WIRING
from agents.runtime.sweeper import ROWS_MAX, VISITOR_BOTS, Person, Sweeper, person_of
from messaging.sweep import Sweep
from messaging.vocabulary.events import VisitorErased
from messaging.vocabulary.ids import erased_key, micros_of, order_key

ERASURES, ASKED, DONE = "erasures", "asked", "done"
OPEN_MAX = 100
"""Erasures looked at in one go; further ones wait for their turn."""

ROUNDS_MAX = 20
"""Times that keys are looked for anew; what is being taken brings a few, then none."""

LATE_TABLES = ("alerts", "notices", "deliveries", "webhooks")
LATE_SECONDS = 3.0
"""Whoever tells a person of an alert may be writing what became of it: these tables are looked at again."""
LATE_LOOKS_MAX = 20

KEPT = {
    "suppressed addresses": "a keyed hash of each, so that nobody writes to them again",
    "keyed hashes of keys and orders": "so that late messages are known as late, and begin nobody anew",
    "orders": "amount, currency and day, without the person: totals stay as they were, whatever is given "
    "back of them later (an order told again under another key counts anew)",
    "decisions and rewards": "numbers that were learned from, without the person",
    "models": "what was learned from all people together",
    "database files": "bytes of removed documents stay in mongod's data files and operation log until they are "
    "written over",
}
"""What stays -> why."""


@dataclass
class Reach(Ways):
    """Hold what an eraser works through."""

    sweep: Sweep
    veil: Callable[[str], str]


class Eraser:
    """Work off the open erasures.

    Parameters:
        reach: ports and settings.
        sweeper: walks through what is stored.
    """

    def __init__(self, reach: Reach, sweeper: Sweeper) -> None:
        self._to = reach
        self._sweeper = sweeper
        self._passage = Passage(reach, "eraser")
        self._codecs = {bot: Codec(WIRING[bot].make()) for bot in VISITOR_BOTS}

    async def run(self) -> None:
        """Work until cancelled; what an erasure meets on its way is met again after a pause, from its first step."""
        await look_always(self._to, self.look, "erasure.interrupted")

    async def look(self) -> int:
        """Carry every open erasure to its end, the oldest first; return how many there were."""
        rows = await self._to.store.rows(ERASURES, {"status": ASKED}, limit=OPEN_MAX, newest=False)
        for row in rows:
            await self.erase(row)
        return len(rows)

    async def erase(self, job: dict[str, Any]) -> None:
        """Carry one erasure to its end. Raise what the store raises: it is begun anew then."""
        self._to.log.info("erasure.begun", receipt=job["id"])
        if "hidden_at" not in job:
            job["forgotten"] = await self._gone_before(job)
        person = await self._hide(job)
        # Also what a try had journaled that was killed: taken later, it would tell everybody of them anew.
        await self._passage.read()
        await self._passage.settled(len(person.visitors) + 1)
        await self._veil(job, person, [])  # what was under way is among their orders by now
        await self._tell(person)
        await self._until_forgotten(job, person)
        # Once more: whatever the bots' own hands had under way is taken before this is.
        await self._tell(person)
        await self._passage.settled(2)
        if not job.get("removed"):
            job["removed"] = await self._sweeper.walk(person, remove=False)
            await self._note(job, person)
        await self._sweeper.walk(person, remove=True)
        if any(job["removed"].get(table) for table in LATE_TABLES):
            await self._look_again(person)
        suppressed = await self._sweeper.kept(person, remove=True)
        await self._to.sweep.settle(["journal", "batches", "outbox", "story", "states_behavior"])
        await self._finish(job, person, suppressed)

    async def _gone_before(self, job: dict[str, Any]) -> list[str]:
        """Return whom an earlier erasure removed: somebody asked twice, and no bot will set another tombstone."""
        to, visitors = self._to, list(job["visitors"])
        keys = {each: erased_key(to.veil(f"v:{each}")) for each in visitors}
        noted = await to.store.identities(list(keys.values()))
        states = await to.store.load("behavior", visitors)
        return [each for each in visitors if keys[each] in noted and each not in states]

    # Hide

    async def _hide(self, job: dict[str, Any]) -> Person:
        """Take the keys away until nobody gives this person a new one; return who they are."""
        to = self._to
        person = Person(list(job["visitors"]), list(job["keys"]))
        # One moment for all tries: what a new visitor does after the first must not count as late.
        job.setdefault("hidden_at", to.clock.now())
        for tries in range(ROUNDS_MAX):
            found = await person_of(to.sweep, person.visitors)
            if tries and not found.keys:
                return person
            everybody = sorted({*person.visitors, *found.visitors})
            keys = sorted({*person.keys, *found.keys, *(f"v:{each}" for each in everybody)})
            person = Person(everybody, keys)
            await self._note(job, person)
            await self._veil(job, person, found.keys)
            await self._passage.records(
                [self._passage.blank(index) for index in range(to.shards["behavior"])]
            )
        raise AssertionError(f"erasure {job['id']}: keys came up {ROUNDS_MAX} times")

    async def _veil(self, job: dict[str, Any], person: Person, keys: list[str]) -> None:
        """Note the hashes of a person's keys, and of their orders, by which late messages are known; then drop keys."""
        orders = [order_key(each) for each in await self._orders(person)]
        notes = [erased_key(self._to.veil(key)) for key in [*person.keys, *orders]]
        await self._to.sweep.hide_keys(keys, notes, job["id"], micros_of(job["hidden_at"]))

    async def _orders(self, person: Person) -> list[str]:
        """Return the ids of a person's orders: Behavior's name the payments too, the table has the older ones."""
        store, named = self._to.store, set[str]()
        for body in (await store.load("behavior", person.visitors)).values():
            named |= IDENTITY.orders_named(self._codecs["behavior"].decode(body).state)
        for visitor in person.visitors:
            rows = await store.rows("orders", {"visitor": visitor}, limit=ROWS_MAX)
            named.update(row["id"].removeprefix(f"{visitor}:") for row in rows)
        return sorted(named)

    async def _note(self, job: dict[str, Any], person: Person) -> None:
        job |= {"visitors": person.visitors, "keys": person.keys}
        await self._save(job)

    async def _save(self, job: dict[str, Any]) -> None:
        fields = {name: value for name, value in job.items() if name != "id"}
        await self._to.store.put_document(ERASURES, job["id"], fields)

    # Tell

    async def _tell(self, person: Person) -> None:
        """Tell Behavior of the erasure; it tells the others."""
        facts = [VisitorErased(visitor=visitor) for visitor in person.visitors]
        await self._passage.records([self._passage.fact(each) for each in facts])

    async def _until_forgotten(self, job: dict[str, Any], person: Person) -> None:
        """Wait until every bot has set its tombstones, and keep whose they are.

        A try that was interrupted may have removed them: a bot that still holds one in memory sets it no more.
        """
        known = set(job.get("forgotten", ()))
        others = Person([each for each in person.visitors if each not in known], person.keys)
        await self._passage.until(lambda: self._is_forgotten(others))
        job["forgotten"] = list(person.visitors)
        await self._note(job, person)

    async def _is_forgotten(self, person: Person) -> bool:
        """Say whether every bot has set its tombstones: of whoever was merged, that of the merge will do."""
        behavior = await self._moved("behavior", person)
        if not all(behavior.get(visitor) for visitor in person.visitors):
            return False
        roots = {visitor for visitor, into in behavior.items() if into == ERASED}
        for bot in VISITOR_BOTS:
            if bot not in self._to.shards:
                continue  # it ran once, and nobody writes its states any more
            moved = await self._moved(bot, person)
            if not all(moved.values()) or any(moved.get(root) != ERASED for root in roots):
                return False
        return True

    async def _moved(self, bot: str, person: Person) -> dict[str, str]:
        bodies = await self._to.store.load(bot, person.visitors)
        return {visitor: self._codecs[bot].decode(body).moved for visitor, body in bodies.items()}

    # End

    async def _look_again(self, person: Person) -> None:
        """Remove what was written by who had read it before it was removed."""
        for _ in range(LATE_LOOKS_MAX):
            await self._to.clock.sleep(LATE_SECONDS)
            if not await self._sweeper.rows_of(person, LATE_TABLES):
                return

    async def _finish(self, job: dict[str, Any], person: Person, suppressed: int) -> None:
        kept = dict(KEPT)
        if not suppressed:
            del kept["suppressed addresses"]
        receipt: dict[str, Any] = {
            "id": job["id"],
            "at": job["hidden_at"],
            "status": DONE,
            "completed_at": self._to.clock.now(),
            "visitors_erased": len(person.visitors),
            "suppressed": suppressed,
            "removed": job["removed"],
            "kept": kept,
        }
        await self._save(receipt)
        self._to.log.info("erasure.done", receipt=job["id"])


def asked(visitors: list[str], at: datetime) -> dict[str, Any]:
    """Return the document that asks for an erasure."""
    return {"at": at, "status": ASKED, "visitors": visitors, "keys": []}
