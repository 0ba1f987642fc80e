"""Let the members of the demo's audience live: they come, browse, read, click, buy, answer what the shop asks.

Rules
1. In go e-mails as they lie in a mailbox, what the shop offers, and world time; out come acts that a browser or a
   mail program can do. Nothing else passes: whoever learns from the acts learns what a real site would see.
2. Each occasion has chance of its own, so that the same seed gives the same people and the same answers, whatever the
   machine's speed does to the order of things.
3. Who has had their time is forgotten: the crowd holds those of the last weeks and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

import msgspec

from learning.audience.answering import Answer, answer_to, seen_of
from learning.audience.audience import BROWSER, PROXY
from learning.audience.cast import LEAVES, OPENS, Member, make_member, waits_for_next
from learning.audience.chance import Chance, chance_of
from learning.audience.people import content_taste, looks_at, make_person, subject_taste
from learning.audience.shopping import Fill, Look, Tell, View, visit
from learning.audience.world import DEFAULT

REMEMBERED = timedelta(days=40)
"""After so long nobody answers any more."""
SOON_MINUTES = 20.0
"""Who is cast for an answer looks at the mailbox after so long, and up to twice that."""


class Import(msgspec.Struct, frozen=True):
    """Be imported as a prospect, from a list on which they agreed to e-mails."""


class Open(msgspec.Struct, frozen=True):
    """Let a mail program show the pictures of an e-mail: fetch `url`."""

    url: str
    agent: str


class Scan(msgspec.Struct, frozen=True):
    """Let a mailbox's guard follow a link, asking first for its head."""

    url: str


class Click(msgspec.Struct, frozen=True):
    """Follow a link of an e-mail and see the page that it leads to."""

    url: str


class Leave(msgspec.Struct, frozen=True):
    """Unsubscribe by the mail program's button (RFC 8058)."""

    url: str


Do = View | Tell | Fill | Look | Import | Open | Scan | Click | Leave


class Act(msgspec.Struct, frozen=True):
    """Hold what one member does; `id` is the act's own."""

    at: datetime
    member: Member
    do: Do
    id: str


class MailSeen(msgspec.Struct, frozen=True):
    """Hold an e-mail as its reader has it: `pixel` and `links` as they stand in it, `leave` from its header."""

    address: str
    at: datetime
    subject: str
    pixel: str
    links: tuple[str, ...]
    leave: str


class _Life(msgspec.Struct):
    member: Member
    since: datetime
    mails: int = 0
    visits: int = 0
    has_bought: bool = False
    has_left: bool = False


class _Intent(msgspec.Struct, frozen=True):
    """Hold what is due that is no act yet: somebody comes for the first time, or looks at the mailbox."""

    number: int
    mail: MailSeen | None = None
    which: int = 0


