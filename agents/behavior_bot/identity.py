"""Find out whose an event is: keys, their owners, and visitors that turn out to be one.

Rules
1. Keys by strength: user id > e-mail > signed browser tag > anonymous id. Only `traits.email` and
   `context.traits.email` name an address: a property may hold a friend's.
2. A user id makes a visitor its own for good. Two visitors with different user ids are never made one,
   whatever they share; an anonymous id stays with the first of them, and so does an address (the
   second is then a *member* of that mailbox).
3. Two visitors found to be one: the younger moves into the older. Older is who was born (first seen)
   at the lower journal position, so that the answer does not depend on who is asked.
4. Besides the keys there is one row for each visitor that has an address, a user id or a tombstone:
   `v:<id>` -> (the visitor it is now part of, born). `born` is complemented (`~born`, negative) where
   the visitor has a user id. It is one row and not two, so that a merge and a claim that happen at
   once in two shards collide at the store instead of both succeeding.
5. Rows of keys that did not come in the event are not rewritten by a merge; they lead to the older
   visitor by the `v:` row, or by the tombstone.
6. Nothing depends on where one batch ends and the next begins.
7. A key whose owner was erased leads to nobody. What comes under it later begins a visitor with another id.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.events import Aliased, Call, Event, Fact, Identify, Record
from messaging.vocabulary.ids import (
    anonymous_key,
    email_key,
    kept_id,
    reborn_id_for,
    user_key,
    visitor_id_for,
)
from messaging.vocabulary.records import IdentityWrite

Row = tuple[str, int]


class Resolution(msgspec.Struct, frozen=True):
    """Say whom an event belongs to, and what it showed."""

    visitor: str
    merges: list[tuple[str, str]] = []
    """(younger, older) for visitors that this event showed to be one, in order."""
    member: bool = False
    """True where the event's address is another visitor's mailbox."""


def visitor_key(visitor: str) -> str:
    """Return the key of a visitor's own row: what it was merged into, and whether it has a user id."""
    return "v:" + visitor


def address_of(event: Call | Fact) -> str | None:
    """Return the e-mail address that an event carries for its visitor, None if there is none.

    What cannot be written to is none: nobody is known by it, and no e-mail is planned that must fail.
    """
    if not isinstance(event, Call):
        return None
    found = None
    if isinstance(event, Identify) and event.traits:
        found = event.traits.get("email")
    if found is None and event.context is not None and event.context.traits:
        found = event.context.traits.get("email")
    if not isinstance(found, str):
        return None
    try:
        written_address(found)
    except AddressRefused:
        return None
    return found.strip()


def text_id(value: str | int | None) -> str:
    """Return an id as text, hashed if it is very long; empty if there is none: blanks are nobody's."""
    text = "" if value is None else str(value)
    return kept_id(text) if text.strip() else ""


def keys_of(record: Record, event: Event) -> list[str]:
    """Return the identity keys of an event, the strongest first; none for the gateway's own facts."""
    if isinstance(event, Fact):
        return []
    keys = []
    user = text_id(event.user_id) if event.user_id is not None else ""
    if user:
        keys.append(user_key(user))
    previous = text_id(event.previous_id) if isinstance(event, Aliased) else ""
    if previous and previous != user:
        keys.append(user_key(previous))
    if isinstance(event, Identify) or (event.context is not None and event.context.traits):
        address = address_of(event)
        if address is not None:
            keys.append(email_key(address))
    if record.tagged:
        keys.append(visitor_key(record.tagged))
    anonymous = text_id(event.anonymous_id)
    if previous and previous != anonymous:
        keys.append(anonymous_key(previous))
    if anonymous:
        keys.append(anonymous_key(anonymous))
    return keys


def further_keys(groups: Iterable[list[str]], known: dict[str, Row], asked: set[str]) -> list[str]:
    """Return the keys that must be read as well before these events can be resolved; ask until empty.

    Only events whose keys do not agree on one known visitor need any: most batches need none.

    Args:
        groups: the keys of each event of the batch.
        known: the rows read so far.
        asked: the keys read so far, found or not.
    """
    wanted: set[str] = set()
    for keys in groups:
        if len(keys) <= 1:
            continue  # one key agrees with itself
        rows = [known.get(key) for key in keys]
        owners = {row[0] for row in rows if row is not None}
        if len(owners) <= 1 and None not in rows:
            continue
        wanted.update(visitor_key(owner) for owner in owners)
    # A visitor that was merged leads to another one, whose row counts as well.
    wanted.update(visitor_key(row[0]) for key, row in known.items() if key.startswith("v:"))
    return sorted(wanted - asked)


