"""Say how one condition is written; `agents.rules.conditions` says what it does.

Rules
1. Strict: text is no number and an unknown key is an error: a misspelt limit must not be no limit.
2. One condition says one thing; several stand under `all`, `any` or `not`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from agents.rules.basics import (
    HOURS_MAX,
    NAME,
    ONE_LINE,
    Count,
    HourOfDay,
    Hours,
    InteractionType,
    Model,
    Name,
    Plain,
    Text,
    WindowedOrSince,
    WrongValueError,
    countable,
    in_order,
)
from agents.rules.event_models import MARKS_MAX, EventDid, EventNone, SequenceIs, UnfinishedIs
from agents.rules.time_models import ClockIs, DateIs
from agents.rules.value_models import PropertyIs, TraitIs

__all__ = [  # the basics are taken from here by all who write models of files
    "HOURS_MAX",
    "NAME",
    "ONE_LINE",
    "Condition",
    "HourOfDay",
    "Hours",
    "InteractionType",
    "Model",
    "Name",
    "Plain",
    "Text",
]


PAGE_LEFT = "Page Left"
"""What the site's snippet tells when a page is left or hidden: `path`, `seconds_visible`, `scroll_percent`."""


class ScoreIn(Model):
    """Ask whether a score lies in from (included) … to (not included)."""

    name: Name
    start: float | None = Field(default=None, alias="from")
    end: float | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.start is None and self.end is None:
            raise WrongValueError(
                "a score needs from, to, or both", "write it like {name: interest, from: 20}"
            )
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise WrongValueError("from must be lower than to", "swap them, or leave one out")
        return self


class SessionIs(Model):
    """Ask for the session's number (first, second, …), its depth (pages viewed in it), its pages, its length."""

    number_at_least: Count | None = None
    number_at_most: Count | None = None
    depth_at_least: Count | None = None
    pages_contain: list[Text] | None = Field(default=None, min_length=1, max_length=20)
    """Pages of the session whose path contains any of these."""
    pages_at_least: Count = 1
    """How many such pages there must be."""
    minutes_at_least: Count | None = None
    """Time on the site, from the session's first activity to its latest."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        in_order(self.number_at_least, self.number_at_most)
        asked = [name for name in type(self).model_fields if name != "pages_at_least"]
        if all(getattr(self, name) is None for name in asked):
            raise WrongValueError(
                f"a session needs one of {', '.join(asked)}", "write it like {depth_at_least: 2}"
            )
        if self.pages_at_least > 1 and self.pages_contain is None:
            raise WrongValueError(
                "pages_at_least needs pages_contain", "name the pages: pages_contain: [/pricing]"
            )
        return self


class PageSeen(WindowedOrSince):
    """Ask whether pages were seen whose path starts with or contains a text, and were looked at so long."""

    starts_with: Text | None = None
    contains: Text | None = None
    at_least: Count = 1
    seconds_at_least: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Only looks of so long: the time that the page was visible, until it was left or hidden."""

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.starts_with is None) == (self.contains is None):
            raise WrongValueError(
                "a page needs one of starts_with, contains",
                "keep one of them: {starts_with: /products}",
            )
        countable(self.hours, self.at_least)
        is_marked = self.seconds_at_least is not None or self.since_entry
        if is_marked and self.at_least >= MARKS_MAX:
            raise WrongValueError(
                f"with seconds_at_least or since_entry, count to {MARKS_MAX - 1} at most",
                "count fewer, or leave seconds_at_least and since_entry out",
            )
        return self

    @property
    def looks(self) -> EventDid:
        """Return what is asked of the looks that were told of when they ended (`Page Left`)."""
        path = PropertyIs(starts_with=self.starts_with, contains=self.contains)
        seconds = PropertyIs(at_least=self.seconds_at_least)
        return EventDid(
            name=PAGE_LEFT,
            properties={"path": path, "seconds_visible": seconds},
            at_least=self.at_least,
            within_hours=self.within_hours,
            within_days=self.within_days,
            since_entry=self.since_entry,
        )


class OrdersAre(Model):
    """Ask how many orders there were, and of what value together, less what was given back.

    The value is that of the orders in the visitor's own currency: the first in which they bought.
    """

    at_least: Count | None = None
    at_most: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    value_at_least: Annotated[float, Field(ge=0)] | None = None
    value_at_most: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        asked = list(type(self).model_fields)
        if all(getattr(self, name) is None for name in asked):
            raise WrongValueError(
                f"orders need one of {', '.join(asked)}", "write it like {at_least: 1}"
            )
        in_order(self.at_least, self.at_most)
        in_order(self.value_at_least, self.value_at_most)
        return self


class CartIs(Model):
    """Ask for what lies in the cart: since the last purchase, and touched within seven days."""

    contains: PropertyIs | None = None
    """Some product's id, SKU, name or category is so."""
    items_at_least: Count | None = None
    value_at_least: Annotated[float, Field(gt=0)] | None = None
    value_at_most: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        asked = list(type(self).model_fields)
        if all(getattr(self, name) is None for name in asked):
            raise WrongValueError(
                f"a cart needs one of {', '.join(asked)}", "write it like {items_at_least: 1}"
            )
        in_order(self.value_at_least, self.value_at_most)
        return self


