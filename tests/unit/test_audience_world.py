"""What the made-up world comes to, beside published tables; where all is alike there is nothing to learn."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from learning.audience.audience import SCANNER, Act, Audience, Mail
from learning.audience.chance import Chance
from learning.audience.people import content_taste, looks_at, make_person, shops_at, subject_taste
from learning.audience.world import ALIKE, DEFAULT, World
from messaging.vocabulary.events import MailClicked, MailOpened, Unsubscribed

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
PEOPLE, DAYS, WORLDS = 500, 60, 16
LINKS = ("https://shop.example/a", "https://shop.example/b")
HOURS = (10, 18, 12)
TEMPLATES = 12
ATTRIBUTED = timedelta(days=5)
PROXIED = "Proxy"


class Seen(msgspec.Struct):
    """Hold what came of e-mails at the hours of fixed rules, and of visits of people's own accord."""

    mails: int = 0
    opened: dict[str, datetime] = {}
    """Send -> when, machines as well."""
    read: dict[str, datetime] = {}
    clicked: dict[str, datetime] = {}
    left: set[str] = set()
    orders: list[tuple[str, datetime]] = []
    visits: set[str] = set()
    """Of their own accord."""
    followed: set[str] = set()
    """Visits by a link of an e-mail."""
    carts: set[str] = set()
    sent: dict[str, datetime] = {}
    zones: dict[str, ZoneInfo] = {}

    def take(self, act: Act) -> None:
        fact = act.fact
        if isinstance(fact, MailOpened):
            self.opened.setdefault(fact.send_id, act.at)
            if PROXIED not in fact.user_agent:
                self.read.setdefault(fact.send_id, act.at)
        elif isinstance(fact, MailClicked) and fact.user_agent != SCANNER:
            self.clicked.setdefault(fact.send_id, act.at)
        elif isinstance(fact, Unsubscribed):
            self.left.add(fact.send_id)
        elif act.call is not None:
            self._take_call(act, act.call.get("event"))

    def _take_call(self, act: Act, event: str | None) -> None:
        _, number, kind, *_ = act.message_id.split("-")
        visit = act.message_id.rpartition("-")[0]
        if kind == "own":
            self.visits.add(visit)
            if event == "Product Added":
                self.carts.add(visit)
        else:
            self.followed.add(visit)
        if event == "Order Completed":
            self.orders.append((number, act.at))

    def attributed(self) -> int:
        """Return how many orders came within five days of an open or a click of the same person."""
        answers = defaultdict(list)
        for send, at in [*self.opened.items(), *self.clicked.items()]:
            answers[send.partition("-")[0]].append(at)
        return sum(
            any(timedelta(0) <= at - answer <= ATTRIBUTED for answer in answers[number])
            for number, at in self.orders
        )

    def read_by(self, days: int) -> float:
        """Return the share of opens before so many midnights after the e-mail, by each one's own clock."""
        before = 0
        for send, at in self.read.items():
            zone = self.zones[send]
            before += (
                at.astimezone(zone).date() - self.sent[send].astimezone(zone).date()
            ).days < days
        return before / len(self.read)


def lived(world: World, seed: int = 1) -> Seen:
    audience, seen = Audience(seed, PEOPLE, START, DAYS, world=world), Seen()
    mails = _mails(audience, seed, world, seen)
    gone: set[str] = set()
    while (due := audience.due()) is not None:
        while mails and mails[-1].at <= due:
            mail = mails.pop()
            if mail.visitor not in gone:
                audience.deliver(mail)
                seen.mails += 1
        act = audience.next() if audience.due() == due else None
        if act is not None and act.look is None:
            seen.take(act)
            if isinstance(act.fact, Unsubscribed):
                gone.add(act.fact.visitor)
            elif act.call is not None and act.call.get("event") == "Order Completed":
                gone.add(act.message_id.split("-")[1])
    return seen


