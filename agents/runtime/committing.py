"""Build batches and commit them, the next one while the last is on its way to the store.

Rules
1. Batches are built and committed in order. At most one commit is under way, and one batch built upon it.
2. What is built upon a commit under way sees its states (in memory) and the identities it gives; nothing of it
   leaves before its own commit.
3. A commit that met a conflict voids what was built upon it: the states of both are forgotten, the first is built
   anew from what is stored and committed, then the other.
4. A failed commit that may succeed is repeated as it is (the store knows a repeat by its batch number).
5. A letter that makes `step` raise again and again goes into quarantine; the others of its batch go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field

import msgspec

from agents.protocol.bot import View
from agents.runtime.batch import (
    Builder,
    Built,
    Intake,
    newest,
)
from agents.runtime.courier import backoff
from agents.runtime.fold import Folding, Poisoned, Work
from agents.runtime.held import Held, Memory
from agents.runtime.patience import patiently
from agents.runtime.quarantine import Place, row_of
from agents.runtime.spec import ShardSpec
from agents.runtime.tables import stamped
from messaging.ports import Commit, Ownership, RowWrite
from messaging.vocabulary.effects import QueueSend
from messaging.vocabulary.errors import (
    CommitUnknown,
    Conflict,
    Suppressed,
    Unavailable,
    WorldError,
    raised_at,
)
from messaging.vocabulary.figures import summed
from messaging.vocabulary.letters import Letter
from messaging.vocabulary.messages import HandOverDue, MailOutcome


@dataclass
class Batch:
    """Hold a batch from its intake to its commit."""

    intake: Intake
    began: float
    """Machine time."""
    skipped: dict[Place, str] = field(default_factory=dict)
    """Letters in quarantine, with the reason."""
    quarantined: list[RowWrite] = field(default_factory=list)
    """Their rows."""
    suppressed: frozenset[str] = frozenset()
    """Mailboxes that a commit of this batch found suppressed."""
    states: dict[str, Held] = field(default_factory=dict)
    """What it was folded into."""
    built: Built | None = None
    commit_seconds: float = 0.0

    @property
    def commit(self) -> Commit:
        """Return what is to be committed."""
        assert self.built is not None, "a batch is built before it is committed"
        return self.built.commit


class OutcomeUnknown(WorldError):  # noqa: N818 - a fact, as in vocabulary.errors
    """Say that only a new owner can find out whether a batch was committed: this one must end."""


OnCommitted = Callable[[Batch, Container[str]], Awaitable[None]]
"""(batch, visitors whose states must stay in memory): what follows from a commit."""


class Committer:
    """Bring the batches of one shard to the store.

    Parameters:
        spec: the shard.
        builder: builds.
        memory: where the states are.
        on_committed: told of each commit, in order.
        wake: called when a commit under way has come to its end.
    """

    def __init__(
        self,
        spec: ShardSpec,
        builder: Builder,
        memory: Memory,
        on_committed: OnCommitted,
        wake: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._builder = builder
        self._memory = memory
        self._on_committed = on_committed
        self._wake = wake
        self._tries: dict[Place, int] = {}
        self._flying: Batch | None = None
        self._flight: asyncio.Task[None] | None = None
        self.view = spec.view
        self.owner = Ownership(0, 0, {}, {})
        """What the store holds."""
        self.head = self.owner
        """What the next batch is built upon: the store, or the commit under way to it."""
        self.quarantined_total = 0
        self.overlapped_total = 0
        """Batches built upon a commit under way."""
        self.voided_total = 0
        """Of those, batches whose commit met a conflict and took them along."""

    def start(self, owner: Ownership) -> None:
        """Begin where the last owner stopped."""
        self.owner = self.head = owner

    def stop(self) -> None:
        """Let go of a commit under way: it happens or it does not."""
        if self._flight is not None:
            self._flight.cancel()

    @property
    def flying(self) -> Batch | None:
        """Return the batch whose commit is under way."""
        return self._flying

    def has_landed(self) -> bool:
        """Return whether a commit has come to its end and `land` would not wait."""
        return self._flight is not None and self._flight.done()

    async def build(self, batch: Batch) -> Built:
        """Build a batch upon the head."""
        spec, builder = self._spec, self._builder
        intake = batch.intake
        while True:
            builder.skipped = batch.skipped
            given = self._flying.commit.identities if self._flying is not None else []
            plan = await patiently(spec, lambda g=given: builder.plan(intake, g))  # type: ignore[misc]
            batch.states = await patiently(spec, lambda p=plan: builder.load(p, intake))  # type: ignore[misc]
            view: View = msgspec.structs.replace(self.view, suppressed=batch.suppressed)
            number = self.head.batch + 1
            try:
                source = f"{spec.name}:{number}"
                folding, fired = builder.fold(plan, intake, batch.states, view, source)
                self._claim_sessions(folding, intake)
            except Poisoned as poisoned:
                # The states it touched are read again, which needs those of the commit under way in the store.
                await self.land(batch)
                self._forget(batch)
                self._poison(batch, poisoned)
                continue
            folded = folding.folded
            outbox = builder.outbox(folded.letters, self.head.sent, intake.now)
            taken = {chunk.stream: chunk.last for chunk in intake.chunks}
            states, changes = builder.states(folded)
            positions = self.head.positions | taken
            figures = self.head.figures
            if changes:
                figures = summed((figures.items(), changes.items()))
            commit = Commit(
                shard=spec.name,
                bot=spec.bot.name,
                epoch=self.head.epoch,
                batch=number,
                positions=positions,
                sent=self.head.sent | {out.to: out.number for out in outbox},
                record=builder.record(intake, plan, fired, view),
                states=states,
                outbox=outbox,
                rows=stamped(newest(folded.rows + plan.rows + batch.quarantined), positions),
                identities=plan.identities,
                guards=sorted(set(folded.guards)),
                figures=figures,
                rewritten=plan.rewritten,
                suppress=list(folded.suppress),
            )
            batch.built = Built(commit, folded, len(plan.works) + len(fired))
            self.overlapped_total += self._flying is not None
            return batch.built

    def take_off(self, batch: Batch) -> None:
        """Begin to commit a batch that was built upon what is stored now."""
        assert self._flying is None, "one commit is under way at a time"
        commit = batch.commit
        self.head = _after(commit)
        self._flying = batch
        self._flight = asyncio.ensure_future(self._commit(batch))
        self._flight.add_done_callback(self._came_down)

    async def land(self, following: Batch | None = None) -> bool:
        """Wait for the commit under way, and for what follows from it.

        Return False where it met a conflict: it is committed now, but what was built upon it (`following`) is void.
        Raise `Fenced`, `OutcomeUnknown`, or `Unavailable` when the store never answered.
        """
        batch, flight = self._flying, self._flight
        if batch is None or flight is None:
            return True
        is_clean = True
        try:
            await flight
        except (Conflict, Suppressed) as found:
            is_clean = False
            self._flying = self._flight = None
            self.head = self.owner
            if following is not None:
                self._forget(following)
                self.voided_total += 1
            await self._commit_anew(batch, found)
        self._flying = self._flight = None
        commit = batch.commit
        self.owner = _after(commit)
        if not is_clean:
            self.head = self.owner
        await self._on_committed(batch, following.states if following is not None else ())
        return is_clean

    def _came_down(self, flight: asyncio.Task[None]) -> None:
        if not flight.cancelled():
            flight.exception()  # `land` raises it; where nobody lands any more, nobody asks
        self._wake()

    async def _commit(self, batch: Batch) -> None:
        """Commit, repeating the very same commit while the store does not say that it happened."""
        spec = self._spec
        began = spec.clock.machine()
        is_unsure = False

        async def attempt() -> None:
            nonlocal is_unsure
            try:
                await spec.store.commit(batch.commit)
            except (Unavailable, CommitUnknown):
                is_unsure = True
                raise
            except Conflict as conflict:
                if not is_unsure:
                    raise
                # It may be there, or yet come: who builds anew now might count a batch twice.
                raise OutcomeUnknown(f"{spec.name}: a commit without an answer") from conflict

        await patiently(spec, attempt)
        batch.commit_seconds = spec.clock.machine() - began

    async def _commit_anew(self, batch: Batch, found: Conflict | Suppressed) -> None:
        """Build and commit a batch until nothing stands against it."""
        limits = self._spec.limits
        for tries in range(1, limits.conflict_tries):
            self._forget(batch)
            if isinstance(found, Suppressed):
                batch.suppressed |= found.mailboxes
            else:
                await self._spec.clock.sleep(backoff(limits, tries, self._spec.jitter))
            await self.build(batch)
            try:
                await self._commit(batch)
            except (Conflict, Suppressed) as again:
                found = again
            else:
                return
        raise Unavailable(f"{self._spec.name}: a batch met conflicts {limits.conflict_tries} times")

    def _forget(self, batch: Batch) -> None:
        """Let go of the states that a void building has touched: they are read again from the store."""
        for visitor in batch.states:
            self._memory.drop(visitor)

    def _claim_sessions(self, folding: Folding, intake: Intake) -> None:
        """Let sends that this batch queues be handed over by it, as far as sessions are free."""
        if self._spec.postman is None:
            return
        settled, _ = mail_messages(intake.local)
        for visitor, effect in list(folding.folded.acts):
            if not isinstance(effect, QueueSend):
                continue
            due = self._spec.postman.claim(visitor, effect, len(settled))
            if due is None:
                continue
            # Behind everything else the batch took, as a replay will find it.
            index = len(intake.local)
            intake.local.append(Letter(0, due))
            folding.take(folding.folded.touched[visitor], Work(due, 0, "local", 0, index))

    def _poison(self, batch: Batch, poisoned: Poisoned) -> None:
        spec, work = self._spec, poisoned.work
        place = (work.stream, work.position, work.index)
        tries = self._tries[place] = self._tries.get(place, 0) + 1
        error, at = type(poisoned.cause).__name__, raised_at(poisoned.cause)
        spec.log.warning("step.raised", shard=spec.name, tries=tries, error=error, at=at)
        if tries < spec.limits.poison_tries:
            return
        del self._tries[place]
        batch.skipped[place] = str(poisoned)
        self.quarantined_total += 1
        number = self.head.batch + 1
        batch.quarantined += row_of(spec.name, number, work, str(poisoned), batch.intake.now)
        kind = type(work.message).__name__
        spec.log.error("letter.quarantined", shard=spec.name, kind=kind, error=error, at=at)


def _after(commit: Commit) -> Ownership:
    return Ownership(commit.epoch, commit.batch, commit.positions, commit.sent, commit.figures)


def mail_messages(local: list[Letter]) -> tuple[set[str], set[str]]:
    """Return (sends whose outcome is among these letters, sends that were given a session)."""
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
