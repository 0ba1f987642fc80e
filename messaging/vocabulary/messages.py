"""Say what the bots tell one another: one type for each fact, addressed to one visitor.

Rules
1. A message names the visitor it is about; the runtime finds the shard by it.
2. `at` is world time at the cause: for whatever came of an event it is the moment at which Behavior
   took that event, so that facts of one visitor are ordered alike in every bot.
3. A message that reaches a visitor who was merged follows the tombstone (`Moved`), except a trigger,
   which ends with a counted refusal.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from messaging.vocabulary.events import Record
from messaging.vocabulary.plans import Broadcast, EngagementPlan, Finding, SendPlan
from messaging.vocabulary.records import Decision, Reward, Snapshot, SplitTest


class Message(msgspec.Struct, array_like=True, tag=True):
    """Hold what every message has: whom it is about, and when its cause was (world time)."""

    visitor: str
    at: datetime


class Arrived(Message):
    """Tell Behavior that an event came for this visitor (identity is resolved)."""

    record: Record
    member: bool = False
    """True where the event's e-mail address is another visitor's mailbox (equal address, other user id)."""
    merging: list[str] = []
    """Younger visitors whom this event showed to be one with this visitor; their states are on their way."""


class Woke(Message):
    """Tell a bot that a wake-up it asked for came due."""

    key: str
    due: datetime
    note: str


class MergedInto(Message):
    """Tell a bot that this visitor (the younger) was found to be one with the visitor `into`."""

    into: str


class MergeStarted(Message):
    """Tell Rules and Email that a younger visitor's state is on its way: nothing is sent before it is there."""

    younger: str


class StateMerged(Message):
    """Hand the older visitor the state that the same bot held for the younger one."""

    younger: str
    state: bytes


class Identified(Message):
    """Tell what is now known of a visitor that decides whether and how we may write to them."""

    address: str
    may_email: bool
    """Consent by the rules in force, or the assumed basis."""
    owns_mailbox: bool
    """False where another visitor owns this address: then no marketing goes to it on this one's behalf."""
    zone: str
    orders: int
    user_id: str
    traits: dict[str, str]
    """Few and short: what templates may greet with."""
    may_look_up: bool = False
    """Others may be asked about the address: its owner refused nothing."""
    may_email_by: list[str] | None = None
    """The consent settings by which it may be written to: another may be in force when it comes to that. None: an
    older version of the product did not say."""
    may_look_up_by: list[str] | None = None
    """The consent settings by which others may be asked about the address; None: an older version did not say."""
    bounced: bool = False
    """The address does not work: it is for that alone that it may not be written to."""


class SiteConsent(Message):
    """Tell Rules that a visitor refuses to be spoken to on the site, or does not any more; until then they may be."""

    may_show: bool


class ConfirmationWanted(Message):
    """Ask Email to let the owner of an address confirm that it may be written to (double opt-in)."""

    address: str
    number: int
    """Which one it is of this visitor, from 1: the send's id is made of it."""


class CohortEntered(Message):
    """Tell that a visitor matches a cohort's rule now."""

    cohort: str
    visit_at: datetime | None = None
    """When the session under way began; None if the visitor is not on the site."""
    by_people: bool = False
    """True where a list that people keep let the visitor in."""


class CohortLeft(Message):
    """Tell that a visitor no longer matches a cohort's rule."""

    cohort: str


class EntryMet(Message):
    """Tell Rules that what starts a run happened: a path's entry event, or a call of the API."""

    path: str
    version: int
    """Of the rules by which it does."""
    key: str = ""
    """What tells the run apart: an order, a cart; empty: nothing does."""
    by_people: bool = False
    """True for a call of the API: somebody chose this visitor."""


class BroadcastReached(Message):
    """Tell Rules that a broadcast has come to this visitor, or (`cancel`) was called off."""

    broadcast: Broadcast
    cancel: bool = False


class WebhookSettled(Message):
    """Tell Rules what a path's webhook came to; what it answered is known to Behavior by then."""

    call_id: str
    path: str
    run: str
    step: str
    outcome: str
    """`answered` or `failed`."""
    reason: str


class ScoreCrossed(Message):
    """Tell that a score moved into another band."""

    score: str
    value: float
    band: str


RETURNED = "returned"
"""Kind of a bounce that says nothing of the visitor's present address: the e-mail had gone to an older one."""


class Responded(Message):
    """Tell how a visitor answered a send: `opened`, `clicked`, `unsubscribed`, `bounced`, `complained`, `returned`."""

    send_id: str
    kind: str
    human: float
    """Probability that a human did it."""
    address: str = ""
    """Where a mail that bounced went, by Email; empty: to the present address."""
    mailbox: str = ""
    """Where a mail went that somebody else reported, as a keyed hash; empty: as Email knows it."""


