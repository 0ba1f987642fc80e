"""Say what each made-up person is. This is the truth that nobody who decides or learns may see.

Rules
1. A person is drawn from (seed, number) alone; what they think of a template from (seed, number, template).
2. How people are on the whole says the world (`world.py`, with the tables that its numbers come from). What is a
   constant here is set by hand.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from learning.audience.chance import Chance
from learning.audience.world import DEFAULT, World
from messaging.vocabulary.plans import Finding

ZONES = ("Europe/Berlin", "Europe/London", "America/New_York")
ARRIVAL_SHARE = 0.6
"""People come during this first part of the days, so that even the last of them can be followed."""

HOURS_SPREAD = 1.5
AT_THE_SHOP = 0.7
"""Share of visits to the shop that fall into one's own hours; the others come evenly between these:"""
AWAKE_FROM, AWAKE_UNTIL = 7.0, 23.0
TURNS = timedelta(days=365)
"""After so long what is liked by all has nothing to do with what was: drift."""
LOOKED_FOR_HOURS = 96
"""A mail that was not seen in four days is never seen."""


class Profile(msgspec.Struct, frozen=True):
    """Hold what a real lead is known by, for a made-up life that begins so. Neither address nor id is in it."""

    zone: str = ""
    """Empty: not known, and not told."""
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    """What a browser tells beside the time zone: `locale`, `location`, `campaign`."""
    lists: list[str] = []
    """Static lists that they stand on."""
    may_email: bool = True
    may_show: bool = True
    """Whether they may be spoken to on the site."""
    visits_a_week: float | None = None
    """None: too little was seen of them to say."""
    found: list[Finding] = []
    """What Social was told of them in earnest, without whom it asked; nothing: nobody was."""


class Person(msgspec.Struct, frozen=True):
    """Hold one person's truth. Log odds where nothing else is said."""

    number: int
    zone: str
    joins_at: datetime
    workday_hour: float
    """Hour of the day at which they read on working days, by their own clock."""
    weekend_hour: float
    reads: float
    clicks: float
    wants: float
    """Eagerness to buy: what every visit shows a little of."""
    visits_a_week: float
    fades_days: float
    """Half-life of the eagerness after the first visit."""
    leaves: float
    tires: float
    """Log odds lost for each mail that is still remembered."""
    is_scanned: bool
    """A security gateway follows every link at the door of the mailbox."""
    is_prefetched: bool
    """The mailbox provider fetches the pictures before anybody reads."""
    profile: Profile | None = None
    """None: what the shop is told of them is made up as well."""

    @property
    def browser(self) -> str:
        """Return the anonymous id of their browser."""
        return f"browser-{self.number}"

    @property
    def user_id(self) -> str:
        """Return the id under which the shop knows them."""
        return f"person-{self.number}"

    @property
    def address(self) -> str:
        """Return their e-mail address."""
        return f"person-{self.number}@example.com"


def make_person(
    seed: int,
    number: int,
    start: datetime,
    within: timedelta,
    profile: Profile | None = None,
    world: World = DEFAULT,
) -> Person:
    """Draw one person, who comes first within so much time of the start; what a profile knows of them is not drawn."""
    chance = Chance(seed, "person", number)
    evening = chance.happens(0.55)
    wants = chance.normal(world.wants, 1.1)
    person = Person(
        number=number,
        zone=ZONES[chance.below(len(ZONES))],
        joins_at=start + chance.uniform() * within,
        workday_hour=chance.normal(19.5, 1.0) if evening else chance.normal(9.0, 1.0),
        weekend_hour=chance.normal(11.0, 1.5),
        reads=chance.normal(world.reads, 1.0),
        clicks=chance.normal(world.clicks, 0.6) + 0.3 * (wants - world.wants),
        wants=wants,
        visits_a_week=math.exp(chance.normal(world.returns, 0.6) + 0.25 * (wants - world.wants)),
        fades_days=14.0 + chance.waits(20.0),
        leaves=chance.normal(world.leaves, 0.7),
        tires=abs(chance.normal(0.25, 0.1)),
        is_scanned=chance.happens(0.12),
        is_prefetched=chance.happens(0.35),
        profile=profile,
    )
    if profile is None:
        return person
    return msgspec.structs.replace(
        person,
        zone=profile.zone or person.zone,
        visits_a_week=profile.visits_a_week or person.visits_a_week,
    )


def subject_taste(
    seed: int, person: Person, template: str, at: datetime, world: World = DEFAULT
) -> float:
    """Return how much more (log odds) a template's subject is opened: its quality for all, then for this person."""
    return _taste(seed, "subject", person, template, at, world.subjects, world.own_subjects)


def content_taste(
    seed: int, person: Person, template: str, at: datetime, world: World = DEFAULT
) -> float:
    """Return how much more (log odds) a template's links are followed."""
    return _taste(seed, "content", person, template, at, world.contents, world.own_contents)


def _taste(
    seed: int, what: str, person: Person, template: str, at: datetime, spread: float, own: float
) -> float:
    if not spread and not own:
        return 0.0
    chance = Chance(seed, what, template)
    turned = 0.5 * math.pi * (at.timestamp() / TURNS.total_seconds())
    now, later = chance.normal(0.0, spread), chance.normal(0.0, spread)
    quality = math.cos(turned) * now + math.sin(turned) * later
    return quality + Chance(seed, what, template, person.number).normal(0.0, own)


def looks_at(
    person: Person, arrived_at: datetime, chance: Chance, world: World = DEFAULT
) -> datetime | None:
    """Return when they first look at the mailbox after a mail arrived, None if not within four days."""
    local = arrived_at.astimezone(ZoneInfo(person.zone))
    left = chance.uniform()
    for hours in range(LOOKED_FOR_HOURS):
        hour = local + timedelta(hours=hours)
        left_after = left / (
            1.0 - _presence(person, hour.weekday(), hour.hour + hour.minute / 60, world)
        )
        if left_after >= 1.0:
            return arrived_at + timedelta(hours=hours + chance.uniform())
        left = left_after
    return None


def shops_at(person: Person, day: datetime, chance: Chance, world: World = DEFAULT) -> datetime:
    """Return when on that day of theirs they come to the shop: at `day` itself in a world without own hours."""
    if not world.keeps_hours:
        return day
    local = day.astimezone(ZoneInfo(person.zone))
    if chance.happens(AT_THE_SHOP):
        hour = chance.normal(_own_hour(person, local.weekday()), HOURS_SPREAD) % 24
    else:
        hour = AWAKE_FROM + (AWAKE_UNTIL - AWAKE_FROM) * chance.uniform()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(hours=hour)).astimezone(UTC)


def _presence(person: Person, weekday: int, hour: float, world: World) -> float:
    """Return the chance that they look at the mailbox within the hour from here."""
    if not world.keeps_hours:
        return world.looks / 24
    apart = abs(hour - _own_hour(person, weekday)) % 24
    apart = min(apart, 24 - apart)
    at_own_hour = (world.looks - 24 * world.away) / (HOURS_SPREAD * math.sqrt(2 * math.pi))
    return world.away + at_own_hour * math.exp(-0.5 * (apart / HOURS_SPREAD) ** 2)


def _own_hour(person: Person, weekday: int) -> float:
    return person.weekend_hour if weekday >= 5 else person.workday_hour
