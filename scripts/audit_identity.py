"""Compare the index of identity keys with the events that were taken: who came under a key is found by it.

Rules
1. Every key that an event brought leads to somebody, but for those whose owner was erased, and for the former user id
   of an alias, which leads to nobody if nobody had it. That somebody came under this very key at some time.
2. Who has a user id or an address has a row of their own. It says that they have a user id, and since when they are
   known, as their keys do.
3. Who was merged leads, by such rows, to whom the event that showed it was given.
4. What is read may be newer than what was folded, but nothing is taken away save by an erasure: what is lacking is
   lacking. Only whose event led a key elsewhere may be seen later, or never, by a shard that was cut before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agents.behavior_bot.identity import Row, text_id, visitor_key
from agents.runtime.eraser import DONE, ERASURES
from agents.runtime.registry import IDENTITY
from messaging.ports import Store
from messaging.vocabulary.events import Aliased, Fact, Record
from messaging.vocabulary.ids import ERASED_LATEST, erased_key, micros_of, user_key

HOPS_MAX = 64
"""Longest way from somebody who was merged to who they are now."""

KINDS = {"u": "user id", "e": "address", "a": "browser", "v": "row of their own"}
"""How a key is called by what it begins with: the key itself names a person."""

OWN = "v:"

UNNOTED = "the latest erasure is not noted: what comes late would bring somebody back"

Whose = dict[str, set[str]]
"""Key -> visitors whose events brought it."""


class Identities:
    """Watch whose each journaled event was, and look their keys up.

    Args:
        found: is told (rule, what) of what should not be.
        veil: identity key -> its keyed hash.
        knows_all: whether every event of every visitor is watched, so that a key may only lead to one of these.
    """

    def __init__(
        self, found: Callable[[str, str], None], veil: Callable[[str], str], *, knows_all: bool
    ) -> None:
        self._found = found
        self._veil = veil
        self.knows_all = knows_all
        self._asked: Whose = {}
        self._merged: dict[str, set[str]] = {}
        """Younger -> whose the events were that showed it."""
        self._done: set[int] = set()
        """Hashes of keys that are as they should be: millions of keys fit into memory."""
        self._astray: dict[str, str] = {}
        """Key -> where it leads, and no event that was seen led it there."""
        self._cuts: dict[str, int] = {}
        self.seen = 0

    def observe(self, record: Record, whose: str, merging: list[str]) -> None:
        """Take a journaled event, whose it was found to be, and who was merged by it."""
        event = record.event
        if isinstance(event, Fact):
            return
        former = user_key(text_id(event.previous_id)) if isinstance(event, Aliased) else ""
        for key in IDENTITY.keys_of(record, event):
            if key != former and not key.startswith(OWN):
                self._take(key, whose)
        for younger in merging:
            self._merged.setdefault(younger, set()).add(whose)

    def _take(self, key: str, whose: str) -> None:
        if hash(key) in self._done:
            return
        if key not in self._astray:
            self._asked.setdefault(key, set()).add(whose)
        elif self._astray[key] == whose:
            del self._astray[key]
            self._done.add(hash(key))

    async def look(self, store: Store, *, at_least: int = 1) -> None:
        """Look up the keys that were taken, once there are so many of them."""
        if len(self._asked) + len(self._merged) < at_least:
            return
        asked, self._asked = self._asked, {}
        merged, self._merged = self._merged, {}
        self.seen += len(asked)
        rows = await store.identities(sorted(asked))
        named = {key: row for key, row in rows.items() if not key.startswith("a:")}
        own = await _own_rows(store, {row[0] for row in named.values()})
        lost: Whose = {}
        for key, whose in asked.items():
            row = rows.get(key)
            if row is None:
                lost[key] = whose
            elif row[0] in whose:
                self._done.add(hash(key))
            else:
                self._astray[key] = row[0]
        for key, row in named.items():
            if row[0] in own:
                self._own(key, row, own[row[0]])
            else:
                lost[visitor_key(row[0])] = {row[0]}
        await self._say_lost(store, lost)
        await self._follow(store, merged)

    def cut(self, shard: str, batch: int) -> None:
        """Take up to which batch a shard was folded."""
        self._cuts[shard] = batch

    async def end(self, store: Store) -> None:
        """Say of which keys no event is known that led them where they lead."""
        await self.look(store)
        await self._noted(store)
        if not self.knows_all:
            return
        if len(self._cuts) > 1 and await self._has_moved(store):
            return  # one shard may have led them there after it was folded: the next audit sees it
        for key, visitor in sorted(self._astray.items()):
            kind = KINDS[key[0]]
            self._found("identity", f"a key ({kind}) leads to {visitor}, who never came under it")

    async def _noted(self, store: Store) -> None:
        """Say whether it is not known when somebody was erased last: it is noted before an erasure is done."""
        done = await store.rows(ERASURES, {"status": DONE}, limit=1)
        noted = (await store.identities([ERASED_LATEST])).get(ERASED_LATEST, ("", 0))[1]
        if done and noted < micros_of(done[0]["at"]):
            self._found("identity", UNNOTED)

    async def _has_moved(self, store: Store) -> bool:
        for shard, batch in self._cuts.items():
            owner = await store.owner(shard)
            if owner is None or owner.batch != batch:
                return True
        return False

    def _own(self, key: str, row: Row, own: Row) -> None:
        """Compare a key's row with that of the visitor it leads to."""
        visitor, born = row
        into, mark = own
        if into != visitor:
            return  # they were merged: their row leads to who they are now
        if born != (mark if mark >= 0 else ~mark):
            said = f"{visitor} is known since another moment by a key ({KINDS[key[0]]}) than by their own row"
            self._found("identity", said)
        if key.startswith("u:") and mark >= 0:
            self._found("identity", f"{visitor} has a user id, and their own row does not say so")

    async def _say_lost(self, store: Store, lost: Whose) -> None:
        """Say which keys lead to nobody, but for those whose owner was erased."""
        gone = await self._erased(store, lost)
        for key, whose in sorted(lost.items()):
            if key not in gone:
                who = ", ".join(sorted(whose))
                self._found("identity", f"a key of {who} ({KINDS[key[0]]}) leads to nobody")

    async def _erased(self, store: Store, keys: Iterable[str]) -> set[str]:
        """Return the keys whose owner was erased. Asked after they were missed: that is noted before they go."""
        notes = {erased_key(self._veil(key)): key for key in keys}
        return {notes[note] for note in await store.identities(sorted(notes))}

    async def _follow(self, store: Store, merged: Whose) -> None:
        """Follow each who was merged, until it is whose the event was."""
        ways = {(younger, whose): younger for younger, some in merged.items() for whose in some}
        for _ in range(HOPS_MAX):
            if not ways:
                return
            rows = await _own_rows(store, set(ways.values()))
            ends = {at for at in ways.values() if at not in rows or rows[at][0] == at}
            gone = await self._erased(store, {visitor_key(at) for at in ends})
            further: dict[tuple[str, str], str] = {}
            for (younger, whose), at in ways.items():
                if visitor_key(at) in gone:
                    continue
                if at in ends:
                    self._found("identity", f"{younger} was merged, and does not lead to {whose}")
                elif rows[at][0] != whose:
                    further[younger, whose] = rows[at][0]
            ways = further


async def _own_rows(store: Store, visitors: set[str]) -> dict[str, Row]:
    """Return visitor -> the row of their own, of those who have one."""
    keys = {visitor_key(visitor): visitor for visitor in visitors}
    return {keys[key]: row for key, row in (await store.identities(sorted(keys))).items()}
