"""Say who comes to the demo: for every row of the routine somebody who surely takes it, then people as they are.

Rules
1. The first people are cast, so that nobody has to wait for chance to see a row taken. All others answer by their own
   hours, tastes and tiredness (`people.py`).
2. Everything about a person follows from (seed, number): how they are called, how they come, what they are like.
3. So many come a day and no more: a demo that runs for hours must not grow faster the longer it runs.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from learning.audience.chance import Chance
from learning.audience.people import Person

GONE = "gone.example"
"""Nobody has a mailbox there: its server refuses every recipient."""
ALIVE = "people.example"

FIRST_NAMES = (
    *(
        "Ada",
        "Amir",
        "Ana",
        "Ben",
        "Chloe",
        "Dario",
        "Elif",
        "Emma",
        "Femi",
        "Grace",
        "Hugo",
        "Ines",
    ),
    *(
        "Ivan",
        "Jana",
        "Kofi",
        "Lea",
        "Liam",
        "Mina",
        "Nora",
        "Omar",
        "Paula",
        "Ravi",
        "Sofia",
        "Yuki",
    ),
)
LAST_NAMES = (
    *("Adler", "Bauer", "Costa", "Diaz", "Eriksen", "Fontaine", "Green", "Haas", "Ito", "Jansen"),
    *("Keller", "Lopez", "Moreau", "Novak", "Okoye", "Petrov", "Rossi", "Silva", "Tanaka", "Weber"),
)

OPENS, LEAVES = "opens", "leaves"
"""Answers to an e-mail; every other one is a visit's plan (`shopping.PLANS`), which begins with a click."""


class Role(msgspec.Struct, frozen=True):
    """Say what somebody surely does."""

    answers: dict[int, str] = {}
    """Which e-mail -> the answer to it. To others there is none, unless they are `free`."""
    comes: str = ""
    """Plan of the visit by which they become known; empty: they are imported as a prospect."""
    free: bool = False
    """What is not named here they do as their own nature says."""
    has_mailbox: bool = True


ROLES: dict[str, Role] = {
    "buys": Role({1: "buys"}),
    "bounces": Role(has_mailbox=False),
    "reads": Role({1: OPENS}),
    "silent": Role(),
    "thinks again": Role({5: "buys"}),
    "compares": Role({1: "compares", 2: "buys"}),
    "wanders": Role({1: "wanders", 3: OPENS}),
    "carts": Role({1: "carts", 2: "buys"}),
    "unsubscribes": Role({1: LEAVES}),
    "signs up": Role({2: "buys"}, comes="signs up"),
    "prospect": Role(free=True),
    "visitor": Role(comes="signs up", free=True),
    "passer-by": Role(comes="glances"),
}

CAST = (
    *("buys", "bounces", "reads", "compares", "carts", "silent", "wanders", "signs up", "buys"),
    *(
        "reads",
        "compares",
        "thinks again",
        "carts",
        "unsubscribes",
        "wanders",
        "reads",
        "buys",
        "silent",
    ),
)
"""Who comes first, in this order."""
OTHERS = ("prospect", "prospect", "prospect", "visitor", "visitor", "passer-by")
"""Who comes then, each as likely."""

CAST_WITHIN = timedelta(hours=3)
EARLY_COUNT = 60
"""So many others come in the first days."""
EARLY_WITHIN = timedelta(days=5)
A_DAY = 6
"""So many come each day from then on."""


class Member(msgspec.Struct, frozen=True):
    """Hold one member of the audience: who they are and what they are cast for."""

    person: Person
    role: Role
    first_name: str
    last_name: str
    address: str

    @property
    def number(self) -> int:
        """Return which member it is."""
        return self.person.number


def make_member(seed: int, number: int, place: int, person: Person) -> Member:
    """Draw one member. `place`: how many came before them; the first are cast."""
    chance = Chance(seed, "member", number)
    name = CAST[place] if place < len(CAST) else OTHERS[chance.below(len(OTHERS))]
    role = ROLES[name]
    first = FIRST_NAMES[chance.below(len(FIRST_NAMES))]
    last = LAST_NAMES[chance.below(len(LAST_NAMES))]
    host = ALIVE if role.has_mailbox else GONE
    return Member(person, role, first, last, f"{first}.{last}.{number}@{host}".lower())


def waits_for_next(place: int) -> timedelta:
    """Return how long after the member of this place the next one comes."""
    if place < len(CAST):
        return CAST_WITHIN / len(CAST)
    if place < len(CAST) + EARLY_COUNT:
        return EARLY_WITHIN / EARLY_COUNT
    return timedelta(days=1) / A_DAY
