"""Hold what was offered on the site against the caps of the rules it was decided under: the audit's on-site part.

Rules
1. An offer counts once it was on a screen; the next one decided must have left room for it, also where it was
   seen only after that: a touch is reserved when it is decided.
2. Offers are held together by whom they were decided for. What a merge brought was another's until then, and what
   was on its way to a screen when it was taken back counts from the moment Rules heard of it: neither is held
   against anybody.
3. The session is the one that Behavior told when the offer was decided; the frequency is that of the rules then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.rules.compiled import InteractionRule

DAY = timedelta(hours=24)

LATE = "seen all the same"
"""Engagement's reason for what was on its way to a screen when it was taken back."""

RuleOf = Callable[[int, str], InteractionRule | None]
"""(rules version, interaction) -> its rule then."""


class Offer(msgspec.Struct):
    """Hold one offer: what was decided, and when it was seen."""

    id: str
    decided_for: str
    number: int
    """Which one it is of this visitor, in the order in which they were decided."""
    type: str
    interaction: str
    rules_version: int
    decided_at: datetime
    visit_at: datetime
    seen_at: datetime | None
    """None: never, or late."""


def offer_of(row: dict[str, Any], decision: dict[str, Any]) -> Offer:
    """Return the offer that a row of the engagements and its decision tell of."""
    return Offer(
        id=row["id"],
        decided_for=decision["visitor"],
        number=decision["attempt"],
        type=row["interaction_type"],
        interaction=row["interaction"],
        rules_version=row["rules_version"],
        decided_at=decision["at"],
        visit_at=row["visit_at"] or decision["at"],
        seen_at=None if row["reason"] == LATE else row["shown_at"],
    )


def over_caps(offers: Iterable[Offer], rule_of: RuleOf) -> list[str]:
    """Return what was offered over a cap, in words that name no person."""
    by_visitor: dict[str, list[Offer]] = {}
    for offer in sorted(offers, key=lambda each: each.number):
        by_visitor.setdefault(offer.decided_for, []).append(offer)
    return [said for some in by_visitor.values() for said in _over(some, rule_of)]


def _over(offers: list[Offer], rule_of: RuleOf) -> list[str]:
    """Look at one visitor's offers in the order of their decisions."""
    found: list[str] = []
    seen: list[tuple[Offer, datetime]] = []
    for offer in offers:
        day, session = offer.decided_at - DAY, offer.visit_at
        seen = [each for each in seen if each[1] > min(day, session)]
        rule = rule_of(offer.rules_version, offer.interaction)
        if rule is None:
            what = f"version {offer.rules_version} has no interaction {offer.interaction}"
            found.append(f"engagement {offer.id}: {what}")
            continue
        of_day = sum(at > day for _, at in seen)
        # The store keeps milliseconds: what was seen in the session's first one may have been seen before it.
        in_session = sum(at > session and each.type == offer.type for each, at in seen)
        if of_day >= rule.per_day:
            found.append(
                f"engagement {offer.id}: {of_day} in 24 hours before it, {rule.per_day} may be"
            )
        if in_session >= rule.per_session:
            what = f"{in_session} {offer.type} in its session before it, {rule.per_session} may be"
            found.append(f"engagement {offer.id}: {what}")
        if offer.seen_at is not None:
            seen.append((offer, offer.seen_at))
    return found
