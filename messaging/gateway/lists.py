"""Put people on a static list, and take them off.

Rules
1. A change is a call in the journal like any other, but of a type that no public route takes (`Listed`): it is taken
   once, replayed, exported and erased with the person. Whoever is put on a list and is not known yet comes to be known
   by it.
2. Consent is never implied: where people agreed to be written to, the request names on what basis.
3. Nobody comes to be known by being taken off a list: who is not known is named.
4. A request has a name that the caller gives it; said again within the journal's 30 days it changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from messaging.gateway.deps import Gateway
from messaging.gateway.paging import After, cut
from messaging.gateway.problems import ProblemError
from messaging.store.audit_log import AUDIT_LOG, Change, note, without_addresses
from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.errors import RejectedEvent
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import email_key, own_id, user_key

MEMBERS = "list_members"
ON, OFF = "on", "off"
ADD, REMOVE = "add", "remove"
DONE = {ADD: "list.added", REMOVE: "list.removed"}

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""Rules ask for it as for the trait `lists.<name>`, within a trait name's 48 characters."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Hold what one call wants."""

    name: str
    people: list[str]
    """Addresses and user ids."""
    request: str
    basis: str
    """On what basis they agreed to be written to; empty: nothing is said of that."""


@dataclass(frozen=True, slots=True)
class Named:
    """Say by what a call finds somebody: an address, or a user id (some sites have addresses for those)."""

    value: str
    is_address: bool


async def change(gateway: Gateway, action: str, wanted: Listing, *, by: str) -> dict[str, Any]:
    """Journal a change for each person; return how many were new to this request, known before, refused or unknown."""
    check_name(wanted.name)
    known = await _known(gateway, wanted.people)
    unknown = [each for each, name in known.items() if name is None] if action == REMOVE else []
    whom = dict.fromkeys(known[each] or _named(each) for each in known if each not in unknown)
    records: list[Record] = []
    refused: list[dict[str, str]] = []
    for name in whom:
        try:
            records.append(_record(gateway, action, wanted, name))
        except RejectedEvent as error:
            refused.append({"person": name.value, "reason": error.reason})
    are_new = await gateway.collector.take(records)
    if any(are_new):
        basis = f", consent: {without_addresses(wanted.basis)}" if wanted.basis else ""
        said = f"{sum(are_new)} {'person' if sum(are_new) == 1 else 'people'}{basis}"
        did = Change(by=by, act=DONE[action], of=wanted.name, said=said)
        await note(gateway.deps.store, did, gateway.deps.wall_now())
    new = sum(are_new)
    return {"changed": new, "before": len(are_new) - new, "unknown": unknown, "refused": refused}


async def _known(gateway: Gateway, people: list[str]) -> dict[str, Named | None]:
    """Return person -> by what a call finds them, None for who is not known by any of it.

    An address that is written in two ways is one person's, as are two names of one visitor: what stands first is taken.
    A visitor id or a browser's id says who is meant, too, but a call that bore it would make somebody new.
    """
    first: dict[str, str] = {}
    for each in people:
        first.setdefault(_key(_named(each)), each)
    tried = {each: [_named(each), Named(each, is_address=False)] for each in first.values()}
    keys = [_key(name) for names in tried.values() for name in names]
    there = await gateway.deps.store.identities(keys)
    found: dict[str, Named | None] = {}
    seen: set[str] = set()
    for person, names in tried.items():
        name = next((each for each in names if _key(each) in there), None)
        if name is None:
            found[person] = await _other_name(gateway, person)
        elif (visitor := there[_key(name)][0]) not in seen:
            seen.add(visitor)
            found[person] = name
    return found


def _named(person: str) -> Named:
    return Named(person, is_address="@" in person)


def _key(name: Named) -> str:
    return email_key(name.value) if name.is_address else user_key(name.value)


async def _other_name(gateway: Gateway, person: str) -> Named | None:
    visitor = await gateway.deps.reader.find(person)
    shown = await gateway.deps.reader.visitor(visitor) if visitor is not None else None
    if shown is None:
        return None
    names = [Named(each, is_address=False) for each in shown["user_ids"]]
    names += [Named(shown["email"], is_address=True)] if shown["email"] else []
    return next(iter(names), None)


def _record(gateway: Gateway, action: str, wanted: Listing, name: Named) -> Record:
    """Return the call that puts one person on a list, or takes them off. Raise RejectedEvent."""
    if name.is_address:
        _check_address(name.value)
    call: dict[str, Any] = {"type": "identify"}
    call |= {"traits": {"email": name.value}} if name.is_address else {"userId": name.value}
    if action == ADD and wanted.basis:
        agreed = {"categoryPreferences": {"email": True}, "basis": wanted.basis}
        call["context"] = {"consent": agreed}
    record = gateway.reader.replayed(msgspec.json.encode(call), gateway.deps.clock.now())
    listed = {"type": "listed", "lists": {wanted.name: action == ADD}}
    record.raw = msgspec.json.encode(call | listed)
    record.message_id = own_id("listed", wanted.name, action, wanted.request, name.value)
    return record


def _check_address(person: str) -> None:
    """Raise RejectedEvent for what nobody could be known by: a call that bore it would find and make nobody."""
    try:
        written_address(person)
    except AddressRefused:
        raise RejectedEvent("is no address that can be written to") from None


async def show(gateway: Gateway, name: str, limit: int, after: After | None) -> dict[str, Any]:
    """Return who stands on a list: how many, and a page of them, the newest first."""
    check_name(name)
    match = {"list": name, "status": ON}
    store = gateway.deps.store
    rows, next_ = cut(await store.rows(MEMBERS, match, limit=limit + 1, after=after), limit)
    members = [{"visitor": row["visitor"], "since": row["at"]} for row in rows]
    people = await store.count(MEMBERS, match)
    return {"name": name, "people": people, "members": members, "after": next_}


async def check_known(gateway: Gateway, name: str) -> None:
    """Raise a 404 for a list that nobody was ever put on and that the rules do not ask for, a 422 for no name of one.

    Who is put on it stands there a moment later: from the order on it is known by that.
    """
    check_name(name)
    store, book = gateway.deps.store, gateway.deps.rulebook
    if await store.rows(MEMBERS, {"list": name}, limit=1, only=("list",)):
        return
    if await store.rows(AUDIT_LOG, {"act": DONE[ADD], "of": name}, limit=1, only=("of",)):
        return
    if book is None or name not in await book.lists():
        raise ProblemError(404, "there is no such list")


async def names(gateway: Gateway, after: str, limit: int) -> dict[str, Any]:
    """Return a page of the lists that anybody was ever put on, by name, with how many stand there now.

    All are counted in one look, and what `check_name` would refuse is left out: nobody could ask for it.
    """
    counted = await gateway.deps.store.tallies(MEMBERS, ("list", "status"), after)
    known = sorted({name for name, _ in counted if name > after and _NAME.fullmatch(name)})
    page = [{"name": name, "people": counted.get((name, ON), 0)} for name in known[:limit]]
    return {"lists": page, "after": known[limit - 1] if len(known) > limit else None}


def check_name(name: str) -> None:
    """Raise a 422 for what cannot be the name of a list."""
    if not _NAME.fullmatch(name):
        allowed = "small letters, digits, - and _, 40 at most"
        raise ProblemError(422, f"a list cannot be called so: {allowed}", field="id")
