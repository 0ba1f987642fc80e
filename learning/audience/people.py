"""Say what each made-up person is. This is the truth that nobody who decides or learns may see.

Rules
1. A person is drawn from (seed, number) alone; what they think of a template from (seed, number, template).
2. Every number here is set by hand, so that hours, templates and eagerness differ enough to be learned in weeks
   and little enough that it takes hundreds of mails. No figure was fitted on anybody's data.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from learning.audience.chance import Chance
from messaging.vocabulary.plans import Finding

ZONES = ("Europe/Berlin", "Europe/London", "America/New_York")
ARRIVAL_SHARE = 0.6
"""People come during this first part of the days, so that even the last of them can be followed."""

AWAY = 0.015
"""Chance to look at the mailbox in an hour far from one's own."""
AT_OWN_HOUR = 0.6
HOURS_SPREAD = 1.5
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
    seed: int, number: int, start: datetime, within: timedelta, profile: Profile | None = None
) -> Person:
    """Draw one person, who comes first within so much time of the start; what a profile knows of them is not drawn."""
    chance = Chance(seed, "person", number)
    evening = chance.happens(0.55)
    wants = chance.normal(-2.3, 1.1)
    person = Person(
        number=number,
        zone=ZONES[chance.below(len(ZONES))],
        joins_at=start + chance.uniform() * within,
        workday_hour=chance.normal(19.5, 1.0) if evening else chance.normal(9.0, 1.0),
        weekend_hour=chance.normal(11.0, 1.5),
        reads=chance.normal(0.3, 1.0),
        clicks=chance.normal(-1.6, 0.6) + 0.3 * (wants + 2.3),
        wants=wants,
        visits_a_week=math.exp(chance.normal(-0.9, 0.6) + 0.25 * (wants + 2.3)),
        fades_days=14.0 + chance.waits(20.0),
        leaves=chance.normal(-4.6, 0.7),
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


def subject_taste(seed: int, person: Person, template: str) -> float:
    """Return how much more (log odds) a template's subject is opened: its quality for all, then for this person."""
    quality = Chance(seed, "subject", template).normal(0.0, 0.5)
    return quality + Chance(seed, "subject", template, person.number).normal(0.0, 0.4)


def content_taste(seed: int, person: Person, template: str) -> float:
    """Return how much more (log odds) a template's links are followed."""
    quality = Chance(seed, "content", template).normal(0.0, 0.7)
    return quality + Chance(seed, "content", template, person.number).normal(0.0, 0.4)


def looks_at(person: Person, arrived_at: datetime, chance: Chance) -> datetime | None:
    """Return when they first look at the mailbox after a mail arrived, None if not within four days."""
    local = arrived_at.astimezone(ZoneInfo(person.zone))
    left = chance.uniform()
    for hours in range(LOOKED_FOR_HOURS):
        hour = local + timedelta(hours=hours)
        left_after = left / (1.0 - _presence(person, hour.weekday(), hour.hour + hour.minute / 60))
        if left_after >= 1.0:
            return arrived_at + timedelta(hours=hours + chance.uniform())
        left = left_after
    return None


def _presence(person: Person, weekday: int, hour: float) -> float:
    """Return the chance that they look at the mailbox within the hour from here."""
    own = person.weekend_hour if weekday >= 5 else person.workday_hour
    apart = abs(hour - own) % 24
    apart = min(apart, 24 - apart)
    return AWAY + AT_OWN_HOUR * math.exp(-0.5 * (apart / HOURS_SPREAD) ** 2)