class SessionEnded(Message):
    """Tell that a known visitor's session ended (30 minutes idle)."""

    ended_at: datetime
    depth: int


class Purchased(Message):
    """Tell that an order was completed, or another path's own goal event happened."""

    order_id: str
    value: float
    currency: str
    event: str
    address: str
    """The best address known, so that success mail needs no second question; may be empty."""
    bought_at: datetime | None = None
    """When it happened, where it was told late (an import of the past); None: at the time of this message."""
    payment_id: str = ""
    """Another name of the order, which refunds may call it by."""
    issue: str = ""
    """What is wrong with how its worth or its currency is told; empty: nothing. A worth that is unread is 0."""
    is_unnamed: bool = False
    """The site gave no order id, or a very long one: `order_id` is our own, and shown to nobody."""


class Refunded(Message):
    """Tell that money was given back for an order, or that the order was cancelled."""

    refund_id: str
    order_id: str
    amount: float | None
    """None: all that is left of the order."""
    currency: str
    issue: str = ""
    """What is wrong with how the amount or its currency is told; empty: nothing. An amount that is unread is 0."""
    failed: bool = False
    """It came to nothing after all: what it took off comes back, and is not taken off again."""


class GoalReached(Message):
    """Tell that a visitor reached the goal of these paths; every run of them entered until then is over."""

    paths: list[str]
    order_id: str
    value: float
    currency: str
    credited: str
    """Send that gets the credit, or empty."""
    address: str
    unthanked: str = ""
    """Why no success e-mail follows; empty: one does."""
    version: int = 0
    """The older version of the rules whose goal it is, for who stands on that; 0: the present one's, for everybody."""
    goal: str = ""
    """By what the goal is told from others: an order's id, or the event's name before it; empty: `order_id`."""
    is_unnamed: bool = False
    """As of `Purchased`."""


class Erased(Message):
    """Tell a bot that this visitor is to be forgotten.

    Without a visitor it holds the place of a letter that was erased: it is skipped.
    """


class AlertAnswered(Message):
    """Tell who raised an alert what a person decided on it; `visitor` of a policy's alert is the policy's key."""

    alert_id: str
    path: str
    run: str
    action: str
    by: str
    stage: str
    policy: str = ""
    """Empty where it is about a visitor."""


class RunsMoved(Message):
    """Tell Rules what becomes of a visitor's runs that stand on another version than the published one."""

    version: int
    action: str
    """`stay`, `migrate` or `exit`: for every run of which `choices` says nothing."""
    by: str
    choices: dict[str, str] = {}
    """Group (`path/version/stage`) -> what was chosen for those who stand there."""


class SendRequested(Message):
    """Ask Email for one send; the touch is reserved against the visitor's caps."""

    plan: SendPlan


class SendSettled(Message):
    """Tell Rules what became of a send: it counts, or its reservation is given back."""

    send_id: str
    path: str
    run: str
    attempt: int
    outcome: str
    """`handed over`, `uncertain`, `bounced`, `refused`, `cancelled` or `given up`."""
    reason: str


class MailSent(Message):
    """Tell Behavior and Sales that a send was handed over (or may have been)."""

    send_id: str
    template: str
    path: str
    decision_id: str
    handed_over_at: datetime


class HandOverDue(Message):
    """Tell Email that a session is free for this send (local to the shard)."""

    send_id: str


class MailOutcome(Message):
    """Tell Email what a hand-over came to (local): `handed over`, `deferred`, `bounced`, `uncertain`, `refused`."""

    send_id: str
    outcome: str
    code: int
    reason: str


class EngagementRequested(Message):
    """Ask Engagement to offer an interaction; the touch is reserved against the visitor's caps."""

    plan: EngagementPlan


class EngagementsWithdrawn(Message):
    """Ask Engagement to take offers back, also those that are on a screen."""

    engagement_ids: list[str]
    reason: str


class EngagementAnswered(Message):
    """Tell Engagement how the visitor answered: `shown`, `clicked`, `dismissed` or `submitted`."""

    engagement_id: str
    response: str
    tab: str


class EngagementSettled(Message):
    """Tell Rules what became of an offer: `shown`, an answer, `withdrawn`, `expired` or `refused`."""

    engagement_id: str
    interaction: str
    interaction_type: str
    outcome: str
    reason: str
    seen: bool
    """True once it was on a screen: then the touch counts."""


class LookedUp(Message):
    """Tell Social what a look-up came to (local to the shard): one finding for each source it asked."""

    look_up_id: str
    findings: list[Finding]


class ProfileSeen(Message):
    """Tell Behavior what is known of a visitor's social presence; empty: unknown."""

    presence: str
    """`found` or `none`."""
    profile: str
    """`personal`, `professional`, `organization` or `automated`."""
    activity: str
    """`active`, `occasional` or `dormant`."""


