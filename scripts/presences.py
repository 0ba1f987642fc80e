"""Answer Social for made-up people: by what a made-up web says of them, or by what was found of real leads in earnest.

Rules
1. Out goes what the web would have told (`Finding`): Social and whoever learns see no more of anybody than that.
2. Of somebody who is known as a real lead is, what was found of the lead is recalled, as old as it was when it was
   found; where nobody was asked in earnest nobody answers. Nobody is asked now.
3. It is read as the web's own answers are, by the same readers.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from agents.runtime.inprocess import Recall
from learning.audience.audience import Audience
from learning.audience.people import Profile
from learning.audience.presence import Presence, presence_of
from messaging.social.activitypub import kind_of
from messaging.social.gravatar import read
from messaging.social.outcomes import FAILED, FOUND, NOBODY
from messaging.vocabulary.effects import LookUp
from messaging.vocabulary.plans import Finding

FAILURE = "status 500"


def presences(audience: Audience, seed: int) -> Recall:
    """Return what answers a look-up in the world of this audience."""

    def recall(asked: LookUp) -> list[Finding]:
        person = audience.person_at(asked.address)
        if person is None:
            return []
        if person.profile is not None:
            found = recalled(person.profile, asked.at)
        else:
            found = made_up(presence_of(seed, person.number), person.joins_at, asked.at)
        return [each for each in found if each.source in asked.sources]

    return recall


def made_up(known: Presence, joined_at: datetime, at: datetime) -> list[Finding]:
    """Return what both sources say of somebody who came at `joined_at`."""
    gravatar = Finding("gravatar", [], at, NOBODY)
    if known.has_profile:
        told = read({"hash": "made up", "job_title": known.job}, at)
        gravatar = Finding("gravatar", [], at, told.outcome, kind=told.kind)
    if known.fails:
        return [gravatar, Finding("activitypub", [], at, FAILED, FAILURE)]
    if not known.account:
        return [gravatar, Finding("activitypub", [], at, NOBODY)]
    account = Finding(
        source="activitypub",
        hosts=[],
        at=at,
        outcome=FOUND,
        kind=kind_of({"type": known.account}),
        posts=known.posts,
        last_active_at=joined_at - known.quiet,
    )
    return [gravatar, account]


def recalled(profile: Profile, at: datetime) -> list[Finding]:
    """Return what was found of a lead: as lively as it was then."""
    return [
        msgspec.structs.replace(each, at=at, last_active_at=at - (each.at - each.last_active_at))
        if each.last_active_at is not None
        else msgspec.structs.replace(each, at=at)
        for each in profile.found
    ]
