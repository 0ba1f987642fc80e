"""Look at what Engagement holds open for browsers: what the gateway tells them (`messaging.gateway.readers`).

Rules
1. Many browsers are one look: two questions for whom they are, one for what stands open.
2. A browser is known by its anonymous id alone: who knows an address must not see what is offered to its owner.
3. A merge is followed, by the visitor's own row and by the tombstone.
"""

from __future__ import annotations

from agents.behavior_bot.identity import visitor_key
from agents.engagement_bot.state import EngagementState
from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from messaging.gateway.readers import EndedOffer, Offers, OpenOffer
from messaging.ports import Store
from messaging.vocabulary.ids import anonymous_key

FOLLOW_MAX = 64
"""Merges followed from one visitor to the next."""

BOT = "engagement"


class StoredOffers:
    """Read offers from the store (`messaging.gateway.readers.OfferReader`)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._codec = Codec(WIRING[BOT].make())

    async def offers(self, anonymous_ids: list[str]) -> dict[str, Offers]:
        """Return anonymous id -> offers, for those of whom anything is known."""
        visitors = await self._visitors(anonymous_ids)
        held = await self._held(sorted(set(visitors.values())))
        found = {}
        for anonymous, visitor in visitors.items():
            if visitor in held:
                root, state = held[visitor]
                found[anonymous] = shown(root, state.state)
        return found

    async def _visitors(self, anonymous_ids: list[str]) -> dict[str, str]:
        """Return anonymous id -> visitor, by the identity rows."""
        keys = {anonymous: anonymous_key(anonymous) for anonymous in anonymous_ids}
        rows = await self._store.identities(sorted(keys.values()))
        found = {each: rows[key][0] for each, key in keys.items() if key in rows}
        for _ in range(FOLLOW_MAX):
            wanted = sorted({visitor_key(visitor) for visitor in found.values()})
            owners = await self._store.identities(wanted)
            followed = {a: owners.get(visitor_key(v), (v, 0))[0] for a, v in found.items()}
            if followed == found:
                break
            found = followed
        return found

    async def _held(self, visitors: list[str]) -> dict[str, tuple[str, Held]]:
        """Return visitor -> (who it is by now, state), following tombstones."""
        found: dict[str, tuple[str, Held]] = {}
        at = {visitor: visitor for visitor in visitors}
        for _ in range(FOLLOW_MAX):
            bodies = await self._store.load(BOT, sorted(set(at.values())))
            held = {visitor: self._codec.decode(body) for visitor, body in bodies.items()}
            found.update({v: (on, held[on]) for v, on in at.items() if on in held})
            at = {v: held[on].moved for v, on in at.items() if on in held and held[on].moved}
            if not at:
                break
        return {visitor: pair for visitor, pair in found.items() if not pair[1].moved}


def shown(visitor: str, state: EngagementState) -> Offers:
    """Return a state as the gateway sees it."""
    return Offers(
        visitor=visitor,
        number=state.number,
        open=[
            OpenOffer(
                id=offer.plan.engagement_id,
                type=offer.plan.interaction_type,
                trigger=offer.trigger,
                name=offer.plan.interaction,
                content=offer.content,
                expires_at=offer.plan.expires_at,
                number=offer.number,
                tab=offer.tab,
            )
            for offer in state.offers
        ],
        ended=[
            EndedOffer(
                id=ended.plan.engagement_id,
                type=ended.plan.interaction_type,
                name=ended.plan.interaction,
                outcome=ended.outcome,
                number=ended.number,
                fields=ended.fields,
            )
            for ended in state.ended
        ],
    )