TraitValue = str | bool | int | float


class TraitsSet(Message):
    """Tell Behavior which traits a step of a path sets."""

    traits: dict[str, TraitValue]
    path: str
    step: str


class RunBegan(Message):
    """Tell Behavior when a run of a path began: a step asks what was done since."""

    path: str
    run: str
    began_at: datetime


class RunNoted(Message):
    """Tell Rules that what follows from a run's beginning was told."""

    path: str
    run: str


class HistoryAwaited(Message):
    """Tell Rules which cohorts nobody can decide yet: what they look at of the past is still on its way; none: it came.

    Only those that a question of a flow stands for, or that keep an interaction from being offered.
    """

    cohorts: list[str]


class DecisionMade(Message):
    """Tell the learner of a decision; `visitor` is the policy's key (`policy_key`)."""

    decision: Decision
    test: SplitTest | None = None
    """The split test that this decision belongs to, where it is the test that is told."""


class HoursSeen(Message):
    """Tell Rules in which hours a visitor was there in weeks that are over, and their first few hours as they come."""

    week: int
    """The week that begins, counted from the first Monday of 1970; of the first few hours, the one after the newest."""
    before: bytes
    """The hours before it, as `learning.serving.presence` packs them."""


class WeekSeen(Message):
    """Tell the learner of a lead's weeks that are over; `visitor` is the policy's key."""

    subject: str
    """Whose weeks they are."""
    zone: str
    """The lead's zone, empty if it is not known."""
    told: int
    """Weeks before this one were told before."""
    week: int
    before: bytes
    """As in `HoursSeen`."""
    prompted: bytes = b""
    """Of the weeks that were not told before, packed alike: hours in which a human clicked in an e-mail."""


class RewardSeen(Message):
    """Tell the learner of a reward, with what it needs of the decision; `visitor` is the policy's key."""

    reward: Reward
    arm: str
    policy: str
    decided_at: datetime
    holdout: bool
    subject: str
    """The visitor decided for, so that one visitor's weight can be bounded."""
    in_lift: bool = True
    """False where the decision says nothing of learning against the rules: the rules decided for somebody who is not
    held out, or the visitor is one of two who became one, of whom one was held out."""
    weighs: float = 1.0
    """Of an hour: as how many sends it counts, by how much the visitor's own hours leaned to it."""
    inputs: bytes = b""
    """What was known of the visitor when it was decided, in sixteenths, a signed byte each (`agents.rules_manager.
    context.INPUTS`); empty where nothing is to be learned of that."""
    allowed: list[str] = []
    """Where the policy itself drew its arm among several: those. By them any other policy can be valued."""
    propensity: float = 0.0
    """With which probability its arm was drawn; 0: the policy did not draw it."""


class DecisionFared(Message):
    """Tell the learner what came of a decision by which its visitor counts, once its window is over.

    `visitor` is the policy's key; nobody is named.
    """

    policy: str
    era: int
    """In which it was decided: another era does not count it."""
    holdout: bool
    came: list[str] = []
    """Of `response`, `goal`, `unsubscribe` and `complaint` those that came true."""


class TrainingScheduled(Message):
    """Tell the learner how often a probability is learned anew (local); `visitor` is the policy's key."""

    policy: str
    every_hours: int


class ModelTrained(Message):
    """Tell the learner what a training came to (local); `visitor` is the policy's key."""

    policy: str
    snapshot: Snapshot | None
    """None: nothing new is published. Its version is given by the learner."""
    outcome: str
    """`first`, `better`, `early`, `champion kept`, or `too little`."""


class Replayed(Message):
    """Give a bot once more the message that it could not take: the runtime opens it, no core ever sees it."""

    row: str
    """Of the quarantine: there it says that it was taken."""
    body: bytes
    """`encode_letters` of that one letter."""


AnyMessage = (
    Arrived
    | Woke
    | MergedInto
    | MergeStarted
    | StateMerged
    | Identified
    | ConfirmationWanted
    | CohortEntered
    | CohortLeft
    | SiteConsent
    | EntryMet
    | BroadcastReached
    | WebhookSettled
    | ScoreCrossed
    | Responded
    | SessionEnded
    | Purchased
    | Refunded
    | GoalReached
    | Erased
    | AlertAnswered
    | RunsMoved
    | SendRequested
    | SendSettled
    | MailSent
    | HandOverDue
    | MailOutcome
    | EngagementRequested
    | EngagementsWithdrawn
    | EngagementAnswered
    | EngagementSettled
    | LookedUp
    | ProfileSeen
    | TraitsSet
    | RunBegan
    | RunNoted
    | HistoryAwaited
    | HoursSeen
    | DecisionMade
    | WeekSeen
    | RewardSeen
    | DecisionFared
    | TrainingScheduled
    | ModelTrained
    | Replayed
)
