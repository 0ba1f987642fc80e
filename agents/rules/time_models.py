"""Say how dates and the clock are asked for; days and hours are those of the visitor's zone."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agents.rules.basics import HourOfDay, Hours, Model, Text, WrongValueError

DAYS_AHEAD_MAX = 3_660


def _a_day(text: str) -> str:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text or not 1900 <= found.year <= 2200:
        raise WrongValueError(
            "a day is written like 2026-11-30",
            "four digits of the year, two of the month, two of the day",
        )
    return text


Day = Annotated[str, AfterValidator(_a_day)]
Days = Annotated[int, Field(ge=0, le=DAYS_AHEAD_MAX)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS_AROUND_MAX = 180
"""Days around an anniversary: half a year, or the next one would be nearer."""
DAYS_LATER_MAX = 3_650

SOURCES = ("trait", "first", "last", "of")


class DateIs(Model):
    """Ask one thing of one date: a trait, the first or last time of an event, or one that is always known."""

    trait: Text | None = None
    """A trait that holds a day or a time (ISO 8601, or seconds since 1970)."""
    first: Text | None = None
    """When this event first happened."""
    last: Text | None = None
    """When this event last happened."""
    of: Literal["now", "first_seen", "last_seen", "last_order"] | None = None
    before: Day | None = None
    after: Day | None = None
    between: Annotated[list[Day], Field(min_length=2, max_length=2)] | None = None
    """From the first day to the second, both included."""
    in_last_days: Days | None = None
    """Today, or so many days ago at most."""
    in_next_days: Days | None = None
    in_last_hours: Hours | None = None
    in_next_hours: Hours | None = None
    anniversary_in_days: Annotated[int, Field(ge=0, le=DAYS_AROUND_MAX)] | None = None
    """The day returns each year; 0: today, 7: within the next week. Of 29 February it is the 28th in other years."""
    days_after: Annotated[int, Field(ge=-DAYS_AROUND_MAX, le=DAYS_LATER_MAX)] | None = None
    """Today lies just so many days after it; below 0: before it."""
    days_after_anniversary: (
        Annotated[int, Field(ge=-DAYS_AROUND_MAX, le=DAYS_AROUND_MAX)] | None
    ) = None
    """The same of the day as it returns each year."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if len(given & {*SOURCES}) != 1:
            raise WrongValueError(
                f"a date needs one of {', '.join(SOURCES)}",
                "write it like {trait: birthday, anniversary_in_days: 7}",
            )
        questions = [name for name in type(self).model_fields if name not in SOURCES]
        if len(given - {*SOURCES}) != 1:
            raise WrongValueError(
                f"ask one thing: {', '.join(questions)}", "keep one of them: in_last_days: 7"
            )
        if self.of == "now" and not given & {"before", "after", "between"}:
            raise WrongValueError(
                "of now, ask before, after or between", "write it like {of: now, after: 2026-11-30}"
            )
        if self.between is not None and self.between[0] > self.between[1]:
            raise WrongValueError(
                "between goes from the earlier day to the later one", "swap the two days"
            )
        return self


class HoursOfDay(Model):
    """Say from which hour of the day (included) to which (not included); it may go over midnight."""

    start: HourOfDay = Field(alias="from")
    end: HourOfDay = Field(alias="to")

    @model_validator(mode="after")
    def _some_hours(self) -> Self:
        if self.start == self.end:
            raise WrongValueError(
                "from and to are the same hour: no hour lies between",
                "write it like {from: 9, to: 18}",
            )
        return self


class ClockIs(Model):
    """Ask for the weekday, the hour, or both, where the visitor is now."""

    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = None
    hours: HoursOfDay | None = None

    @model_validator(mode="after")
    def _some_question(self) -> Self:
        if self.weekdays is None and self.hours is None:
            raise WrongValueError(
                "a clock needs weekdays, hours, or both", "write it like {weekdays: [mon, tue]}"
            )
        return self