def _mails(audience: Audience, seed: int, world: World, seen: Seen) -> list[Mail]:
    """Return three e-mails to each, three days apart from the first visit on; the last of them first."""
    mails = []
    for number in range(PEOPLE):
        person = audience.person_at(f"person-{number}@example.com")
        assert person is not None
        at = person.joins_at
        for attempt, hour in enumerate(HOURS):
            at = _next(at + timedelta(days=3 if attempt else 0), hour, ZoneInfo(person.zone))
            send = f"{number}-{attempt}"
            seen.sent[send], seen.zones[send] = at, ZoneInfo(person.zone)
            template = f"template-{(number + attempt) % TEMPLATES}"
            mails.append(Mail(person.address, at, template, send, str(number), "m", LINKS))
    return sorted(mails, key=lambda mail: mail.at, reverse=True)


def _next(at: datetime, hour: int, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    then = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    return (then if then >= local else then + timedelta(days=1)).astimezone(UTC)


@pytest.fixture(scope="module")
def seen() -> list[Seen]:
    return [lived(DEFAULT, seed) for seed in range(WORLDS)]


def test_e_mails_fare_as_the_tables_have_it(seen):
    mails = sum(each.mails for each in seen)
    assert sum(len(each.opened) for each in seen) / mails == pytest.approx(0.52, abs=0.03)
    assert sum(len(each.clicked) for each in seen) / mails == pytest.approx(0.053, abs=0.006)
    assert sum(len(each.left) for each in seen) / mails == pytest.approx(0.0073, abs=0.002)
    assert sum(each.attributed() for each in seen) / mails == pytest.approx(0.0171, abs=0.003)


def test_visits_fare_as_the_tables_have_it(seen):
    visits = sum(len(each.visits) for each in seen)
    carts = sum(len(each.carts) for each in seen) / visits
    assert 0.064 <= carts <= 0.08
    every = visits + sum(len(each.followed) for each in seen)
    assert 1.0 - PEOPLE * len(seen) / every == pytest.approx(0.48, abs=0.02)


def test_opens_come_as_late_as_the_tables_have_it(seen):
    for days, share in ((1, 0.61), (2, 0.86), (3, 0.91)):
        assert sum(each.read_by(days) for each in seen) / len(seen) == pytest.approx(
            share, abs=0.09
        )


def test_people_come_to_the_shop_at_hours_of_their_own():
    person = make_person(1, 1, START, timedelta(days=1))
    days = [START + timedelta(days=day) for day in range(200)]
    chances = [Chance(1, "comes", day) for day in range(200)]
    came = [shops_at(person, day, chance) for day, chance in zip(days, chances, strict=True)]
    zone = ZoneInfo(person.zone)
    assert all(
        at.astimezone(zone).date() == day.astimezone(zone).date()
        for at, day in zip(came, days, strict=True)
    )
    hours = Counter(at.astimezone(zone).hour for at in came if at.astimezone(zone).weekday() < 5)
    near = sum(count for hour, count in hours.items() if abs(hour + 0.5 - person.workday_hour) <= 3)
    assert near > 0.6 * hours.total()


def test_what_is_liked_turns_within_a_year_and_not_within_a_week():
    person = make_person(1, 1, START, timedelta(days=1))
    names = [f"template-{number}" for number in range(300)]

    def moved(days: int) -> float:
        later = START + timedelta(days=days)
        now = [subject_taste(1, person, name, START) for name in names]
        then = [subject_taste(1, person, name, later) for name in names]
        return sum(abs(a - b) for a, b in zip(now, then, strict=True)) / len(names)

    assert 0.0 < moved(7) < 0.03
    assert moved(365) > 0.3


def test_where_all_is_alike_no_template_and_no_hour_is_better():
    person = make_person(1, 1, START, timedelta(days=1), world=ALIKE)
    for taste in (subject_taste, content_taste):
        assert {taste(1, person, name, START, ALIKE) for name in ("a", "b", "c")} == {0.0}
    waits = set()
    for hour in range(24):
        at = START + timedelta(hours=hour)
        looked = looks_at(person, at, Chance(1, "looks"), ALIKE)
        assert looked is not None
        waits.add(looked - at)
    assert len(waits) == 1
    assert shops_at(person, START, Chance(1, "comes"), ALIKE) == START