class Crowd:
    """Hold everybody.

    Parameters:
        seed: the same seed gives the same people.
        start: world time at which the first one comes.
        first: number of the first member; a later crowd on the same data begins behind the one before.
    """

    def __init__(self, seed: int, start: datetime, first: int = 0) -> None:
        self._seed = seed
        self._first = first
        self._next = first
        self._lives: dict[int, _Life] = {}
        self._by_address: dict[str, int] = {}
        self._due: list[tuple[datetime, int, _Intent | Act]] = []
        self._pushed = 0
        self._push(start, _Intent(first))

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._lives)

    @property
    def next_number(self) -> int:
        """Return the number of who comes next."""
        return self._next

    def members(self) -> list[Member]:
        """Return who is remembered."""
        return [life.member for life in self._lives.values()]

    def due(self) -> datetime:
        """Return when something happens next: somebody always comes."""
        return self._due[0][0]

    def next(self) -> Act | None:
        """Return the act that is due next; None when only an intent was, and its acts are due from now on."""
        at, _, what = heappop(self._due)
        if isinstance(what, Act):
            return what
        if what.mail is None:
            self._come(what.number, at)
        elif (life := self._lives.get(what.number)) is not None:
            self._read(life, what.mail, what.which, at)
        return None

    def deliver(self, mail: MailSeen) -> None:
        """Put an e-mail into its mailbox; whose address is nobody's is lost."""
        life = self._lives.get(self._by_address.get(mail.address, -1))
        if life is None:
            return
        life.mails += 1
        person, which = life.member.person, life.mails
        self._let_machines_act(life, mail, which)
        chance = Chance(self._seed, person.number, "looks", which)
        at: datetime | None = None
        if which in life.member.role.answers:
            at = mail.at + timedelta(minutes=SOON_MINUTES * (1.0 + chance.uniform()))
        elif life.member.role.free:
            at = looks_at(person, mail.at, chance)
        if at is not None:
            self._push(at, _Intent(person.number, mail, which))

    def answer(self, act: Act, offers: list[dict[str, Any]]) -> Answer | None:
        """Return what somebody who looks up does with what the site offers: with one of it, as `sdk.js` shows it."""
        assert isinstance(act.do, Look), "only who looks up sees something"
        shown = seen_of(offers, leaving=act.do.leaving)
        if shown is None:
            return None
        member = act.member
        chance = Chance(self._seed, member.number, "answers", act.id)
        is_sure = not member.role.free and shown["type"] != "exit_offer"
        return answer_to(shown, chance, is_sure=is_sure)

    # What people do

    def _come(self, number: int, at: datetime) -> None:
        place = number - self._first
        self._next = number + 1
        self._push(at + waits_for_next(place), _Intent(number + 1))
        self._forget(at)
        person = make_person(self._seed, number, at, timedelta(0))
        member = make_member(self._seed, number, place, person)
        life = self._lives[number] = _Life(member, at)
        self._by_address[member.address] = number
        if not member.role.comes:
            self._act(life, at, Import(), "imported")
            return
        self._act(life, at, View("/"), "first")
        self._walk(life, at, member.role.comes)

    def _read(self, life: _Life, mail: MailSeen, which: int, at: datetime) -> None:
        """Look at an e-mail: leave it, open it, follow a link, or unsubscribe."""
        if life.has_left:
            return
        answer = life.member.role.answers.get(which) or self._feels(life, mail, which, at)
        if not answer:
            return
        self._act(life, at, Open(mail.pixel, BROWSER), f"opens {which}")
        if answer == LEAVES:
            life.has_left = True
            self._act(life, at + timedelta(minutes=1), Leave(mail.leave), f"leaves {which}")
        elif answer != OPENS and mail.links:
            clicks_at = at + timedelta(minutes=1)
            self._act(life, clicks_at, Click(mail.links[0]), f"clicks {which}")
            self._walk(life, clicks_at, answer)

    def _feels(self, life: _Life, mail: MailSeen, which: int, at: datetime) -> str:
        """Return what somebody answers by their own nature, empty for nothing."""
        person = life.member.person
        chance = Chance(self._seed, person.number, "reads", which)
        fresh = 0.5 ** ((at - mail.at) / DEFAULT.sinks)
        tired = person.tires * (which - 1)
        opens = person.reads + subject_taste(self._seed, person, mail.subject, mail.at) - tired
        if life.has_bought or not chance.happens(chance_of(opens) * fresh):
            return ""
        taste = content_taste(self._seed, person, mail.subject, mail.at)
        if chance.happens(chance_of(person.leaves - taste + 2.0 * tired)):
            return LEAVES
        if not chance.happens(chance_of(person.clicks + taste)):
            return OPENS
        return _whim(chance_of(person.wants + DEFAULT.click_lifts), chance)

    def _walk(self, life: _Life, at: datetime, plan: str) -> None:
        """Go through the shop, from the page that is open."""
        life.visits += 1
        number, now = life.member.number, at
        chance = Chance(self._seed, number, "visit", life.visits)
        for index, (minutes, do) in enumerate(visit(plan, chance, f"D-{number}-{life.visits}")):
            now += timedelta(minutes=minutes)
            self._act(life, now, do, f"visit {life.visits} step {index}")
        life.has_bought = life.has_bought or plan == "buys"

    def _let_machines_act(self, life: _Life, mail: MailSeen, which: int) -> None:
        """Let the provider fetch pictures and the guard follow links, as both do before anybody reads."""
        person = life.member.person
        chance = Chance(self._seed, person.number, "machines", which)
        if person.is_prefetched:
            at = mail.at + timedelta(seconds=1 + chance.waits(120.0))
            self._act(life, at, Open(mail.pixel, PROXY), f"prefetch {which}")
        if person.is_scanned:
            for index, link in enumerate(mail.links):
                at = mail.at + timedelta(seconds=1 + index)
                self._act(life, at, Scan(link), f"scan {which} link {index}")

    def _act(self, life: _Life, at: datetime, do: Do, name: str) -> None:
        self._push(at, Act(at, life.member, do, f"{life.member.number} {name}"))

    def _push(self, at: datetime, what: _Intent | Act) -> None:
        self._pushed += 1
        heappush(self._due, (at, self._pushed, what))

    def _forget(self, now: datetime) -> None:
        """Forget who came too long ago; they stand in the order in which they came."""
        for number in list(self._past(now)):
            del self._by_address[self._lives.pop(number).member.address]

    def _past(self, now: datetime) -> Iterator[int]:
        for number, life in self._lives.items():
            if life.since + REMEMBERED > now:
                return
            yield number


def _whim(buys: float, chance: Chance) -> str:
    """Return the plan of a visit that nobody planned, given how likely a purchase is."""
    if chance.happens(buys):
        return "buys"
    return ("wanders", "compares", "compares", "carts", "glances")[chance.below(5)]
