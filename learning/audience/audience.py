"""Let made-up people live: they come, browse, get mails, read, click, buy, tire and leave.

Rules
1. In go mails (what a mailbox would hold) and world time; out come acts (what HTTP would carry). Nothing else
   passes, so that whoever learns from the acts learns from what a real site would see.
2. Each occasion has chance of its own: the n-th visit and the n-th mail of a person are drawn alike, whatever
   came in between. Two arms of a comparison differ by what was done to people, not by luck.
3. Machines act on every mail at once, people only when they look at the mailbox.
4. What somebody does follows from the seed, the occasion and world time: who feeds this audience a mail a second later
   sees the same acts a second later, whatever else was fed in between.
5. Who is in the shop looks up between two pages and on the way out. What is offered then the caller says (`answer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import chain, repeat
from typing import Any

import msgspec

from learning.audience.answering import answer_to, seen_of
from learning.audience.chance import Chance, chance_of
from learning.audience.people import (
    ARRIVAL_SHARE,
    Person,
    Profile,
    content_taste,
    looks_at,
    make_person,
    shops_at,
    subject_taste,
)
from learning.audience.visits import visit
from learning.audience.world import DEFAULT, World
from messaging.vocabulary.events import Fact, MailClicked, MailOpened, Unsubscribed

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
SCANNER = "Mozilla/5.0"
"""Under exactly this name the fetchers of mailbox providers come; no browser does."""

REMEMBERED_DAYS = 7.0
"""Half-life of the tiredness that a mail leaves."""
LOADING = timedelta(seconds=1)
"""From the click to the page."""
LOOKS_UP = timedelta(seconds=4)
"""From a page to the look at what came up on it; the next page comes later than that."""
LEAVES_AFTER = timedelta(seconds=10)
"""From the last page to the way out."""
ANSWERS_AFTER = timedelta(seconds=2)
"""From the look to the answer, at least, and twice as long at most: it comes before the next page (`visits.STAYS`)."""
RESTS = timedelta(days=0.2)
"""Between two visits of one's own accord, at least."""
DAY = timedelta(days=1)
SELDOM = 0.02
"""Visits a week below which nobody comes by themselves any more."""
SATED = 3.0
"""Log odds that are gone after a purchase."""


class Mail(msgspec.Struct, frozen=True):
    """Hold what arrives in a mailbox. `visitor`, `send_id` and `mailbox` are the tokens its links carry."""

    address: str
    at: datetime
    template: str
    send_id: str
    visitor: str
    mailbox: str
    links: tuple[str, ...]
    marketing: bool = True


class Look(msgspec.Struct, frozen=True):
    """Ask, as a browser does, what stands open on the site."""

    number: int
    """Of the person who looks up."""
    browser: str
    occasion: str
    """Which visit it is."""
    leaving: bool = False


class Said(msgspec.Struct, frozen=True):
    """Tell, as a browser does, what became of an offer; `response` as in `Engaged`."""

    browser: str
    offer: str
    name: str
    type: str
    response: str
    answers: dict[str, str] = {}


class Act(msgspec.Struct, frozen=True):
    """Hold one thing that HTTP would carry.

    It is a Segment call of a browser, a look at what stands open, a word on an offer, or a fact that the gateway sees
    itself.
    """

    at: datetime
    call: dict[str, Any] | None = None
    fact: Fact | None = None
    look: Look | None = None
    said: Said | None = None
    message_id: str = ""


class _Mood(msgspec.Struct):
    came: int = 0
    """Visits of their own accord."""
    mails: int = 0
    tired: float = 0.0
    tired_at: datetime | None = None
    has_bought: bool = False
    has_left: bool = False
    visit: str = ""
    """The newest visit."""
    passed: set[str] = set()
    """Offers that they have seen in it."""


class _Intent(msgspec.Struct, frozen=True):
    """Hold what a person will do: come by themselves, or look at a mail."""

    person: Person
    mail: Mail | None = None
    number: int = 0
    """Which mail of this person it is, success mails included."""


