"""Say what a core may want done. A core never does it: the shell commits it and carries it out.

Rules
1. Everything except `QueueSend`, `HandOver`, `LookUp`, `CancelLookUp` and `TrainModel` is written in the batch's own
   transaction.
2. These five are carried out after the commit; what came of them comes back as a message.
3. Rows (`LogDecision`, `PutSend`, …) are for reading by people; no core reads them back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from messaging.vocabulary.messages import Message
from messaging.vocabulary.plans import EngagementPlan, SendPlan
from messaging.vocabulary.records import Decision, Reward, Snapshot


class Tell(msgspec.Struct):
    """Send a message to the shard of `bot` (`behavior`, `rules`, …) that holds its visitor."""

    bot: str
    message: Message


class WakeAt(msgspec.Struct):
    """Wake this visitor at world time `at` with `key`; an earlier wake-up under the same key is replaced."""

    key: str
    at: datetime
    note: str = ""


class CancelWake(msgspec.Struct):
    """Forget the wake-up under `key`, if there is one."""

    key: str


class Moved(msgspec.Struct):
    """Leave a tombstone: this visitor's messages follow to `into` from now on; the wake-ups are dropped."""

    into: str


class Forget(msgspec.Struct):
    """Forget this visitor: of the state nothing stays but that it was erased; what still comes for it ends there."""


class QueueSend(msgspec.Struct):
    """Put a send in the line for a free SMTP session."""

    send_id: str
    at: datetime
    path: str = ""
    """So that one path's hand-overs can be paused."""


class HandOver(msgspec.Struct):
    """Hand this e-mail over to SMTP; the commit refuses it if the mailbox is suppressed (thanks: `UNLESS_BOUNCED`)."""

    plan: SendPlan
    address: str
    mailbox: str
    """Keyed hash of the address."""
    at: datetime


BOUNCED = "bounced"
"""Reason of a suppression: there is no such mailbox."""

UNLESS_BOUNCED = "unless bounced:"
"""Stands before a guarded mailbox that is written to unless there is none: who left is thanked for an order, too."""


class Suppress(msgspec.Struct):
    """Write to this mailbox never again, whoever it belongs to: its row is committed with the batch."""

    mailbox: str
    """Keyed hash of its address."""
    reason: str
    """`bounced` (there is no such mailbox) or `complained`."""
    at: datetime


class LookUp(msgspec.Struct):
    """Ask these sources about an address; the commit refuses it if the mailbox is suppressed."""

    look_up_id: str
    address: str
    mailbox: str
    """Keyed hash of the address."""
    sources: list[str]
    at: datetime


class CancelLookUp(msgspec.Struct):
    """Ask nobody else for a look-up: nobody may any more, or wants to know."""

    look_up_id: str


class TrainModel(msgspec.Struct):
    """Learn a probability anew, outside the batch; the answer is a `ModelTrained`."""

    policy: str
    at: datetime
    """What is known until then is learned from."""


Act = QueueSend | HandOver | LookUp | CancelLookUp | TrainModel
"""What is carried out after the commit."""


class LogDecision(msgspec.Struct):
    """Write a decision to the log."""

    decision: Decision


class LogReward(msgspec.Struct):
    """Write a reward to the log; a second one of the same kind for the same decision is an error."""

    reward: Reward


class LogStory(msgspec.Struct):
    """Write a line of a visitor's story: what happened in the machine, in plain keys."""

    kind: str
    """`run.entered`, `stage.reached`, `send.planned`, `send.refused`, `goal.reached`, `alert.raised`, …"""
    detail: dict[str, Any]


class PutSend(msgspec.Struct):
    """Insert or replace a row of the send ledger. The rest of the row is the plan."""

    plan: SendPlan
    status: str
    """A send's state: see the README of this folder."""
    reason: str
    at: datetime
    mailbox: str = ""
    handed_over_at: datetime | None = None
    domain: str = ""
    """Of the mailbox: how each provider takes our e-mails is judged by it."""
    left: bool = False
    """Somebody unsubscribed by it."""
    opened: bool = False
    """A person did, as far as can be told: machines fetch e-mails too."""
    clicked: bool = False
    """Likewise."""
    until: datetime | None = None
    """Of what is `planned`: so long it waits for a word that lifts the reason, and is refused where none comes."""
    tried_since: datetime | None = None
    """Of what is `deferred`: when it was tried first."""


