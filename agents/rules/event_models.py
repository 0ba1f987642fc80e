"""Say how one asks for what somebody did: how often, in which order, for which cart, and what they left undone.

What is asked of properties, orders and sequences looks at the newest `MARKS_MAX` events of each such rule.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from agents.rules.basics import (
    Count,
    Hours,
    Model,
    Text,
    Windowed,
    WindowedOrSince,
    WrongValueError,
    countable,
    in_order,
    or_bare,
)
from agents.rules.value_models import PropertyIs

MARKS_MAX = 64
"""Events kept of one visitor for one rule that looks at more than an event's name: as many keys can be open."""

Properties = Annotated[dict[Text, PropertyIs], Field(min_length=1, max_length=8)]


class PageLike(Model):
    """Describe a page of the site by its path."""

    starts_with: Text | None = None
    contains: Text | None = None

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.starts_with is None) == (self.contains is None):
            raise WrongValueError(
                "a page needs one of starts_with, contains",
                "write it like {starts_with: /pricing}"
                if self.starts_with is None
                else "keep one of them: {starts_with: /pricing}",
            )
        return self


class EventLike(Model):
    """Describe an event by its name and properties, or a page by its path; the bare name is enough."""

    name: Text | None = None
    page: PageLike | None = None
    properties: Properties | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.name is None) == (self.page is None):
            raise WrongValueError(
                "a step is an event by its name, or a page",
                "write {name: Form Sent}, or {page: {starts_with: /pricing}}",
            )
        return self

    @property
    def event(self) -> str:
        """Return the name under which it is counted."""
        return self.name if self.name is not None else "page"

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return or_bare(handler(core_schema), "string")


class EventNone(WindowedOrSince):
    """Ask whether an event did not happen."""

    name: Text
    properties: Properties | None = None


class EventDid(EventNone):
    """Ask whether an event happened often enough (and not too often)."""

    at_least: Count = 1
    at_most: Count | None = None
    same: Text | None = None
    """Count only events that share a value of this property: three times the same product."""

    @model_validator(mode="after")
    def _countable(self) -> Self:
        in_order(self.at_least, self.at_most)
        # What is not above a bound is what one more would be.
        countable(self.hours, self.at_least, self.at_most and self.at_most + 1)
        is_marked = self.properties or self.same or self.since_entry
        if is_marked and max(self.at_least, self.at_most or 0) >= MARKS_MAX:
            raise WrongValueError(
                f"with properties, same or since_entry, count to {MARKS_MAX - 1} at most",
                "count fewer, or leave properties, same and since_entry out",
            )
        return self


class SequenceIs(Windowed):
    """Ask whether events happened one after the other; the window is that of the last one."""

    steps: Annotated[list[EventLike], Field(min_length=2, max_length=5)]
    span_hours: Hours | None = None
    """From the first to the last, at most."""
    same: Text | None = None
    """All of one order, one cart: they share a value of this property."""


class UnfinishedIs(Windowed):
    """Ask whether something was begun and not finished; the window is that of the beginning."""

    start: EventLike
    finish: EventLike
    after_hours: Hours
    """So long nothing finished it."""
    same: Text | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.hours is not None and self.hours <= self.after_hours:
            raise WrongValueError(
                "the window must be longer than after_hours",
                "wait for fewer after_hours, or look further back",
            )
        if self.start == self.finish:
            raise WrongValueError(
                "start and finish are the same event",
                "name what begins it, and what would finish it",
            )
        return self
