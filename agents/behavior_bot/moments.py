"""Keep what is known of each lead once a week: what the probabilities are learned from.

Rules
1. Only the state is read, so a moment of the past is what the state said then: it is kept as time passes, never
   worked out afterwards.
2. A lead is somebody who is known and has bought nothing yet; of nobody else a probability is told.
3. Each lead has a time of the week of its own, by a hash: an import of thousands is no storm a week later.
4. Of a lead who was neither seen nor written to for eight weeks no more moments are kept, until the next event.
5. A person's truth is nowhere in here: an open is an open if a human probably did it, as it was judged.
"""

from __future__ import annotations

from datetime import UTC, datetime

from agents.behavior_bot.knowing import may_email
from agents.behavior_bot.state import DAY_SECONDS, BehaviorState, Tally
from agents.behavior_bot.tallies import hour_of
from agents.protocol.draw import share
from learning.serving.moment import NEVER, Moment, inputs_of
from messaging.vocabulary.effects import Effect, PutMoment, WakeAt

MOMENT_WAKE = "moment"

WEEK_SECONDS = 7 * DAY_SECONDS
MONDAY_SECONDS = 4 * DAY_SECONDS
"""1970 began on a Thursday: weeks begin on the first Monday after."""

QUIET_SECONDS = 8 * WEEK_SECONDS

ASSIST = ("specification", "wish-list", "help", "returns", "delivery", "size")
"""Parts of the paths of pages that help to decide."""
ADDED, CHECKOUT, LOOKED = "Product Added", "Checkout Started", "Product Viewed"
ANSWERED, TALKED = "engagement_submitted:opinion_form", "engagement_clicked:chat_invitation"
OPENED, CLICKED = "mail_opened", "mail_clicked"

_NO_TALLY = Tally()


def is_lead(state: BehaviorState) -> bool:
    """Return whether a visitor is known and has bought nothing yet."""
    known = state.email is not None or bool(state.user_ids)
    return known and not state.orders_count


def arm_moment(state: BehaviorState, visitor: str, seconds: float) -> list[Effect]:
    """Set the wake-up for a lead's next moment, if none stands."""
    if state.moment_armed or not is_lead(state):
        return []
    state.moment_armed = True
    return [WakeAt(MOMENT_WAKE, next_moment(visitor, seconds))]


def keep_moment(
    state: BehaviorState, visitor: str, seconds: float, consent: str, *, at: datetime
) -> list[Effect]:
    """Keep a lead's moment, and set the wake-up for the next one as long as something happens."""
    state.moment_armed = False
    if not is_lead(state):
        return []
    week = int(seconds - MONDAY_SECONDS) // WEEK_SECONDS
    effects: list[Effect] = [PutMoment(week, at, inputs_of(moment_of(state, seconds, consent)))]
    if seconds - max(_seen(state), _sent(state), state.first_seen) < QUIET_SECONDS:
        effects += arm_moment(state, visitor, seconds)
    return effects


def next_moment(visitor: str, seconds: float) -> datetime:
    """Return the first time after now that is a visitor's own time of the week.

    >>> first = next_moment("v", 1_000_000.0)
    >>> (next_moment("v", first.timestamp()) - first).days
    7
    """
    own = MONDAY_SECONDS + int(share("moment", visitor) * WEEK_SECONDS)
    weeks = int((seconds - own) // WEEK_SECONDS) + 1
    return datetime.fromtimestamp(own + weeks * WEEK_SECONDS, UTC)


def moment_of(state: BehaviorState, seconds: float, consent: str) -> Moment:
    """Return what is known of a visitor at a moment (seconds since 1970)."""
    depths = [span.depth for span in state.sessions]

    def tally(event: str) -> Tally:
        return state.tallies.get(event, _NO_TALLY)

    def since(at: float) -> float:
        return max(0.0, seconds - at) / DAY_SECONDS if at else NEVER

    def within(event: str, days: int) -> float:
        first = hour_of(seconds - days * DAY_SECONDS)
        return float(sum(count for hour, count in tally(event).hours.items() if hour > first))

    return Moment(
        days_known=since(state.first_seen),
        days_since_seen=since(_seen(state)),
        days_since_opened=since(tally(OPENED).last),
        days_since_clicked=since(tally(CLICKED).last),
        days_since_cart=since(tally(ADDED).last),
        days_since_sent=since(_sent(state)),
        sessions=state.sessions_before + len(state.sessions),
        pages=tally("page").count,
        pages_7_days=within("page", 7),
        pages_30_days=within("page", 30),
        products=tally(LOOKED).count,
        assist_pages=sum(any(part in path for part in ASSIST) for _, path in state.pages),
        carts=tally(ADDED).count,
        checkouts=tally(CHECKOUT).count,
        depth_last=depths[-1] if depths else 0,
        depth_max=max(depths, default=0),
        opens=tally(OPENED).human,
        opens_30_days=within(OPENED, 30),
        clicks=tally(CLICKED).human,
        clicks_30_days=within(CLICKED, 30),
        sends=sum(send.handed_over_at is not None for send in state.sends),
        answers=tally(ANSWERED).count,
        talks=tally(TALKED).count,
        may_email=may_email(state, consent),
    )


def _seen(state: BehaviorState) -> float:
    return max((span.last for span in state.sessions), default=0.0)


def _sent(state: BehaviorState) -> float:
    return max((send.handed_over_at or 0.0 for send in state.sends), default=0.0)
