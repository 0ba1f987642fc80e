"""Take one message for one visitor: offer, show, answer, withdraw.

| an offer is | message                             | next                                          |
|-------------|-------------------------------------|-----------------------------------------------|
| (none)      | requested                           | open, or refused (bought meanwhile, too late) |
| open        | shown                               | shown, for one tab                            |
| open, shown | clicked, dismissed, submitted       | ended so                                      |
| open, shown | withdrawn by Rules, goal reached    | ended: withdrawn                              |
| open, shown | its time is over                    | ended: expired                                |
| ended       | shown (it was on its way already)   | ended; the touch counts after all             |

Rules
1. Rules hears of every end, and whether it was seen: what was not is given back.
2. The goal ends all that was decided until then, in whatever order the messages come; so nobody waits for Rules.
3. The ledger's row says how an offer stands; of an offer there is no line in the story besides. Most are never
   seen, and two rows for each of those would be a third of all that is written.
4. Whose time is over has expired, also where Rules takes it back at that very moment: a visit ends as long after its
   last page as an offer stands open after it, and which of the two is heard of first is chance.
5. An answer without a `shown` before it was seen all the same: who clicks has looked.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from agents.engagement_bot.state import (
    ABSORBED_MAX,
    ENDED_MAX,
    OFFERS_MAX,
    VERSION,
    Ended,
    EngagementState,
    Offer,
)
from agents.protocol.bot import View
from messaging.vocabulary.effects import (
    CancelWake,
    Effect,
    LogStory,
    Moved,
    PutEngagement,
    Tell,
    WakeAt,
)
from messaging.vocabulary.messages import (
    EngagementAnswered,
    EngagementRequested,
    EngagementSettled,
    EngagementsWithdrawn,
    GoalReached,
    MergedInto,
    Message,
    StateMerged,
    Woke,
)
from messaging.vocabulary.plans import EngagementPlan

EXPIRE = "expire"
OVER = "its time was over"

_decoder = msgspec.msgpack.Decoder(tuple[int, EngagementState])


def step(state: EngagementState, message: Message, now: datetime, view: View) -> list[Effect]:
    """Take one message; the state is changed in place."""
    before = _due(state)
    visitor = message.visitor
    match message:
        case EngagementRequested(plan=plan, at=at):
            effects = _requested(state, visitor, plan, at, now, view)
        case EngagementAnswered():
            effects = _answered(state, message, now)
        case EngagementsWithdrawn(engagement_ids=ids, reason=reason):
            ending = [o for o in state.offers if o.plan.engagement_id in ids]
            over = [o for o in ending if o.plan.expires_at <= now]
            effects = _end_all(state, visitor, over, "expired", OVER, now)
            ending = [o for o in ending if o not in over]
            effects += _end_all(state, visitor, ending, "withdrawn", reason, now)
        case GoalReached(at=at):
            state.goal_at = at if state.goal_at is None else max(at, state.goal_at)
            ending = [o for o in state.offers if o.at <= at]
            effects = _end_all(state, visitor, ending, "withdrawn", "goal reached", now)
        case Woke():
            ending = [o for o in state.offers if o.plan.expires_at <= now]
            effects = _end_all(state, visitor, ending, "expired", OVER, now)
        case MergedInto(into=into, at=at):
            return _merged_into(state, visitor, into, at, now)
        case StateMerged(younger=younger, state=body):
            effects = _state_merged(state, visitor, younger, body, now)
        case _:
            return []  # what is told to other bots only
    due = _due(state)
    if due != before or (isinstance(message, Woke) and due is not None):
        effects.append(CancelWake(EXPIRE) if due is None else WakeAt(EXPIRE, due))
    return effects


def refused(visitor: str, plan: EngagementPlan, reason: str, now: datetime) -> list[Effect]:
    """Return what follows from a refusal: Rules gives the touch back."""
    return [
        PutEngagement(plan, "refused", reason, now),
        _story("engagement.refused", plan, reason=reason),
        _settled(visitor, plan, "refused", reason, now, seen=False),
    ]


def _requested(
    state: EngagementState,
    visitor: str,
    plan: EngagementPlan,
    decided_at: datetime,
    now: datetime,
    view: View,
) -> list[Effect]:
    """Open an offer, unless something has come between the decision and this moment."""
    rules = view.pinned.get(plan.rules_version)
    rule = rules.interactions.get(plan.interaction) if rules is not None else None
    if state.goal_at is not None and decided_at <= state.goal_at:
        return refused(visitor, plan, "goal reached", now)
    if rule is None or plan.expires_at <= now:
        return refused(visitor, plan, "too late", now)
    if len(state.offers) >= OFFERS_MAX:
        return refused(visitor, plan, "too many are open", now)
    number = state.next_number()
    state.offers.append(Offer(plan, rule.trigger, rule.content, number, decided_at))
    return [PutEngagement(plan, "offered", "", now)]


def _answered(state: EngagementState, message: EngagementAnswered, now: datetime) -> list[Effect]:
    visitor, response = message.visitor, message.response
    offer = state.offer(message.engagement_id)
    if offer is None:
        return _answered_late(state, message, now)
    plan = offer.plan
    effects: list[Effect] = []
    if offer.shown_at is None:
        offer.shown_at, offer.tab = message.at, message.tab
        effects = [
            PutEngagement(plan, "shown", "", now, offer.shown_at),
            _settled(visitor, plan, "shown", "", message.at, seen=True),
        ]
    if response != "shown":
        effects += _end(state, visitor, offer, response, "", now)
    return effects


def _answered_late(
    state: EngagementState, message: EngagementAnswered, now: datetime
) -> list[Effect]:
    """Take an answer to what ended meanwhile: where it had not been seen, the touch counts after all."""
    past = state.past(message.engagement_id)
    if past is None:
        return []  # so old that nobody remembers it
    effects: list[Effect] = [_story("engagement.late", past.plan, response=message.response)]
    if past.shown_at is None:
        past.shown_at, past.tab = message.at, message.tab
        row = PutEngagement(past.plan, past.outcome, "seen all the same", now, past.shown_at)
        effects += [
            row,
            _settled(message.visitor, past.plan, "shown", "late", message.at, seen=True),
        ]
    return effects


def _end_all(
    state: EngagementState,
    visitor: str,
    offers: list[Offer],
    outcome: str,
    reason: str,
    now: datetime,
) -> list[Effect]:
    effects: list[Effect] = []
    for offer in offers:
        effects += _end(state, visitor, offer, outcome, reason, now)
    return effects


def _end(
    state: EngagementState, visitor: str, offer: Offer, outcome: str, reason: str, now: datetime
) -> list[Effect]:
    plan, seen = offer.plan, offer.shown_at is not None
    state.offers.remove(offer)
    ended = Ended(plan, outcome, state.next_number(), offer.shown_at, offer.tab)
    if seen:
        ended.fields = offer.content.get("fields", [])
    state.ended = [*state.ended, ended][-ENDED_MAX:]
    return [
        PutEngagement(plan, outcome, reason, now, offer.shown_at),
        _settled(visitor, plan, outcome, reason, now, seen=seen),
    ]


def _merged_into(
    state: EngagementState, visitor: str, into: str, at: datetime, now: datetime
) -> list[Effect]:
    """Send this visitor's state to the older one, and leave a tombstone.

    What is on a screen travels along; what nobody has seen is withdrawn, for the older may have the same.
    """
    if into == visitor:
        return []  # it followed the tombstone of a merge that was done already
    unseen = [o for o in state.offers if o.shown_at is None]
    effects = _end_all(state, visitor, unseen, "withdrawn", "merged", now)
    body = msgspec.msgpack.encode((VERSION, state))
    state.offers, state.ended = [], []  # the tombstone keeps nothing that could be told twice
    return [*effects, Tell("engagement", StateMerged(into, at, visitor, body)), Moved(into)]


def _state_merged(
    state: EngagementState, visitor: str, younger: str, body: bytes, now: datetime
) -> list[Effect]:
    """Take the younger visitor's state in, once; the ledger's rows name the older from now on."""
    if younger in state.absorbed:
        return []
    version, young = _decoder.decode(body)
    assert version == VERSION, f"state of version {version}"
    state.absorbed = [*state.absorbed, younger][-ABSORBED_MAX:]
    for ended in young.ended:
        ended.number = state.next_number()
    state.ended = [*state.ended, *young.ended][-ENDED_MAX:]
    effects: list[Effect] = []
    for offer in young.offers:
        offer.number = state.next_number()
        state.offers.append(offer)
        effects.append(PutEngagement(offer.plan, "shown", "merged", now, offer.shown_at))
    goals = [at for at in (state.goal_at, young.goal_at) if at is not None]
    state.goal_at = max(goals, default=None)
    if state.goal_at is not None:
        stale = [o for o in state.offers if o.at <= max(goals)]
        effects += _end_all(state, visitor, stale, "withdrawn", "goal reached", now)
    crowd = state.offers[:-OFFERS_MAX]
    return effects + _end_all(state, visitor, crowd, "withdrawn", "too many are open", now)


def _due(state: EngagementState) -> datetime | None:
    return min((offer.plan.expires_at for offer in state.offers), default=None)


def _settled(
    visitor: str, plan: EngagementPlan, outcome: str, reason: str, at: datetime, *, seen: bool
) -> Tell:
    message = EngagementSettled(
        visitor=visitor,
        at=at,
        engagement_id=plan.engagement_id,
        interaction=plan.interaction,
        interaction_type=plan.interaction_type,
        outcome=outcome,
        reason=reason,
        seen=seen,
    )
    return Tell("rules", message)


def _story(kind: str, plan: EngagementPlan, **detail: object) -> LogStory:
    what = {
        "engagement_id": plan.engagement_id,
        "interaction": plan.interaction,
        "type": plan.interaction_type,
    }
    return LogStory(kind, what | detail)
