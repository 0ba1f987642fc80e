"""Say what can come in from outside: the six calls of the Segment API, and facts the gateway saw itself.

Rules
1. The journal keeps the bytes as they came. `Record` is what surrounds them; `Record.event` reads them once.
2. Public routes take only `track identify page screen group alias`; the other types are written by the
   gateway alone, so that nobody outside can claim that a mail was opened or an alert settled.
3. `at` is the corrected time of the event, `received_at` the world time at which the gateway took it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from messaging.vocabulary.ids import AGAIN


class Page(msgspec.Struct, rename="camel"):
    """Describe the page an event happened on (`context.page`)."""

    url: str | None = None
    path: str | None = None
    referrer: str | None = None
    search: str | None = None
    title: str | None = None


class Consent(msgspec.Struct, rename="camel"):
    """Carry Segment's consent object: category (`email`, `site`) to yes or no."""

    category_preferences: dict[str, bool] | None = None


class Context(msgspec.Struct, rename="camel"):
    """Carry the part of Segment's `context` that the bots use; the rest stays in the bytes."""

    traits: dict[str, Any] | None = None
    page: Page | None = None
    campaign: dict[str, Any] | None = None
    consent: Consent | None = None
    timezone: str | None = None
    locale: str | None = None
    user_agent: str | None = None
    device: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    library: Any = None
    """What made the call; Segment's libraries say `{name, version}`, so does `mdma import`. Never relied on."""


PEOPLE_IMPORTED = {"name": "mdma import", "of": "people"}
"""The library of calls that `mdma import` makes of a table by its mapping."""


class Call(msgspec.Struct, tag_field="type", rename="camel", kw_only=True):
    """Hold what all six calls of the Segment HTTP Tracking API share."""

    message_id: str | None = None
    anonymous_id: str | int | None = None
    user_id: str | int | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    """What RudderStack's libraries send in place of `timestamp`."""
    context: Context | None = None


class Track(Call, tag="track"):
    """Tell that a visitor did something: `event` names it."""

    event: str
    properties: dict[str, Any] | None = None


class Identify(Call, tag="identify"):
    """Tell who a visitor is and what is known of them."""

    traits: dict[str, Any] | None = None


class Listed(Identify, tag="listed", kw_only=True):
    """Put who is identified on static lists, or take them off: written by the gateway alone, for the admin API."""

    lists: dict[str, bool]
    """List -> whether they stand on it from now on."""


class PageViewed(Call, tag="page"):
    """Tell that a visitor looked at a page."""

    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] | None = None


class ScreenViewed(Call, tag="screen"):
    """Tell that a visitor looked at a screen of an app."""

    name: str | None = None
    properties: dict[str, Any] | None = None


class Grouped(Call, tag="group"):
    """Tell that a visitor belongs to a company or another group."""

    group_id: str | int
    traits: dict[str, Any] | None = None


class Aliased(Call, tag="alias"):
    """Tell that `previous_id` and the user id are one person."""

    previous_id: str | int


class Fact(msgspec.Struct, tag_field="type", kw_only=True):
    """Hold what the gateway's own facts share: the visitor is known from a signed token or the API."""

    visitor: str


class MailOpened(Fact, tag="mail_opened"):
    """Tell that the pixel of a send was fetched."""

    send_id: str
    user_agent: str = ""
    method: str = "GET"


class MailClicked(Fact, tag="mail_clicked"):
    """Tell that a link of a send was followed."""

    send_id: str
    link: str
    user_agent: str = ""
    method: str = "GET"


class Unsubscribed(Fact, tag="unsubscribed"):
    """Tell that the reader of a send wants no more; the suppression row stands already."""

    send_id: str = ""
    mailbox: str = ""


class MailReported(Fact, tag="mail_reported"):
    """Tell what was reported of a send after it was handed over; the suppression row stands already."""

    send_id: str
    kind: str
    """`bounced` (there is no such mailbox) or `complained` (its reader calls it spam)."""
    mailbox: str
    """Where the send went."""


class AddressConfirmed(Fact, tag="address_confirmed"):
    """Tell that the reader of a send said: yes, this address is mine, and may be written to."""

    send_id: str
    mailbox: str


class Engaged(Fact, tag="engaged"):
    """Tell how a visitor answered an engagement; the gateway has checked that it is theirs."""

    engagement_id: str
    response: str
    """`shown`, `clicked`, `dismissed` or `submitted`."""
    interaction: str
    interaction_type: str
    tab: str = ""
    """The tab of the browser that answers; of `shown`: the only one that may show it."""
    answers: dict[str, str | int] = {}
    """With `submitted`: field of the interaction -> answer; each becomes a trait."""


class AlertSettled(Fact, tag="alert_settled"):
    """Tell what a person decided on an alert: `resume`, `change` or `close`."""

    alert_id: str
    path: str
    run: str
    action: str
    by: str = "admin"
    stage: str = ""
    """With `change`: the stage at which the new run starts."""
    kind: str = ""
    """What the alert is about: by it the bot that raised it is told."""
    policy: str = ""
    """The policy that it is about: then `visitor` is the policy's key, and the learner is told."""