class CampaignIs(Model):
    """Ask which campaign the visitor last came by."""

    source: Text | None = None
    medium: Text | None = None
    name: Text | None = None
    term: Text | None = None
    content: Text | None = None

    @model_validator(mode="after")
    def _some_field(self) -> Self:
        asked = list(type(self).model_fields)
        if all(getattr(self, name) is None for name in asked):
            raise WrongValueError(
                f"a campaign needs {', '.join(asked)}, or several of them",
                "write it like {source: newsletter}",
            )
        return self


class SocialIs(Model):
    """Ask for what the Social bot found: presence, kind of profile, activity; several must all hold.

    `awaited`: it was asked less than ten minutes ago. `unknown`: it is off, was not allowed, or got no answer.
    """

    presence: Literal["found", "none", "awaited", "unknown"] | None = None
    profile: Literal["personal", "professional", "organization", "automated"] | None = None
    activity: Literal["active", "occasional", "dormant"] | None = None

    @model_validator(mode="after")
    def _some_field(self) -> Self:
        if self.presence is None and self.profile is None and self.activity is None:
            raise WrongValueError(
                "social needs presence, profile, activity, or several of them",
                "write it like {presence: found}",
            )
        return self


class ShareOf(Model):
    """Ask whether the visitor's fixed place in [0, 1) under a salt lies in from … to."""

    salt: Text
    start: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, alias="from")
    end: Annotated[float, Field(ge=0, le=1)] = Field(default=1.0, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise WrongValueError("from must be lower than to", "swap them, or leave one out")
        return self


_ANSWERS = frozenset({"shown", "clicked", "dismissed", "submitted"})


class ProbabilityIn(Model):
    """Ask whether a lead's predicted probability lies in from (included) … to (not included, but 1 is)."""

    of: Literal["opportunity", "customer"]
    start: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, alias="from")
    end: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _some_band(self) -> Self:
        if self.start is None and self.end is None:
            raise WrongValueError(
                "a probability needs from, to, or both, between 0 and 1",
                "write it like {of: customer, from: 0.5}",
            )
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise WrongValueError("from must be lower than to", "swap them, or leave one out")
        return self


class RespondedWith(WindowedOrSince):
    """Ask whether an e-mail of ours was opened or clicked by a human, or how an interaction was answered."""

    kind: Literal["opened", "clicked", "shown", "dismissed", "submitted"]
    to: Literal["email", InteractionType] = "email"
    by: Literal["human", "machine"] = "human"
    """`machine`: what a scanner or a proxy did, ever."""
    at_least: Count = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        possible = {"opened", "clicked"} if self.to == "email" else _ANSWERS
        if self.kind not in possible:
            raise WrongValueError(
                f"{self.to} is never {self.kind}: {', '.join(sorted(possible))}",
                "take one of these, or name another type under to",
            )
        if self.since_entry and self.at_least >= MARKS_MAX:
            raise WrongValueError(
                f"with since_entry, count to {MARKS_MAX - 1} at most",
                "count fewer, or leave since_entry out",
            )
        is_windowed = self.hours is not None or self.since_entry
        if self.by == "machine" and (self.to != "email" or is_windowed):
            raise WrongValueError(
                "of machines, e-mails' opens and clicks are counted, and only for ever",
                "take by: machine out, or the window",
            )
        return self


class Condition(Model):
    """Hold one condition; which one is said by the only key that is given."""

    all_of: list[Condition] | None = Field(default=None, alias="all", min_length=1)
    any_of: list[Condition] | None = Field(default=None, alias="any", min_length=1)
    none_of: Condition | None = Field(default=None, alias="not")
    lifecycle: Literal["unknown", "lead", "customer"] | None = None
    known: Literal["email", "user_id"] | None = None
    may_email: bool | None = None
    trait: TraitIs | None = None
    event: EventDid | None = None
    not_event: EventNone | None = None
    sequence: SequenceIs | None = None
    unfinished: UnfinishedIs | None = None
    date: DateIs | None = None
    clock: ClockIs | None = None
    cohort: Name | None = None
    score: ScoreIn | None = None
    session: SessionIs | None = None
    page: PageSeen | None = None
    orders: OrdersAre | None = None
    campaign: CampaignIs | None = None
    in_cart: bool | None = None
    cart: CartIs | None = None
    referrer: PropertyIs | None = None
    search_term: PropertyIs | None = None
    country: Text | None = None
    city: PropertyIs | None = None
    locale: Text | None = None
    device: Literal["phone", "tablet", "desktop"] | None = None
    in_list: Name | None = None
    share: ShareOf | None = None
    social: SocialIs | None = None
    responded: RespondedWith | None = None
    probability: ProbabilityIn | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = sum(getattr(self, name) is not None for name in type(self).model_fields)
        if given != 1:
            raise WrongValueError(
                "one condition says one thing: put several under all, any or not",
                "write all: [{known: email}, {lifecycle: lead}]",
            )
        return self

    @property
    def operator(self) -> str:
        """Return the name of the field that is given."""
        return next(n for n in type(self).model_fields if getattr(self, n) is not None)

    @property
    def is_since_entry(self) -> bool:
        """Say whether it asks for what was done since a run began."""
        return bool(getattr(getattr(self, self.operator), "since_entry", None))
