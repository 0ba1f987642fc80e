"""Measure how fast all bots together take a journal that was filled beforehand, the answers to e-mails included.

Rules
1. The clock runs from the first batch that took one of the records (its own record says when) until every
   shard has taken all that was written for it and no e-mail is under way: success e-mails count in.
2. The mix goes on from run to run, in time too: the visitors of the first run are those of the next.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

from agents.protocol.bot import View
from agents.runtime.fold import Folding
from agents.runtime.inprocess import InProcess
from messaging.journal.mongo import MongoJournal
from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import CohortEntered, CohortLeft, ScoreCrossed
from scripts.bench_ceilings import ceilings
from scripts.bench_measure import RUNS, Pair, Row, Say, row_of, shown
from scripts.bench_mix import Mix, records
from scripts.bench_simulator import default_view
from scripts.bench_system import Meter, Running

EVENTS = 100_000
"""Long enough that the rate counts, and not how long the last batch's e-mails take: that is the row `latency`."""
APART = timedelta(milliseconds=10)
"""World time between two events. Any closer and the busiest visitors would pass the bound of 1,000 events a minute,
from which on an event is only counted: a tenth to a third of the mix would be work that nobody does."""
WARM_EVENTS = 5_000
CEILING_EVENTS = 10_000
APPEND_EVENTS = 2_000
GOAL = 0.4
SECONDS_MAX = 180.0
BANDS = (CohortEntered, CohortLeft, ScoreCrossed)


class Counting(InProcess):
    """Count the events of the mix that changed a cohort or band, and those that caused a decision."""

    def __init__(self, view: View, start: datetime) -> None:
        super().__init__(view, start)
        self.changed = 0
        self.decided = 0

    def _after(self, bot: str, folding: Folding) -> None:
        folded = folding.folded
        told = folded.letters.get("rules", ()) if bot == "behavior" else ()
        self.changed += any(isinstance(letter.message, BANDS) for letter in told)
        self.decided += any(row.table == "decisions" for row in folded.rows)
        super()._after(bot, folding)


async def measure(system: Running, say: Say, runs: int = RUNS) -> list[Row]:
    """Return the row `processed`."""
    mix = Mix(random.randrange(1 << 40))  # noqa: S311 - traffic, not a secret
    say("processed: warming up")
    await _processed(system, mix, WARM_EVENTS)
    pairs: list[Pair] = []
    sizes: list[int] = []
    used = ""
    commits: list[str] = []
    async with ceilings(system.wiring.mongo_url) as ceiling:
        for number in range(1, runs + 1):
            say(f"processed: run {number} of {runs}, the ceiling")
            drawn = list(records(CEILING_EVENTS, 1, datetime.now(UTC), number))
            rates = await ceiling.transactions(drawn)
            size = max(rates, key=lambda each: rates[each])
            sizes.append(size)
            say(f"processed: run {number} of {runs}, the bots")
            meter, before = Meter(system), await _batches(system)
            pairs.append(Pair(await _processed(system, mix, EVENTS), rates[size]))
            used = meter.used(EVENTS)
            commits = [
                f"{shard} {1000 * (number - before[shard]) / EVENTS:.1f}"
                for shard, number in (await _batches(system)).items()
            ]
    row = row_of("processed", "events/s", pairs, against="raw transaction", goal=GOAL)
    row.notes += [used, f"commits for 1,000 events: {', '.join(commits)}"]
    row.notes += [f"ceiling at its best batch sizes {sorted(set(sizes))}", _shares()]
    return [row]


async def _processed(system: Running, mix: Mix, events: int) -> float:
    """Fill a new stream of the journal and return the events a second at which the bots took it."""
    journal = MongoJournal(system.connection)
    stream = await journal.open_stream("bench")
    drawn = list(records(events, stream, datetime.now(UTC), mix=mix, apart=APART))
    began = datetime.now(UTC)
    await _fill(journal, drawn)
    machine, world = time.monotonic(), datetime.now(UTC)
    # Two looks in a row: an e-mail between two of its steps is under way though nothing shows it.
    over = await system.quiet(SECONDS_MAX, times=2)
    first = await _first_batch(system, stream, began)
    return events / (over - machine + (world - first).total_seconds())


async def _batches(system: Running) -> dict[str, int]:
    """Return shard -> number of its last batch."""
    owners = await system.connection.database["shards"].find({}, {"batch": 1}).to_list(None)
    return {each["_id"]: each["batch"] for each in sorted(owners, key=lambda each: each["_id"])}


async def _fill(journal: MongoJournal, drawn: list[Record]) -> None:
    for at in range(0, len(drawn), APPEND_EVENTS):
        await journal.append(drawn[at : at + APPEND_EVENTS])


async def _first_batch(system: Running, stream: int, began: datetime) -> datetime:
    """Return when the first batch was begun that took records of a stream."""
    after, name = 0, f"journal:{stream}"
    while True:
        batches = await system.store.batches("behavior-0", after, 500)
        assert batches, "some batch took the stream"
        for number, batch in batches:
            after = number
            if batch.at >= began and any(taken[0] == name for taken in batch.inputs):
                return batch.at


def _shares() -> str:
    """Return what the mix causes, by folding some of it in this process."""
    start = datetime(2026, 11, 23, 9, tzinfo=UTC)
    counting = Counting(default_view(), start)
    counting.feed(records(WARM_EVENTS, 1, start))
    each = ", ".join(
        f"{bot} {count / WARM_EVENTS:.2f}" for bot, count in sorted(counting.taken.items())
    )
    return (
        f"messages an event: {each}; {shown(100 * counting.changed / WARM_EVENTS)} % of the events "
        f"change a cohort or band, {shown(100 * counting.decided / WARM_EVENTS)} % cause a decision"
    )