MOMENTS_KEPT = 17
"""Weeks: the five that are too young to learn from, and a quarter of a year."""


UNCERTAIN_SUCCESS = "uncertain success mail"
"""Kind of the alerts that Email raises, and has to hear of: a success e-mail did not arrive, or may not have."""

SAMPLE_RATIO = "sample ratio mismatch"
"""Kind of the alerts about a split test whose visitors do not come by its shares: the learner's, as all are that name a
policy. All others are the Rules Manager's."""


HARM = "learning does harm"
"""Kind of the alerts about a policy that was taken back: the rules decide in its place until a person resumes it."""


BY_ITSELF = ("goal", "answer", "merge", "entry")
"""What an alert is settled `by` where no person settled it."""


class PutAlert(msgspec.Struct):
    """Insert or replace an alert for a person."""

    alert_id: str
    kind: str
    """What it is about and why it came; stays when it is settled."""
    path: str
    run: str
    status: str
    """`open`, `resumed`, `changed` or `closed`."""
    at: datetime
    """When it came; stays when it is settled."""
    history: list[dict[str, Any]]
    by: str = ""
    """Who settled it: a person, `goal`, `answer` or `merge`; empty while it is open."""
    settled_at: datetime | None = None
    stage: str = ""
    """Where the new run starts, of one that is `changed`."""
    rules_version: int = 0
    """Version that its run stands on; 0: it is about no run."""
    policy: str = ""
    """What it is about, where that is no visitor: then its row names none, and it is closed, or resumed if `HARM`."""


class PutEngagement(msgspec.Struct):
    """Insert or replace a row of the engagements. The rest of the row is the plan."""

    plan: EngagementPlan
    status: str
    """`offered`, `shown`, an answer, `withdrawn`, `expired` or `refused`."""
    reason: str
    at: datetime
    shown_at: datetime | None = None


class PutOrder(msgspec.Struct):
    """Insert or replace an order with its credit."""

    order_id: str
    value: float
    currency: str
    at: datetime
    credited: str
    """The send that gets the credit by last touch, or empty."""
    refunded: float = 0.0
    """What was given back of the value."""
    linear: list[str] = []
    """The sends that share the credit alike, each of them `1 / len` of what is left."""
    issue: str = ""
    """What is wrong with how the order was told."""


class PutMoment(msgspec.Struct):
    """Keep what is known of a lead at one moment; of each lead the newest `MOMENTS_KEPT` weeks stay."""

    week: int
    """Since the first Monday of 1970."""
    at: datetime
    inputs: list[float]
    """As `learning.serving.moment.inputs_of` gives them; NaN: not known."""


class PutMember(msgspec.Struct):
    """Say that a visitor stands on a static list, or does not any more."""

    list: str
    status: str
    """`on` or `off`."""
    at: datetime


class CallWebhook(msgspec.Struct):
    """Queue a call of a path's webhook, with its batch; it is made after that, and answered by `WebhookAnswered`."""

    call_id: str
    url: str
    path: str
    run: str
    step: str
    at: datetime
    data: dict[str, Any]
    """What is told of the visitor."""


class CapReached(msgspec.Struct):
    """Name the cap that lets an e-mail go last: `count` touches on a channel, or on all (`total`), in `hours`."""

    channel: str
    count: int
    hours: int


class PutRecipient(msgspec.Struct):
    """Say what became of a broadcast for one visitor."""

    broadcast: str
    status: str
    """`planned`, `sent`, `refused` or `cancelled`."""
    reason: str
    """Why it does not go, or not yet: what is planned and names none goes at once."""
    at: datetime
    until: datetime | None = None
    """Until when it waits; once that is past, the e-mail is with Email."""
    cap: CapReached | None = None
    """Which cap it waits for, where it is one."""


class PublishSnapshot(msgspec.Struct):
    """Publish a new version of a policy's snapshot to all bots."""

    snapshot: Snapshot


Effect = (
    Tell
    | WakeAt
    | CancelWake
    | Moved
    | Forget
    | QueueSend
    | HandOver
    | Suppress
    | LookUp
    | CancelLookUp
    | LogDecision
    | LogReward
    | LogStory
    | PutSend
    | PutAlert
    | PutEngagement
    | PutOrder
    | PutMoment
    | PutMember
    | PutRecipient
    | CallWebhook
    | PublishSnapshot
    | TrainModel
)
