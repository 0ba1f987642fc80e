"""Say how one condition is written; `agents.rules.conditions` says what it does.

Rules
1. Strict: text is no number and an unknown key is an error: a misspelt limit must not be no limit.
2. One condition says one thing; several stand under `all`, `any` or `not`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
ONE_LINE = r"^[^\x00-\x1f\x7f]+$"
"""A line break in a name or a subject would begin another header of an e-mail."""

HOURS_MAX = 366 * 24
"""The longest window, in hours: a year's days are what a state keeps of an event."""

Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(pattern=ONE_LINE, max_length=200)]
HourOfDay = Annotated[int, Field(ge=0, le=23)]
Hours = Annotated[int, Field(ge=1, le=HOURS_MAX)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Plain = str | bool | int | float
InteractionType = Literal["notice_bar", "opinion_form", "chat_invitation", "exit_offer"]


class Model(BaseModel):
    """Stand above all models of files: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Windowed(Model):
    """Hold `within_hours` or `within_days`; neither: ever."""

    within_hours: Hours | None = None
    within_days: Annotated[int, Field(ge=1, le=HOURS_MAX // 24)] | None = None

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.within_hours is not None and self.within_days is not None:
            raise ValueError("within_hours and within_days exclude each other")
        return self

    @property
    def hours(self) -> int | None:
        """Return the window in hours, None if it is all time."""
        return self.within_days * 24 if self.within_days is not None else self.within_hours


class TraitIs(Model):
    """Ask for a trait: `equals`, `in`, `contains` or `exists`."""

    name: Text
    equals: Plain | None = None
    one_of: list[Plain] | None = Field(default=None, alias="in", min_length=1)
    contains: Text | None = None
    exists: bool | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = [self.equals, self.one_of, self.contains, self.exists]
        if sum(value is not None for value in asked) != 1:
            raise ValueError("a trait needs one of equals, in, contains, exists")
        return self


class EventNone(Windowed):
    """Ask whether an event did not happen."""

    name: Text
    properties: dict[str, Plain] | None = Field(default=None, min_length=1)


class EventDid(EventNone):
    """Ask whether an event happened often enough."""

    at_least: Count = 1


class ScoreIn(Model):
    """Ask whether a score lies in from (included) … to (not included)."""

    name: Name
    start: float | None = Field(default=None, alias="from")
    end: float | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.start is None and self.end is None:
            raise ValueError("a score needs from, to, or both")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("from must be lower than to")
        return self


class SessionIs(Model):
    """Ask for the session's number (first, second, …), its depth (pages viewed in it), or which pages those were."""

    number_at_least: Count | None = None
    depth_at_least: Count | None = None
    pages_contain: list[Text] | None = Field(default=None, min_length=1, max_length=20)
    """Pages of the session whose path contains any of these."""
    pages_at_least: Count = 1
    """How many such pages there must be."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if (self.number_at_least, self.depth_at_least, self.pages_contain) == (None, None, None):
            raise ValueError("a session needs number_at_least, depth_at_least or pages_contain")
        if self.pages_at_least > 1 and self.pages_contain is None:
            raise ValueError("pages_at_least needs pages_contain")
        return self


class PageSeen(Windowed):
    """Ask whether a recent page's path starts with or contains a text."""

    starts_with: Text | None = None
    contains: Text | None = None
    at_least: Count = 1

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.starts_with is None) == (self.contains is None):
            raise ValueError("a page needs one of starts_with, contains")
        return self


class OrdersAre(Model):
    """Ask how many orders there were, and of what value together, less what was given back."""

    at_least: Count | None = None
    value_at_least: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.value_at_least is None:
            raise ValueError("orders need at_least, value_at_least, or both")
        return self


class CampaignIs(Model):
    """Ask which campaign the visitor last came by."""

    source: Text | None = None
    medium: Text | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _some_field(self) -> Self:
        if self.source is None and self.medium is None and self.name is None:
            raise ValueError("a campaign needs source, medium, name, or several of them")
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
            raise ValueError("social needs presence, profile, activity, or several of them")
        return self


class ShareOf(Model):
    """Ask whether the visitor's fixed place in [0, 1) under a salt lies in from … to."""

    salt: Text
    start: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, alias="from")
    end: Annotated[float, Field(ge=0, le=1)] = Field(default=1.0, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("from must be lower than to")
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
            raise ValueError("a probability needs from, to, or both, between 0 and 1")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("from must be lower than to")
        return self


class RespondedWith(Windowed):
    """Ask whether an e-mail of ours was opened or clicked by a human, or how an interaction was answered."""

    kind: Literal["opened", "clicked", "shown", "dismissed", "submitted"]
    to: Literal["email"] | InteractionType = "email"
    at_least: Count = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        possible = {"opened", "clicked"} if self.to == "email" else _ANSWERS
        if self.kind not in possible:
            raise ValueError(f"{self.to} is never {self.kind}: {', '.join(sorted(possible))}")
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
    cohort: Name | None = None
    score: ScoreIn | None = None
    session: SessionIs | None = None
    page: PageSeen | None = None
    orders: OrdersAre | None = None
    campaign: CampaignIs | None = None
    in_cart: bool | None = None
    country: Text | None = None
    locale: Text | None = None
    share: ShareOf | None = None
    social: SocialIs | None = None
    responded: RespondedWith | None = None
    probability: ProbabilityIn | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = sum(getattr(self, name) is not None for name in type(self).model_fields)
        if given != 1:
            raise ValueError("one condition says one thing: put several under all, any or not")
        return self

    @property
    def operator(self) -> str:
        """Return the name of the field that is given."""
        return next(n for n in type(self).model_fields if getattr(self, n) is not None)