class Resolver:
    """Resolve the events of one batch in order; what must be written is collected."""

    def __init__(self, known: dict[str, Row], erased: dict[str, int] | None = None) -> None:
        """`erased`: key -> when its owner was erased (microseconds), of the keys that have none."""
        self._before = known
        self._rows = dict(known)
        self._erased = erased or {}

    def resolve(self, record: Record, event: Event, keys: list[str] | None = None) -> Resolution:
        """Return whom an event belongs to, and link its keys (`keys_of`, where the caller has them)."""
        if isinstance(event, Fact):
            return Resolution(event.visitor)
        if keys is None:
            keys = keys_of(record, event)
        first: Row | None = None
        for key in keys:
            row = self._rows.get(key)
            if row is None or (first is not None and row[0] != first[0]):
                break
            first = row
        else:
            if first is not None:
                return Resolution(self._owner(first)[0])
        previous = ""
        if isinstance(event, Aliased):
            previous = user_key(text_id(event.previous_id))
        return self._link(record, keys, previous)

    def leads(self, key: str) -> bool:
        """Say whether a key leads to anybody by now."""
        return key in self._rows

    def writes(self) -> list[IdentityWrite]:
        """Return the identity rows to write with the batch, in the order of their keys."""
        found = []
        for key in sorted(self._rows):
            row, before = self._rows[key], self._before.get(key)
            if row != before:
                found.append(IdentityWrite(key, row[0], row[1], before))
        return found

    def _link(self, record: Record, keys: list[str], previous: str) -> Resolution:
        """Choose the event's visitor, make one what is one, and give the visitor the free keys."""
        user = keys[0] if keys and keys[0].startswith("u:") and keys[0] != previous else ""
        base, born = self._choose(record, keys, user, previous)
        merges: list[tuple[str, str]] = []
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                continue
            other, other_born, other_claimed = self._owner(row)
            claimed = bool(user) or self._owner((base, born))[2]
            if other == base or (claimed and other_claimed):
                continue
            base, born = self._merge((base, born), (other, other_born), merges)
        member = self._give(keys, base, born, previous)
        if user:
            self._rows[visitor_key(base)] = (base, ~born)
        return Resolution(base, merges, member)

    def _choose(self, record: Record, keys: list[str], user: str, previous: str) -> Row:
        """Return (visitor, born) that an event belongs to before any merge."""
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                continue
            visitor, born, claimed = self._owner(row)
            # A new user id does not take over a visitor that has one, unless an alias says so.
            if not user or not claimed or key in (user, previous):
                return visitor, born
        names = [key for key in keys if not key.startswith("v:") and key != previous]
        name = names[0] if names else "m:" + record.first_id
        erased_at = self._erased.get(name)
        if erased_at is not None:
            return reborn_id_for(name, erased_at), record.position
        return visitor_id_for(name), record.position

    def _merge(self, left: Row, right: Row, merges: list[tuple[str, str]]) -> Row:
        """Merge the younger of two visitors into the older one and return that."""
        older, younger = sorted((left, right), key=lambda row: (row[1], row[0]))
        claimed = self._owner(left)[2] or self._owner(right)[2]
        self._rows[visitor_key(younger[0])] = older
        if claimed:
            self._rows[visitor_key(older[0])] = (older[0], ~older[1])
        merges.append((younger[0], older[0]))
        return older

    def _give(self, keys: list[str], base: str, born: int, previous: str) -> bool:
        """Point the event's keys at its visitor; return whether the address stays with somebody else."""
        member = False
        for key in keys:
            if key.startswith("v:"):
                continue
            row = self._rows.get(key)
            if row is None:
                if key == previous:
                    continue
            elif self._owner(row)[0] != base:
                member = member or key.startswith("e:")
                continue
            self._rows[key] = (base, born)
            if not key.startswith("a:"):
                self._rows.setdefault(visitor_key(base), (base, born))
        return member

    def _owner(self, row: Row) -> tuple[str, int, bool]:
        """Follow merges: return (visitor, born, whether it has a user id)."""
        visitor, born = row[0], row[1] if row[1] >= 0 else ~row[1]
        while True:
            found = self._rows.get(visitor_key(visitor))
            if found is None:
                return visitor, born, False
            target, mark = found
            if target == visitor:
                return visitor, mark if mark >= 0 else ~mark, mark < 0
            visitor, born = target, mark if mark >= 0 else ~mark