class Audience:
    """Hold everybody.

    Parameters:
        seed: the same seed gives the same people, and the same lives under the same mails.
        count: how many people.
        start: world time at which the first may come.
        days: how long they live; nobody does anything later.
        arrival_days: within how many days everybody comes for the first time (`ARRIVAL_SHARE` of all).
        profiles: what the shop is told of the first so many of them; empty: all of it is made up.
        world: how people are on the whole.
    """

    def __init__(
        self,
        seed: int,
        count: int,
        start: datetime,
        days: int,
        arrival_days: float | None = None,
        *,
        profiles: Sequence[Profile] = (),
        world: World = DEFAULT,
    ) -> None:
        self._seed = seed
        self._world = world
        self._end = start + timedelta(days=days)
        within = timedelta(days=ARRIVAL_SHARE * days if arrival_days is None else arrival_days)
        known = chain(profiles, repeat(None))
        self._people = [
            self._newcomer(number, start, within, profile)
            for number, profile in zip(range(count), known, strict=False)
        ]
        self._by_address = {person.address: person for person in self._people}
        self._moods = [_Mood() for _ in self._people]
        self._due: list[tuple[datetime, int, _Intent | Act]] = []
        self._pushed = 0
        for person in self._people:
            self._push(person.joins_at, _Intent(person))

    def _newcomer(
        self, number: int, start: datetime, within: timedelta, profile: Profile | None
    ) -> Person:
        person = make_person(self._seed, number, start, within, profile, self._world)
        chance = Chance(self._seed, number, "comes first")
        at = shops_at(person, person.joins_at, chance, self._world)
        return msgspec.structs.replace(person, joins_at=at if at >= start else at + DAY)

    @property
    def browsers(self) -> list[str]:
        """Return everybody's anonymous id, by number."""
        return [person.browser for person in self._people]

    def person_at(self, address: str) -> Person | None:
        """Return whose address this is, for who answers in the place of the web (`scripts.presences`)."""
        return self._by_address.get(address)

    def due(self) -> datetime | None:
        """Return when something happens next, None if nothing does."""
        return self._due[0][0] if self._due else None

    def next(self) -> Act | None:
        """Return the act that is due next; None when only an intent was, and its acts are due from now on."""
        at, _, what = heappop(self._due)
        if isinstance(what, Act):
            return what
        if what.mail is None:
            self._come(what.person, at)
        else:
            self._read(what, what.mail, at)
        return None

    def deliver(self, mail: Mail) -> None:
        """Put a mail into its mailbox; whose address is nobody's is lost."""
        person = self._by_address.get(mail.address)
        if person is None:
            return
        self._let_machines_act(person, mail)
        mood = self._moods[person.number]
        mood.mails += 1
        if mail.marketing:
            mood.tired = self._tiredness(person, mail.at) + 1.0
            mood.tired_at = mail.at
        chance = Chance(self._seed, person.number, "looks", mood.mails)
        at = looks_at(person, mail.at, chance, self._world)
        if at is not None:
            self._push(at, _Intent(person, mail, mood.mails))

    def answer(self, act: Act, offers: Sequence[dict[str, Any]]) -> None:
        """Say what stands open for somebody who looks up; what they do about it is due from now on.

        Args:
            act: the look.
            offers: `id`, `type`, `trigger`, `name` and `content` of each, as the gateway lists them.
        """
        look = act.look
        assert look is not None, "only who looks up sees something"
        mood = self._moods[look.number]
        if look.occasion != mood.visit:
            return
        shown = seen_of(list(offers), leaving=look.leaving, passed=mood.passed)
        if shown is None:
            return
        mood.passed.add(shown["id"])
        chance = Chance(self._seed, look.number, "answers", look.occasion, shown["name"])
        answer = answer_to(shown, chance)
        said = Said(look.browser, shown["id"], shown["name"], shown["type"], "shown")
        self._push(act.at, Act(act.at, said=said))
        if answer.response:
            at = act.at + (1.0 + chance.uniform()) * ANSWERS_AFTER
            said = msgspec.structs.replace(said, response=answer.response, answers=answer.answers)
            self._push(at, Act(at, said=said))

    # What people do

    def _come(self, person: Person, at: datetime) -> None:
        """Visit the shop by oneself, and mean to come again."""
        mood = self._moods[person.number]
        self._visit(person, at, self._eager(person, at), f"own-{mood.came}", first=mood.came == 0)
        mood.came += 1
        rate = person.visits_a_week * self._left_of_interest(person, at)
        if rate > SELDOM:
            chance = Chance(self._seed, person.number, "comes again", mood.came)
            soonest = at + RESTS
            day = soonest + timedelta(days=chance.waits(7.0 / rate))
            again = shops_at(person, day, chance, self._world)
            self._push(again if again >= soonest else again + DAY, _Intent(person))

    def _visit(
        self, person: Person, at: datetime, eager: float, occasion: str, *, first: bool = False
    ) -> None:
        chance = Chance(self._seed, person.number, "visit", occasion)
        mood = self._moods[person.number]
        mood.visit, mood.passed = occasion, set()
        order = f"o-{person.number}-{occasion}"
        calls = visit(person, at, eager, chance, order, first=first)
        for number, (call_at, call) in enumerate(calls):
            message_id = f"v-{person.number}-{occasion}-{number}"
            self._push(call_at, Act(call_at, call=call, message_id=message_id))
            mood.has_bought = mood.has_bought or call.get("event") == "Order Completed"
        self._look_up(person, occasion, [call_at for call_at, _ in calls])

    def _look_up(self, person: Person, occasion: str, pages: Iterable[datetime]) -> None:
        """Look up after each page, and once more on the way out."""
        look, at = Look(person.number, person.browser, occasion), None
        for page_at in pages:
            at = page_at + LOOKS_UP
            self._push(at, Act(at, look=look))
        assert at is not None, "a visit has a page"
        at += LEAVES_AFTER - LOOKS_UP
        self._push(at, Act(at, look=msgspec.structs.replace(look, leaving=True)))

    def _read(self, intent: _Intent, mail: Mail, at: datetime) -> None:
        """Look at a mail that lies in the mailbox: open it or not, follow a link, or leave for good."""
        person, mood = intent.person, self._moods[intent.person.number]
        if mood.has_left:
            return
        chance = Chance(self._seed, person.number, "reads", intent.number)
        fresh = 0.5 ** ((at - mail.at) / self._world.sinks)
        tired = person.tires * max(0.0, self._tiredness(person, at) - 1.0)
        taste = subject_taste(self._seed, person, mail.template, mail.at, self._world)
        if not chance.happens(chance_of(person.reads + taste - tired) * fresh):
            return
        self._tell(at, mail, "open", _opened(mail, BROWSER))
        taste = content_taste(self._seed, person, mail.template, mail.at, self._world)
        if mail.marketing and chance.happens(chance_of(person.leaves - taste + 2.0 * tired)):
            mood.has_left = True
            gone = Unsubscribed(visitor=mail.visitor, send_id=mail.send_id, mailbox=mail.mailbox)
            self._tell(at + timedelta(seconds=30), mail, "leave", gone)
            return
        if mail.links and chance.happens(chance_of(person.clicks + taste)):
            clicks_at = at + timedelta(seconds=8 + chance.waits(20.0))
            link = mail.links[chance.below(len(mail.links))]
            self._tell(clicks_at, mail, "click", _clicked(mail, link, BROWSER))
            eager = self._eager(person, at) + self._world.click_lifts
            self._visit(person, clicks_at + LOADING, eager, f"mail-{intent.number}")

    def _eager(self, person: Person, at: datetime) -> float:
        """Return the log odds of buying now."""
        faded = 1.5 * (1.0 - self._left_of_interest(person, at))
        sated = SATED if self._moods[person.number].has_bought else 0.0
        return person.wants - faded - sated

    def _left_of_interest(self, person: Person, at: datetime) -> float:
        return float(0.5 ** ((at - person.joins_at) / timedelta(days=person.fades_days)))

    def _tiredness(self, person: Person, at: datetime) -> float:
        """Return how many mails are still remembered."""
        mood = self._moods[person.number]
        if mood.tired_at is None:
            return 0.0
        return float(mood.tired * 0.5 ** ((at - mood.tired_at) / timedelta(days=REMEMBERED_DAYS)))

    # What machines do

    def _let_machines_act(self, person: Person, mail: Mail) -> None:
        chance = Chance(self._seed, person.number, "machines", mail.send_id)
        if person.is_prefetched:
            at = mail.at + timedelta(seconds=1 + chance.waits(120.0))
            self._tell(at, mail, "prefetch", _opened(mail, PROXY))
        if person.is_scanned:
            at = mail.at + timedelta(seconds=0.4 + chance.waits(30.0))
            for number, link in enumerate(mail.links):
                seconds = timedelta(seconds=0.1 * number)
                self._tell(at + seconds, mail, f"scan-{number}", _clicked(mail, link, SCANNER))

    def _tell(self, at: datetime, mail: Mail, what: str, fact: Fact) -> None:
        self._push(at, Act(at, fact=fact, message_id=f"{what}-{mail.send_id}"))

    def _push(self, at: datetime, what: _Intent | Act) -> None:
        if at < self._end:
            self._pushed += 1
            heappush(self._due, (at, self._pushed, what))


def _opened(mail: Mail, agent: str) -> MailOpened:
    return MailOpened(visitor=mail.visitor, send_id=mail.send_id, user_agent=agent)


def _clicked(mail: Mail, link: str, agent: str) -> MailClicked:
    return MailClicked(visitor=mail.visitor, send_id=mail.send_id, link=link, user_agent=agent)
