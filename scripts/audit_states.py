"""Compare what one shard keeps with what its record makes: states, the fields beside them, and its owner document.

Rules
1. The stored states are the folded ones, byte for byte, and nobody's is missing.
2. What a state is found by follows from it: its partition, its groups, when it is next due.
3. What all visitors count as is the sum over their states. Each batch rounds fractions, so these may differ by that.
4. Other code may count otherwise. After an upgrade figures go on from those of the checkpoint, and groups are looked
   at where they changed since: only then did this code write them.
5. How much a shard has written for another is the number of the last document that stands in its outbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from agents.runtime.eraser import DONE, ERASURES
from agents.runtime.held import groups_of
from agents.runtime.replay import Replayer
from messaging.ports import Checkpoint, Ownership, StateRead, Store
from messaging.vocabulary.figures import DECIMALS
from messaging.vocabulary.ids import PARTITIONS, partition_of

LOAD_MAX = 2_000
ROWS_MAX = 5_000_000

EVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Behind every wake-up."""

APART_MAX = 0.4
"""What a figure may be apart at most: one visitor more or less is always found."""

SHARE = 1e-9
"""By this share of itself a sum of a million fractions may be apart: they are added in another order."""


class States:
    """Look at one shard; make it once the replayer has begun, and compare at the end of the fold.

    Args:
        replayer: folds the shard.
        shard: (index, of how many).
        bot: whose it is.
        only: the only visitor looked at; None: all.
        peers: names of all shards there are.
        head: the checkpoint from which is folded, None without one.
    """

    def __init__(
        self,
        replayer: Replayer,
        bot: str,
        shard: tuple[int, int],
        only: str | None,
        *,
        peers: Iterable[str],
        head: Checkpoint | None,
    ) -> None:
        self._replayer = replayer
        self._bot = bot
        self._shard = shard
        self._only = only
        self._peers = peers
        self._head = head
        self._before: dict[str, list[str]] = {}
        """Visitor of the checkpoint -> the groups that this code would have put them into then."""
        self._sums: dict[str, float] = {}
        """What the visitors count as, without what they did in the checkpoint."""
        self.seen = 0
        """States compared."""
        for visitor, figures in replayer.figures() if head is not None else ():
            self._before[visitor] = groups_of(figures)
            self._add(figures, -1)

    async def compare(self, store: Store, owner: Ownership | None) -> list[tuple[str, str]]:
        """Return (rule, what differs); `store` stands still, `owner` is of that moment."""
        differing = [*await self._unequal(store), *await self._undue(store)]
        found = [("state", what) for what in differing]
        if owner is None or self._only is not None:
            return found
        found += [("figures", what) for what in await self._miscounted(store, owner)]
        return found + [("positions", what) for what in await self._missent(store, owner)]

    # States

    async def _unequal(self, store: Store) -> list[str]:
        """Return what is wrong with the stored states: those that differ from the fold, or are missing."""
        replayer = self._replayer
        folded = replayer.bodies()
        missing = replayer.written()
        unequal: list[str] = []
        after = ""
        while ids := (
            [self._only] if self._only else await store.visitors(self._bot, after, LOAD_MAX)
        ):
            after = ids[-1]
            stored = await store.states(self._bot, [each for each in ids if self._is_mine(each)])
            self.seen += len(stored)
            missing -= stored.keys()
            for visitor, read in stored.items():
                if folded.get(visitor) != replayer.stored(read.body):
                    unequal.append(f"{visitor} differs from its record")
                if visitor in folded:
                    unequal += self._mislaid(visitor, read)
            if self._only:
                break
        return unequal + [f"the state of {visitor} is missing" for visitor in sorted(missing)]

    def _mislaid(self, visitor: str, read: StateRead) -> list[str]:
        """Return by what a stored state would not be found; what it counts as is added up on the way."""
        figures = self._replayer.figures_of(visitor)
        self._add(figures, 1)
        wrong = []
        if read.partition != partition_of(visitor):
            wrong.append(f"{visitor} stands in another partition than its own")
        groups = groups_of(figures)
        if groups != read.groups and groups != self._before.get(visitor):
            wrong.append(f"{visitor} is listed in other groups than its state says")
        return wrong

    async def _undue(self, store: Store) -> list[str]:
        """Return who would not be found when they are next due: their wake-ups are lost, or come at another time."""
        stored = dict(await store.due(self._bot, self._shard, EVER, ROWS_MAX))
        wanted = self._replayer.dues()
        return [
            f"{visitor} would not be woken when they are next due"
            for visitor in sorted(wanted.keys() | stored.keys())
            if self._only in (None, visitor) and stored.get(visitor) != wanted.get(visitor)
        ]

    def _is_mine(self, visitor: str) -> bool:
        index, of = self._shard
        return partition_of(visitor) * of // PARTITIONS == index

    # The owner document

    def _add(self, figures: dict[str, float], sign: int) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + sign * value

    async def _miscounted(self, store: Store, owner: Ownership) -> list[str]:
        """Return the figures that the states do not add up to."""
        begun, head = 0, self._head
        if head is not None:
            if head.figures is None or await _erased_since(store, head.at):
                return []  # whose part in the checkpoint's figures is not known any more
            self._add(head.figures, 1)
            begun = head.batch
        rounded = min(APART_MAX, 10.0**-DECIMALS * (owner.batch - begun + 1))
        wrong = []
        for name in sorted(self._sums.keys() | owner.figures.keys()):
            says, makes = owner.figures.get(name, 0.0), self._sums.get(name, 0.0)
            if abs(says - makes) > rounded + SHARE * abs(makes):
                wrong.append(f"{name} counts {says:g}, the states make {makes:g}")
        return wrong

    async def _missent(self, store: Store, owner: Ownership) -> list[str]:
        """Return where the record and the outboxes end elsewhere than is said."""
        wrong = []
        if owner.batch != self._replayer.batch:
            last = self._replayer.batch
            wrong.append(f"batch {owner.batch} is said to be the last, the record ends with {last}")
        for to in sorted({*owner.sent, *self._peers}):
            says = owner.sent.get(to, 0)
            found = await store.read_outbox(self._replayer.name, to, max(0, says - 1), 2)
            if [chunk.last for chunk in found] != ([says] if says else []):
                wrong.append(
                    f"{says} documents are said to be written for {to}, its outbox ends elsewhere"
                )
        return wrong


async def _erased_since(store: Store, at: datetime) -> bool:
    """Say whether anybody was erased after a moment, or is being erased."""
    rows = await store.rows(ERASURES, {}, limit=ROWS_MAX)
    return any(row["status"] != DONE or row["completed_at"] >= at for row in rows)
