"""Say what a made-up social web knows of the demo's audience: who has a public profile, of which kind, how lively.

Rule 1: it follows from (seed, number): whoever asks twice hears the same.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from learning.audience.chance import Chance

FAILS = 0.12
"""Share of the people whose own domain gives no answer that can be used."""
HAS_PROFILE, AT_WORK = 0.45, 0.4
"""Share that has a Gravatar profile; share of those whose profile tells a job."""
HAS_ACCOUNT = 0.4
KINDS = ("Person", "Person", "Person", "Person", "Person", "Organization", "Service")
"""Types of ActivityPub actors, each as likely."""

LIVELY = 0.6
"""Share of the accounts whose last post was days ago; of the others it was months ago."""
LIVELY_DAYS, QUIET_DAYS = 8.0, 250.0
POSTS_MAX = 800
JOBS = ("Carpenter", "Nurse", "Teacher", "Architect", "Baker", "Engineer")


class Presence(msgspec.Struct, frozen=True):
    """Hold what is public about somebody."""

    has_profile: bool = False
    job: str = ""
    account: str = ""
    """Type of their ActivityPub actor; empty: they have none."""
    posts: int = 0
    quiet: timedelta = timedelta(0)
    """From the last post to the day on which they came."""
    fails: bool = False
    """Their domain is out of order."""


def presence_of(seed: int, number: int) -> Presence:
    """Return what is public about a member of the audience."""
    chance = Chance(seed, "presence", number)
    has_profile = chance.happens(HAS_PROFILE)
    job = JOBS[chance.below(len(JOBS))] if chance.happens(AT_WORK) else ""
    account = KINDS[chance.below(len(KINDS))] if chance.happens(HAS_ACCOUNT) else ""
    days = LIVELY_DAYS if chance.happens(LIVELY) else QUIET_DAYS
    return Presence(
        has_profile=has_profile,
        job=job if has_profile else "",
        account=account,
        posts=1 + chance.below(POSTS_MAX) if account else 0,
        quiet=timedelta(days=chance.waits(days)),
        fails=chance.happens(FAILS),
    )
