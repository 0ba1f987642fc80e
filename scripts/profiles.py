"""Read what the leads of a store are known by, for made-up lives that begin so: `mdma simulate --profiles real`.

Rules
1. Addresses and ids stay behind, and whom Social asked: whoever lives in a simulation has made-up ones, and nothing is
   sent or stored.
2. Leads are known by an address and have not bought: what a customer would do next the audience cannot say.
3. Which of many are taken depends on the seed and on who they are, not on the order in which they are read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from agents.behavior_bot.knowing import is_zone, may_email, may_show_to
from agents.behavior_bot.listed import lists_of
from agents.behavior_bot.state import BehaviorState, Stamped
from agents.runtime.held import Codec
from agents.runtime.registry import WIRING
from learning.audience.chance import Chance
from learning.audience.people import Profile
from messaging.ports import Store
from messaging.vocabulary.plans import Finding

READ_MAX = 2_000
"""States read at once."""

WEEK_SECONDS = 7 * 86_400.0
VISITS_A_WEEK_MIN, VISITS_A_WEEK_MAX = 0.05, 14.0


async def draw_profiles(store: Store, seed: int, count: int, consent: str) -> list[Profile]:
    """Return the profiles of as many leads, of all if there are fewer. `consent` is the setting in force."""
    found: list[tuple[float, str, Profile]] = []
    async for visitor, state in _leads(store):
        lot = Chance(seed, "profile", visitor).uniform()
        found.append((lot, visitor, profile_of(state, consent)))
        if len(found) > 2 * count:
            found = sorted(found, key=lambda each: each[:2])[:count]
    drawn = sorted(found, key=lambda each: each[:2])[:count]
    told = await _found_of(store, [visitor for _, visitor, _ in drawn])
    return [
        msgspec.structs.replace(profile, found=told.get(visitor, []))
        for _, visitor, profile in drawn
    ]


async def _found_of(store: Store, visitors: list[str]) -> dict[str, list[Finding]]:
    """Return visitor -> what Social was told of them."""
    codec = Codec(WIRING["social"].make())
    found: dict[str, list[Finding]] = {}
    for first in range(0, len(visitors), READ_MAX):
        some = await store.load("social", visitors[first : first + READ_MAX])
        for visitor, body in some.items():
            held = codec.decode(body)
            if not held.moved and held.state.findings:
                told = [msgspec.structs.replace(each, hosts=[]) for each in held.state.findings]
                found[visitor] = told
    return found


async def _leads(store: Store) -> AsyncIterator[tuple[str, BehaviorState]]:
    codec = Codec(WIRING["behavior"].make())
    after = ""
    while ids := await store.visitors("behavior", after, READ_MAX):
        after = ids[-1]
        for visitor, body in (await store.load("behavior", ids)).items():
            held = codec.decode(body)
            if not held.moved and held.state.address and not held.state.orders_count:
                yield visitor, held.state


def profile_of(state: BehaviorState, consent: str) -> Profile:
    """Return what a lead is known by."""
    zone = _value(state.traits, "timezone") or _value(state.places, "zone") or ""
    locale, country = _value(state.places, "locale"), _value(state.places, "country")
    campaign = _value(state.places, "campaign")
    context: dict[str, Any] = {
        **({"locale": locale} if locale else {}),
        **({"location": {"country": country}} if country else {}),
        **({"campaign": campaign} if campaign else {}),
    }
    return Profile(
        zone=zone if is_zone(str(zone)) else "",
        traits={
            n: each.value for n, each in sorted(state.traits.items()) if each.value is not None
        },
        context=context,
        lists=lists_of(state),
        may_email=may_email(state, consent),
        may_show=may_show_to(state),
        visits_a_week=_visits_a_week(state),
    )


def _value(stamps: dict[str, Stamped], name: str) -> Any:
    stamp = stamps.get(name)
    return stamp.value if stamp is not None else None


def _visits_a_week(state: BehaviorState) -> float | None:
    """Return how often they came from their first session on; None where no two are known."""
    if len(state.sessions) < 2:
        return None
    first, last = state.sessions[0].start, state.sessions[-1].start
    rate = (len(state.sessions) - 1) * WEEK_SECONDS / (last - first)
    return min(max(rate, VISITS_A_WEEK_MIN), VISITS_A_WEEK_MAX)
