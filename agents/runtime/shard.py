"""Run one bot for one slice of the visitors, durably: take, load, step, commit once, then deliver and carry out.

Rules
1. One batch at a time. Everything a batch writes is one transaction, under the shard's epoch.
2. Nothing leaves before its commit: neither a letter to a peer nor an e-mail.
3. A failed commit that may succeed is repeated as it is (the store knows a repeat by its batch number);
   one that met a conflict is built anew from what is stored.
4. A newer owner fences this one: it stops at once, without a further write.
5. Sources (journal, wake-ups) wait while peers are behind; letters of peers are always taken, so that a
   circle of bots cannot stand still.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from agents.protocol.bot import View
from agents.runtime.batch import Builder, Built, Intake, newest, quarantine_fields, quarantine_id
from agents.runtime.courier import Courier, backoff
from agents.runtime.fold import Folding, Poisoned, Work
from agents.runtime.gate import GateReport
from agents.runtime.held import Codec, Memory
from agents.runtime.inbox import Inbox, weight_of
from agents.runtime.pace import Pace
from agents.runtime.spec import ShardSpec
from messaging.ports import Chunk, Commit, Ownership, RowWrite
from messaging.vocabulary.effects import QueueSend
from messaging.vocabulary.errors import CommitUnknown, Conflict, Suppressed, Unavailable
from messaging.vocabulary.messages import (
    HandOverDue,
    Letter,
    MailOutcome,
    Message,
    encode_records,
)

T = TypeVar("T")

IDLE_MIN = 0.0005
"""Seconds of the shortest wait."""

SOURCES = "journal:"
"""What the names of journal streams begin with; outbox streams are named by their shard."""


class Shard:
    """Own one slice of one bot's visitors."""

    def __init__(self, spec: ShardSpec) -> None:
        self.spec = spec
        self._view = spec.view
        self._codec = Codec(spec.bot)
        self._memory = Memory(spec.limits.visitors_in_memory_max)
        self._builder = Builder(spec, self._memory, self._codec)
        self._courier = Courier(spec.peers, spec.clock, spec.limits, spec.jitter)
        self._inbox = Inbox({}, spec.limits.inbox_chunks_max)
        self._local: deque[Letter] = deque()
        self._poke = asyncio.Event()
        self._pace = Pace(may_linger=spec.may_linger)
        self._ahead: dict[str, asyncio.Task[None]] = {}
        """Journal stream -> the reading of what follows, under way while a batch is committed."""
        self._owner = Ownership(0, 0, {}, {})
        self._next_due: datetime | None = None
        self._batch_at: datetime | None = None
        self._low: datetime | None = None
        self._ready = False
        self._stopping = False
        self._suppressed: frozenset[str] = frozenset()
        self._tries: dict[tuple[str, int, int], int] = {}
        self._poisoned_rows: list[RowWrite] = []
        self._swept = 0.0
        self._numbers = {"processed_total": 0.0, "batches_total": 0.0, "quarantined_total": 0.0}
        self._last = {"batch_size": 0.0, "commit_ms": 0.0, "lag_seconds": 0.0}

    # The story of a shard's life

    async def run(self) -> None:
        """Recover, then batch after batch until drained. Raise `Fenced` when somebody else owns the shard."""
        await self._recover()
        while True:
            await self._wait()
            if self._stopping and not self._inbox.pending() and not self._local:
                if self.spec.postman is None or not self.spec.postman.busy():
                    return
                await self.spec.clock.sleep(0.01)
                continue
            await self._let_fill()
            began = self.spec.clock.machine()
            await self._one_batch()
            self._pace.worked(began, self.spec.clock.machine())

    async def drain(self) -> None:
        """Take nothing new from the sources, finish what has arrived, then let `run` return."""
        self._stopping = True
        if self.spec.postman is not None:
            self.spec.postman.set_paused(None)
        self.poke()

    def poke(self) -> None:
        """Look for work now."""
        self._poke.set()

    def set_view(self, view: View) -> None:
        """See these rules and snapshots from the next batch on."""
        self._view = view

    def set_paused(self, paths: frozenset[str] | None) -> None:
        """Hold the hand-overs of these paths (None: all of them)."""
        if self.spec.postman is not None and not self._stopping:
            self.spec.postman.set_paused(paths)
            self.poke()

    def deliver(self, chunk: Chunk) -> bool:
        """Take a chunk from a peer or a gateway. False: not now, say it again later."""
        if not self._ready:
            return False
        self._lower(chunk.at)
        taken = self._inbox.offer(chunk)
        self.poke()
        return taken

    def tell(self, message: Message) -> None:
        """Take a message from the shard's own hands (the postman)."""
        self._local.append(Letter(0, message))  # type: ignore[arg-type]
        self.poke()

    # What others may ask

    def report(self) -> GateReport | None:
        """Return what the world clock must wait for; None while recovering."""
        if not self._ready:
            return None
        oldest = self._oldest()
        held = self._low if oldest is None or (self._low and self._low < oldest) else oldest
        self._low = oldest
        return GateReport(held_since=held, next_due=self._next_due)

    def metrics(self) -> dict[str, float]:
        """Return how the shard fares: rate is for the asker to derive from `processed_total`."""
        postman = self.spec.postman
        return {
            **self._numbers,
            **self._last,
            "visitors_in_memory": float(len(self._memory)),
            "inbox_chunks": float(self._inbox.lag()),
            "undelivered_chunks": float(self._courier.undelivered()),
            "epoch": float(self._owner.epoch),
            "ready": float(self._ready),
            "pending": float(self._inbox.pending() or bool(self._local)),
            "sends_waiting": float(postman.waiting()) if postman else 0.0,
        }

    def positions(self) -> dict[str, int]:
        """Return how far each input stream was taken."""
        return dict(self._owner.positions)

    # Waiting and taking

    async def _recover(self) -> None:
        spec = self.spec
        self._owner = await self._again(lambda: spec.store.acquire(spec.name))
        self._inbox = Inbox(self._owner.positions, spec.limits.inbox_chunks_max)
        await self._again(self._sweep)
        self._next_due = await self._again(lambda: spec.store.next_due(spec.bot.name, spec.slice))
        if spec.postman is not None:
            spec.postman.start(self.tell)
            postman = spec.postman
            await self._again(lambda: postman.recover(spec.store, spec.slice))
        for to, number in sorted(self._owner.sent.items()):
            self._courier.send(to, Chunk(spec.name, number, number, spec.clock.now(), b""))
        self._ready = True
        spec.log.info("actor.recovered", shard=spec.name, epoch=self._owner.epoch)

    async def _sweep(self) -> None:
        """Find input that nobody told us of: what a dead writer had written and not handed over."""
        spec, inbox = self.spec, self._inbox
        self._swept = spec.clock.machine()
        now = spec.clock.now()
        if spec.journal is not None:
            for stream, tail in (await spec.journal.tails()).items():
                inbox.learn(f"{SOURCES}{stream}", tail, now)
        for sender in spec.senders:
            inbox.learn(sender, await spec.store.outbox_tail(sender, spec.name), now)
        for name, found in list(inbox.streams.items()):
            if found.pending() and not found.queue:
                await self._refill(name)

    async def _refill(self, name: str) -> None:
        spec = self.spec
        # Both before the reading: what is heard of meanwhile may not be in it.
        after, known = self._inbox.stream(name).queued, self._inbox.stream(name).known
        if name.startswith(SOURCES):
            assert spec.journal is not None, "only a bot with identities reads the journal"
            number = int(name.removeprefix(SOURCES))
            limit = spec.limits.batch_letters_max
            records, reached = await spec.journal.read(number, after, limit, spec.slice)
            chunks = []
            if reached == after:
                # Everything up to `known` was durable before we knew of it: what is not there was a repeat.
                reached = known
            if reached > after:
                at = min((r.received_at for r in records), default=spec.clock.now())
                chunks = [Chunk(name, after + 1, reached, at, encode_records(records))]
            self._inbox.refill(name, chunks, reached)
        else:
            limit = spec.limits.read_chunks_max
            chunks = await spec.store.read_outbox(name, spec.name, after, limit)
            self._inbox.refill(name, chunks, chunks[-1].last if chunks else after)

    async def _wait(self) -> None:
        """Wait until there is something to do: arrivals, a due wake-up, or the time to sweep."""
        while True:
            self._poke.clear()
            if self.spec.postman is not None:
                self.spec.postman.give_sessions()
            if self._local or self._stopping:
                return
            choked = self._choked()
            if any(
                stream.pending() and not (choked and name.startswith(SOURCES))
                for name, stream in self._inbox.streams.items()
            ):
                return
            if not choked and self._next_due is not None and self._next_due <= self._now():
                return
            clock = self.spec.clock
            since = clock.machine() - self._swept
            if since >= self.spec.limits.sweep_seconds:
                with contextlib.suppress(Unavailable):
                    await self._sweep()
                continue
            due = clock.seconds_until(self._next_due) if self._next_due is not None else None
            rest = self.spec.limits.sweep_seconds - since
            if choked:
                rest = min(rest, 0.02)
            await self._idle(rest if due is None else min(rest, due))

    async def _let_fill(self) -> None:
        """Wait a moment for more, if the shard is busy and there is little to take."""
        clock = self.spec.clock
        now = clock.machine()
        until = now + self._pace.linger_seconds(now)
        if until == now or self._stopping:
            return
        while (left := until - clock.machine()) > 0 and not self._is_full():
            self._poke.clear()
            await self._idle(left)
        self._pace.lingered(clock.machine())

    def _is_full(self) -> bool:
        """Say whether waiting brings nothing: a batch is full, or every e-mail under way has its outcome."""
        limits, postman = self.spec.limits, self.spec.postman
        if self._stopping or self._inbox.weight() >= limits.batch_letters_max:
            return True
        return postman is not None and postman.under_way() <= len(self._local) > 0

    async def _idle(self, seconds: float) -> None:
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes with the result.
        # Never shorter than a clock can tell apart: a wait of 1e-10 s may leave time where it is, for ever.
        alarm = asyncio.get_running_loop().call_later(max(seconds, IDLE_MIN), self._poke.set)
        try:
            await self._poke.wait()
        finally:
            alarm.cancel()

    def _choked(self) -> bool:
        return self._courier.undelivered() >= self.spec.limits.undelivered_max

    def _now(self) -> datetime:
        return self.spec.clock.now()

    async def _take(self) -> Intake:
        """Take what has arrived, up to a size: due wake-ups, chunks of each stream in turn, own outcomes."""
        spec, limits = self.spec, self.spec.limits
        now = self._now()
        self._batch_at = now
        self._lower(now)
        choked = self._choked()
        wakes: list[tuple[str, datetime]] = []
        if not choked and not self._stopping and self._next_due and self._next_due <= now:
            limit = limits.batch_wakes_max
            wakes = await self._again(lambda: spec.store.due(spec.bot.name, spec.slice, now, limit))
        chunks: list[Chunk] = []
        size = 0
        for name in sorted(self._inbox.streams, key=stream_order):
            stream = self._inbox.streams[name]
            if choked and name.startswith(SOURCES):
                continue
            if not stream.queue and stream.pending():
                await self._read_on(name)
            while stream.queue and size < limits.batch_letters_max:
                chunk = stream.queue.popleft()
                if chunk.last <= self._owner.positions.get(name, 0):
                    continue
                if not chunk.body:
                    raise AssertionError(f"an empty chunk in the queue of {name}")
                self._lower(chunk.at)
                chunks.append(chunk)
                size += weight_of(chunk)
            self._read_ahead(name)
        local = list(self._local)
        self._local.clear()
        if spec.postman is not None:
            # An outcome and the session's next hand-over are one commit: no more are ever under way.
            settled, _ = _mail_messages(local)
            local += [Letter(0, due) for due in spec.postman.next_due(len(settled))]
        return Intake(now, chunks, local, wakes, self._owner.positions)

    async def _read_on(self, name: str) -> None:
        """Read what follows on a stream; mostly the last batch had begun to."""
        ahead = self._ahead.pop(name, None)
        if ahead is not None:
            await asyncio.wait({ahead})
        stream = self._inbox.stream(name)
        if not stream.queue and stream.pending():
            await self._again(lambda: self._refill(name))

    def _read_ahead(self, name: str) -> None:
        """Begin to read what follows on a journal stream, to be there when this batch is committed."""
        stream = self._inbox.stream(name)
        if not name.startswith(SOURCES) or stream.queue or not stream.pending():
            return
        self._ahead[name] = asyncio.ensure_future(self._refill_if_there(name))

    async def _refill_if_there(self, name: str) -> None:
        with contextlib.suppress(Unavailable):  # `_read_on` asks again, and patiently
            await self._refill(name)

    # One batch

    async def _one_batch(self) -> None:
        intake = await self._take()
        if not (intake.chunks or intake.local or intake.wakes_due):
            self._batch_at = None
            await self._refresh_due(intake, None)
            await self.spec.clock.sleep(0.01)  # a hint of what is not to be seen yet
            return
        self._suppressed = frozenset()
        self._builder.skipped = {}
        self._poisoned_rows = []
        for tries in range(1, self.spec.limits.conflict_tries + 1):
            built = await self._build(intake)
            try:
                started = self.spec.clock.machine()
                await self._commit(built.commit)
            except Conflict:
                self._builder.drop({}, built.folded)
                await self.spec.clock.sleep(backoff(self.spec.limits, tries, self.spec.jitter))
            except Suppressed as found:
                self._builder.drop({}, built.folded)
                self._suppressed |= found.mailboxes
            else:
                await self._committed(intake, built, started)
                return
        raise Unavailable(f"{self.spec.name}: a batch met conflicts {tries} times")

    async def _build(self, intake: Intake) -> Built:
        """Build the batch; letters that make `step` raise again and again are put in quarantine."""
        spec, builder = self.spec, self._builder
        while True:
            plan = await self._again(lambda: builder.plan(intake))
            states = await self._again(lambda p=plan: builder.load(p, intake))  # type: ignore[misc]
            view = msgspec.structs.replace(self._view, suppressed=self._suppressed)
            number = self._owner.batch + 1
            try:
                source = f"{spec.name}:{number}"
                folding, fired = builder.fold(plan, intake, states, view, source)
                self._claim_sessions(folding, intake)
            except Poisoned as poisoned:
                builder.drop(states, None)
                self._poison(poisoned, intake.now)
                continue
            folded = folding.folded
            writes, bodies = builder.states(folded)
            outbox = builder.outbox(folded.letters, self._owner.sent, intake.now)
            positions = dict(self._owner.positions)
            for chunk in intake.chunks:
                positions[chunk.stream] = chunk.last
            sent = dict(self._owner.sent) | {out.to: out.number for out in outbox}
            commit = Commit(
                shard=spec.name,
                bot=spec.bot.name,
                epoch=self._owner.epoch,
                batch=number,
                positions=positions,
                sent=sent,
                record=builder.record(intake, plan, fired, view),
                states=writes,
                outbox=outbox,
                rows=newest(folded.rows + plan.rows + self._poisoned_rows),
                identities=plan.identities,
                guards=sorted(set(folded.guards)),
            )
            return Built(commit, folded, bodies, len(plan.works) + len(fired))

    def _claim_sessions(self, folding: Folding, intake: Intake) -> None:
        """Let sends that this batch queues be handed over by it, as far as sessions are free."""
        if self.spec.postman is None:
            return
        settled, _ = _mail_messages(intake.local)
        for visitor, effect in list(folding.folded.acts):
            if not isinstance(effect, QueueSend):
                continue
            due = self.spec.postman.claim(visitor, effect, len(settled))
            if due is None:
                continue
            # Behind everything else the batch took, as a replay will find it.
            index = len(intake.local)
            intake.local.append(Letter(0, due))
            folding.take(folding.folded.touched[visitor], Work(due, 0, "local", 0, index))

    def _poison(self, poisoned: Poisoned, now: datetime) -> None:
        work: Work = poisoned.work
        place = (work.stream, work.position, work.index)
        tries = self._tries[place] = self._tries.get(place, 0) + 1
        self.spec.log.warning(
            "step.raised", shard=self.spec.name, tries=tries, reason=str(poisoned.cause)
        )
        if tries < self.spec.limits.poison_tries:
            return
        del self._tries[place]
        self._builder.skipped[place] = str(poisoned)
        self._numbers["quarantined_total"] += 1
        fields = quarantine_fields(work, str(poisoned), now)
        row = RowWrite("quarantine", quarantine_id(self.spec.name, place), fields)
        self._poisoned_rows.append(row)
        self.spec.log.error(
            "letter.quarantined",
            shard=self.spec.name,
            kind=type(work.message).__name__,
            reason=str(poisoned.cause),
        )

    async def _commit(self, commit: Commit) -> None:
        """Commit, repeating the very same commit while the store does not answer."""
        await self._again(lambda: self.spec.store.commit(commit))

    async def _committed(self, intake: Intake, built: Built, started: float) -> None:
        spec, commit = self.spec, built.commit
        for visitor, body in built.bodies.items():
            built.folded.touched[visitor].stored = body
        self._owner = Ownership(commit.epoch, commit.batch, commit.positions, commit.sent)
        for out in commit.outbox:
            self._courier.send(out.to, Chunk(spec.name, out.number, out.number, out.at, out.body))
        if spec.postman is not None:
            settled, asked = _mail_messages(intake.local)
            spec.postman.committed(built.folded.acts, settled, asked)
        await self._refresh_due(intake, built)
        self._batch_at = None
        self._memory.shrink()
        self._numbers["processed_total"] += built.letters
        self._numbers["batches_total"] += 1
        self._last["batch_size"] = float(built.letters)
        self._last["commit_ms"] = (spec.clock.machine() - started) * 1000.0
        self._last["lag_seconds"] = max(0.0, (self._now() - intake.now).total_seconds())

    async def _refresh_due(self, intake: Intake, built: Built | None) -> None:
        """Keep `next_due` a lower bound of every stored wake-up; ask the store only after some fired."""
        spec = self.spec
        if intake.wakes_due or built is None:
            self._next_due = await self._again(
                lambda: spec.store.next_due(spec.bot.name, spec.slice)
            )
            return
        for write in built.commit.states:
            if write.due is not None and (self._next_due is None or write.due < self._next_due):
                self._next_due = write.due

    async def _again(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call the store until it answers; a commit is known by its number, so that a repeat is harmless."""
        limits = self.spec.limits
        for tries in range(1, limits.commit_tries + 1):
            try:
                return await call()
            except (Unavailable, CommitUnknown) as error:
                if tries == limits.commit_tries:
                    raise
                self.spec.log.warning(
                    "store.unavailable", shard=self.spec.name, tries=tries, reason=str(error)
                )
                await self.spec.clock.sleep(backoff(limits, tries, self.spec.jitter))
        raise AssertionError("unreachable: the loop returns or raises")

    # The world clock's gate

    def _lower(self, at: datetime) -> None:
        if self._low is None or at < self._low:
            self._low = at

    def _oldest(self) -> datetime | None:
        postman = self.spec.postman
        candidates = (
            self._batch_at,
            self._inbox.oldest(),
            self._courier.oldest(),
            postman.oldest() if postman else None,
        )
        return min((at for at in candidates if at is not None), default=None)


def stream_order(name: str) -> tuple[str, int]:
    """Return the place of an input stream in a batch: journal streams in the order they were opened.

    >>> sorted(["rules-0", "journal:10", "journal:2"], key=stream_order)
    ['journal:2', 'journal:10', 'rules-0']
    """
    kind, _, number = name.partition(":")
    return kind, int(number or 0)


def _mail_messages(local: list[Letter]) -> tuple[set[str], set[str]]:
    settled, asked = set(), set()
    for letter in local:
        match letter.message:
            case MailOutcome(send_id=send):
                settled.add(send)
            case HandOverDue(send_id=send):
                asked.add(send)
            case _:
                pass
    return settled, asked