class EntryAsked(Fact, tag="entry_asked"):
    """Tell that somebody let this visitor onto a path, by the API."""

    path: str
    key: str = ""
    by: str = "admin"


class BroadcastOrdered(Fact, tag="broadcast_ordered"):
    """Tell that this visitor is to get a template once, or (`cancel`) is not any more."""

    broadcast: str
    template: str = ""
    cohort: str = ""
    path: str = ""
    """Whose caps, quiet hours and sender hold for it."""
    version: int = 0
    priority: int = 0
    cancel: bool = False


class WebhookAnswered(Fact, tag="webhook_answered"):
    """Tell what a path's webhook came to: its answer, or that there is none after all tries."""

    call_id: str
    path: str
    run: str
    step: str
    outcome: str
    """`answered` or `failed`."""
    reason: str = ""
    traits: dict[str, str | bool | int | float] = {}


class RulesPublished(Fact, tag="rules_published"):
    """Tell that a version of the rules was published, and what becomes of this visitor's runs on other versions."""

    version: int
    action: str
    """`migrate`: they go on by this version where it has their stage; `exit`: they end; `stay`: neither."""
    by: str = "admin"
    choices: dict[str, str] = {}
    """Group (`path/version/stage`) in which this visitor stands -> what was chosen for it; empty: `action` for all."""


class RulesFilled(Fact, tag="rules_filled"):
    """Bring this visitor what published rules look at and what was not kept before: it comes from the journal.

    It holds what was taken before the visitor's shard saw the publication; what came since is kept already.
    """

    publication: int
    of: str
    """Whose history it is: this visitor's, or that of one who was merged into them."""
    marks: dict[str, list[tuple[float, int, int]]] = {}
    """Watch -> marks (`agents.rules.watches`)."""
    pages: dict[str, tuple[int, float, dict[int, int], int, int]] = {}
    """Question for pages -> a tally: how many ever, when the last was, by hour, 0, the first's second."""
    visits: list[tuple[float, dict[str, int]]] = []
    """When a session began, and question for its pages -> how many."""
    turns: list[tuple[int, int, int, float]] = []
    """Of traits: day, trait, value, when."""
    cart: list[tuple[float, str, int, float, list[str]]] = []
    """When, product, pieces, price, words."""
    scores: dict[str, tuple[float, float]] = {}
    """Score -> points, and when they stood so high."""


class LetterReplayed(Fact, tag="letter_replayed"):
    """Tell that a bot is to get once more what it could not take and what was set aside for it."""

    row: str
    """Of the quarantine."""
    bot: str
    body: bytes
    """`encode_letters` of that one letter."""


class VisitorErased(Fact, tag="visitor_erased"):
    """Tell that a person wants to be forgotten: their keys lead to nobody already."""


Event = (
    Track
    | Identify
    | Listed
    | PageViewed
    | ScreenViewed
    | Grouped
    | Aliased
    | MailOpened
    | MailClicked
    | Unsubscribed
    | MailReported
    | AddressConfirmed
    | Engaged
    | AlertSettled
    | EntryAsked
    | BroadcastOrdered
    | WebhookAnswered
    | RulesPublished
    | RulesFilled
    | LetterReplayed
    | VisitorErased
)

PUBLIC_TYPES = frozenset({"track", "identify", "page", "screen", "group", "alias"})


_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def decode_event(raw: bytes) -> Event:
    """Read one event's JSON. Raise `msgspec.DecodeError` (with the field's path) if it cannot be read."""
    return _event_decoder.decode(raw)


class Record(msgspec.Struct, array_like=True, dict=True):
    """Surround one journaled event: where it stands, when it was, and the bytes as they came."""

    position: int
    message_id: str
    partition: int
    at: datetime
    received_at: datetime
    tagged: str
    """Visitor id from a signed tag that the browser carried after a click in an e-mail, or empty."""
    raw: bytes
    """JSON of the event, as it came."""

    @cached_property
    def event(self) -> Event:
        """Return the event, read once for all who ask. Nobody changes it. Raises what `decode_event` does."""
        return decode_event(self.raw)

    @property
    def first_id(self) -> str:
        """Return the message id under which the event came first: a replay from the quarantine has one of its own."""
        if not self.message_id.startswith(AGAIN):
            return self.message_id
        return self.message_id.removeprefix(AGAIN).partition(":")[2]

    @property
    def is_erased(self) -> bool:
        """Say whether nothing but the record's place is left: whose it was is not known any more."""
        return not self.raw


def erased_record(record: Record) -> Record:
    """Return what stays of a record whose visitor was erased: its place, its partition and when it was taken."""
    taken = record.received_at
    return Record(record.position, "", record.partition, taken, taken, "", b"")
