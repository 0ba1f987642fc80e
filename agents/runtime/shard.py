"""Run one bot for one slice of the visitors, durably: take, load, step, commit once, then deliver and carry out.

Rules
1. One batch after the other. Everything a batch writes is one transaction, under the shard's epoch.
2. Nothing leaves before its commit: neither a letter to a peer nor an e-mail.
3. While a commit is under way the next batch is built, if there is much to take (`committing`); a shard that
   hands mail over waits for the commit first, and so does one that would fire wake-ups a second time in a row.
4. A newer owner fences this one: it stops at once, without a further write.
5. Sources (journal, wake-ups) wait while peers are behind; letters of peers are always taken, so that a
   circle of bots cannot stand still.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Container
from datetime import datetime

from agents.protocol.bot import View
from agents.runtime.batch import Builder, Built, Intake
from agents.runtime.checkpoint import keep_if_upgraded
from agents.runtime.committing import Batch, Committer, mail_messages
from agents.runtime.courier import Courier
from agents.runtime.gate import QUANTUM, GateReport
from agents.runtime.held import Codec, Memory
from agents.runtime.pace import Pace
from agents.runtime.patience import patiently
from agents.runtime.postman import Postman
from agents.runtime.scout import Scout
from agents.runtime.spec import ShardSpec
from agents.runtime.taking import Taker
from messaging.ports import Chunk
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.letters import Letter
from messaging.vocabulary.messages import Message

IDLE_MIN = 0.0005
"""Seconds of the shortest wait."""


class Shard:
    """Own one slice of one bot's visitors."""

    def __init__(self, spec: ShardSpec) -> None:
        self.spec = spec
        self._memory = Memory(spec.limits.visitors_in_memory_max)
        builder = Builder(spec, self._memory, Codec(spec.bot))
        self._committer = Committer(spec, builder, self._memory, self._committed, self.poke)
        self._courier = Courier(spec.peers, spec.clock, spec.limits, spec.jitter)
        self._taker = Taker(spec, self.poke)
        self._pace = Pace(may_linger=spec.may_linger)
        self._local: deque[Letter] = deque()
        self._poke = asyncio.Event()
        self._next_due: datetime | None = None
        self._fired_at: datetime | None = None
        """World time at which wake-ups were fired whose commit is under way: what is due next is not known yet."""
        self._building_at: datetime | None = None
        self._building_told: datetime | None = None
        """When the oldest thing that is being built on was told."""
        self._lag_longest = 0.0
        """How long the oldest thing of a batch had waited by its commit, the longest since the last look."""
        self._low: datetime | None = None
        self._ready = False
        self._stopping = False
        self._numbers = {"processed_total": 0.0, "batches_total": 0.0, "checkpoint_states": 0.0}
        self._last = {"batch_size": 0.0, "commit_ms": 0.0}

    # The story of a shard's life

    async def run(self) -> None:
        """Recover, then batch after batch until drained. Raise `Fenced` when somebody else owns the shard."""
        try:
            await self._recover()
            while True:
                await self._wait()
                if not self._stopping or self._has_work():
                    await self._let_fill()
                    await self._one_batch()
                    continue
                await self._committer.land()
                if self.spec.postman is None or not self.spec.postman.busy():
                    return
                await self.spec.clock.sleep(0.01)
        finally:
            self._committer.stop()
            if self.spec.trainer is not None:
                self.spec.trainer.stop()
            self._taker.stop()
            if self.spec.scout is not None:
                self.spec.scout.stop()

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
        self._committer.view = view

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
        taken = self._taker.inbox.offer(chunk)
        self.poke()
        return taken

    def tell(self, message: Message) -> None:
        """Take a message from the shard's own hands (the postman, the scout, the trainer)."""
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
        due = self._fired_at or self._next_due
        # Who trains is the learner: what it has planned serves nobody but itself.
        return GateReport(held, due, draws=self.spec.trainer is None)

    def metrics(self) -> dict[str, float]:
        """Return how the shard fares: rate is for the asker to derive from `processed_total`.

        The lag is the longest since the last time that somebody asked, or what waits now if that is longer.
        """
        postman, scout = self.spec.postman, self.spec.scout
        lag, self._lag_longest = max(self._lag_longest, self._lag_seconds()), 0.0
        return {
            **self._numbers,
            **self._last,
            "lag_seconds": lag,
            "quarantined_total": float(self._committer.quarantined_total),
            "overlapped_total": float(self._committer.overlapped_total),
            "voided_total": float(self._committer.voided_total),
            "visitors_in_memory": float(len(self._memory)),
            "inbox_chunks": float(self._taker.inbox.lag()),
            "undelivered_chunks": float(self._courier.undelivered()),
            "epoch": float(self._committer.owner.epoch),
            "ready": float(self._ready),
            "pending": float(self._has_work() or self._committer.flying is not None),
            "sends_waiting": float(postman.waiting()) if postman else 0.0,
            **(_fares(scout) if scout is not None else {}),
        }

    def positions(self) -> dict[str, int]:
        """Return how far each input stream was taken."""
        return dict(self._committer.owner.positions)

    # Waiting and taking

    async def _recover(self) -> None:
        spec = self.spec
        owner = await patiently(spec, lambda: spec.store.acquire(spec.name))
        await keep_if_upgraded(spec, owner, self._copied)
        self._committer.start(owner)
        self._taker.start(owner.positions)
        await patiently(spec, self._taker.sweep)
        self._next_due = await patiently(
            spec, lambda: spec.store.next_due(spec.bot.name, spec.slice)
        )
        if spec.trainer is not None:
            spec.trainer.start(self.tell, spec.name, spec.shards)
        if spec.postman is not None:
            spec.postman.start(self.tell)
            postman = spec.postman
            await patiently(spec, lambda: postman.recover(spec.store, spec.slice))
        if spec.scout is not None:
            spec.scout.start(self.tell)
        # What the last owner had not delivered is a quantum old at most: no clock went further than that.
        since = spec.clock.now() - QUANTUM
        for to, number in sorted(owner.sent.items()):
            self._courier.send(to, Chunk(spec.name, number, number, since, b""))
        self._ready = True
        spec.log.info("actor.recovered", shard=spec.name, epoch=owner.epoch)

    def _copied(self, states: int) -> None:
        self._numbers["checkpoint_states"] = float(states)

    def _has_work(self) -> bool:
        return bool(self._local) or self._taker.pending()

    async def _wait(self) -> None:
        """Wait until there is something to do: arrivals, a due wake-up, or the time to sweep."""
        while True:
            self._poke.clear()
            if self._committer.has_landed():
                await self._committer.land()
            if self.spec.postman is not None:
                await self._read_on(self.spec.postman)
                self.spec.postman.give_sessions()
            if self._local or self._stopping or self._may_begin():
                return
            clock = self.spec.clock
            since = clock.machine() - self._taker.swept
            if since >= self.spec.limits.sweep_seconds:
                with contextlib.suppress(Unavailable):
                    await self._taker.sweep()
                continue
            due = clock.seconds_until(self._next_due) if self._next_due is not None else None
            rest = self.spec.limits.sweep_seconds - since
            if self._choked():
                rest = min(rest, 0.02)
            if due is None or self._committer.flying is not None:
                await self._idle(rest)
            else:
                await self._idle(min(rest, due))

    async def _read_on(self, postman: Postman) -> None:
        """Let more of what waited before this owner came into the line."""
        if postman.runs_short():
            with contextlib.suppress(Unavailable):  # the next round asks again
                await postman.read_on(self.spec.store, self.spec.slice)

    def _may_begin(self) -> bool:
        """Say whether a batch can be begun: there is something to take, and no commit that it had better wait for."""
        choked = self._choked()
        if self._committer.flying is not None:
            is_much = self._taker.inbox.weight() >= self.spec.limits.overlap_letters_min
            return is_much and self._taker.pending(choked=choked)
        is_due = self._next_due is not None and self._next_due <= self._now()
        return self._taker.pending(choked=choked) or (is_due and not choked)

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
        if self._stopping or self._taker.inbox.weight() >= limits.batch_letters_max:
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
        spec = self.spec
        now = self._building_at = self._now()
        self._lower(now)
        choked = self._choked()
        wakes: list[tuple[str, datetime]] = []
        if not choked and not self._stopping and self._next_due and self._next_due <= now:
            wakes = await self._take_due(now)
        positions = self._committer.head.positions
        chunks = await self._taker.take(positions, choked=choked)
        for chunk in chunks:
            self._lower(chunk.at)
            # Or an effect would be dated before its cause: a mail in hours at which Rules would not send it.
            spec.clock.catch_up(chunk.at)
        now = self._now()
        local = list(self._local)
        self._local.clear()
        if spec.postman is not None:
            # An outcome and the session's next hand-over are one commit: no more are ever under way.
            settled, _ = mail_messages(local)
            local += [Letter(0, due) for due in spec.postman.next_due(len(settled))]
        return Intake(now, chunks, local, wakes, positions)

    async def _take_due(self, now: datetime) -> list[tuple[str, datetime]]:
        """Return whose wake-ups are due. The states in memory know which of them a commit under way has fired."""
        spec, limit = self.spec, self.spec.limits.batch_wakes_max
        flying = self._committer.flying
        if flying is not None and flying.intake.wakes_due:
            await self._committer.land()  # the store would show the same ones again
        wakes = await patiently(spec, lambda: spec.store.due(spec.bot.name, spec.slice, now, limit))
        if wakes and len(wakes) < limit:
            self._next_due, self._fired_at = None, now
        return wakes

    # One batch

    async def _one_batch(self) -> None:
        began = self.spec.clock.machine()
        intake = await self._take()
        self._building_told = intake.told_at()
        if not (intake.chunks or intake.local or intake.wakes_due):
            await self._committer.land()
            self._building_at = self._building_told = None
            await self._refresh_due(intake, None)
            await self.spec.clock.sleep(0.01)  # a hint of what is not to be seen yet
            return
        batch = Batch(intake, began)
        await self._build(batch)
        while not await self._committer.land(batch):
            await self._build(batch)
        self._committer.take_off(batch)
        self._building_at = self._building_told = None
        if self.spec.postman is not None:
            await self._committer.land()

    async def _build(self, batch: Batch) -> Built:
        return await self._committer.build(batch)

    async def _committed(self, batch: Batch, pinned: Container[str]) -> None:
        """Deliver and carry out what a commit allows."""
        spec, commit, intake = self.spec, batch.commit, batch.intake
        built = batch.built
        assert built is not None
        for out in commit.outbox:
            self._courier.send(out.to, Chunk(spec.name, out.number, out.number, out.at, out.body))
        if spec.postman is not None:
            settled, asked = mail_messages(intake.local)
            spec.postman.committed(built.folded.acts, settled, asked)
            if built.folded.forgotten:
                spec.postman.forget(built.folded.forgotten)
        if spec.scout is not None:
            spec.scout.committed(built.folded.acts, intake.local)
            if built.folded.forgotten:
                spec.scout.forget(built.folded.forgotten)
        if spec.trainer is not None:
            spec.trainer.committed(built.folded.acts)
        await self._refresh_due(intake, built)
        self._memory.shrink(pinned)
        self._pace.worked(batch.began, spec.clock.machine())
        self._numbers["processed_total"] += built.letters
        self._numbers["batches_total"] += 1
        self._last["batch_size"] = float(built.letters)
        self._last["commit_ms"] = batch.commit_seconds * 1000.0
        waited = spec.clock.seconds_since(intake.told_at())
        self._lag_longest = max(self._lag_longest, waited)
        spec.log.info(
            "batch.committed",
            shard=spec.name,
            batch=commit.batch,
            taken=built.letters,
            states=len(commit.states),
            commit_ms=round(self._last["commit_ms"], 1),
            ms=round((spec.clock.machine() - batch.began) * 1000.0, 1),
        )

    async def _refresh_due(self, intake: Intake, built: Built | None) -> None:
        """Keep `next_due` a lower bound of every stored wake-up; ask the store only after some fired."""
        spec = self.spec
        if intake.wakes_due or built is None:
            self._next_due = await patiently(
                spec, lambda: spec.store.next_due(spec.bot.name, spec.slice)
            )
            self._fired_at = None
            return
        for write in built.commit.states:
            if write.due is not None and (self._next_due is None or write.due < self._next_due):
                self._next_due = write.due

    def _lag_seconds(self) -> float:
        """Return how many machine seconds ago the oldest thing was told that is not committed yet; 0: there is none."""
        flying = self._committer.flying
        told = (
            self._building_told,
            flying.intake.told_at() if flying is not None else None,
            self._taker.oldest(),
        )
        oldest = min((at for at in told if at is not None), default=None)
        return self.spec.clock.seconds_since(oldest) if oldest is not None else 0.0

    # The world clock's gate

    def _lower(self, at: datetime) -> None:
        if self._low is None or at < self._low:
            self._low = at

    def _oldest(self) -> datetime | None:
        postman, scout = self.spec.postman, self.spec.scout
        flying = self._committer.flying
        candidates = (
            self._building_at,
            flying.intake.now if flying is not None else None,
            self._taker.oldest(),
            self._courier.oldest(),
            postman.oldest() if postman else None,
            scout.oldest() if scout else None,
        )
        return min((at for at in candidates if at is not None), default=None)


def _fares(scout: Scout) -> dict[str, float]:
    return {
        "look_ups_waiting": float(scout.waiting()),
        "look_ups_under_way": float(scout.under_way()),
        "looked_up_total": float(scout.looked_up_total),
    }
