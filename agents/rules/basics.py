"""Hold what every file's model stands on: strict models, names, one-line texts, windows of time."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
ONE_LINE = r"^[^\x00-\x1f\x7f]+$"
"""A line break in a name or a subject would begin another header of an e-mail."""

HOURS_MAX = 366 * 24
"""The longest window, in hours."""

COUNTED_MAX = 100
"""To so many an event is counted within a window: as many hours in which it happened are kept, the newest."""

CAPPED_MAX = 48
"""As many touches of a visitor are kept, so that no cap may count more."""

ATTEMPTS_MAX = 16
"""As many sends of a run are kept: its history is told to the person who is alerted, and nothing is sent twice."""

Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(pattern=ONE_LINE, max_length=200)]
HourOfDay = Annotated[int, Field(ge=0, le=23)]
Hours = Annotated[int, Field(ge=1, le=HOURS_MAX)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Plain = str | bool | int | float
InteractionType = Literal["notice_bar", "opinion_form", "chat_invitation", "exit_offer"]


class WrongValueError(ValueError):
    """Say what is wrong with a value, and (`hint`) what to write instead."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


class Model(BaseModel):
    """Stand above all models of files: strict, frozen, no unknown keys."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,  # editors show them
    )


def or_bare(schema: dict[str, Any], *types: str) -> dict[str, Any]:
    """Return the JSON Schema of what may also be written as a bare value of these types."""
    return {"anyOf": [{"type": list(types)}, schema]}


class Windowed(Model):
    """Hold `within_hours` or `within_days`; neither: ever."""

    within_hours: Hours | None = None
    within_days: Annotated[int, Field(ge=1, le=HOURS_MAX // 24)] | None = None

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.within_hours is not None and self.within_days is not None:
            raise WrongValueError(
                "within_hours and within_days exclude each other",
                "keep one of them: within_days: 7",
            )
        return self

    @property
    def hours(self) -> int | None:
        """Return the window in hours, None if it is all time."""
        return self.within_days * 24 if self.within_days is not None else self.within_hours


def countable(hours: int | None, *bounds: int | None) -> None:
    """Raise ValueError for a bound within a window that is beyond what is kept."""
    most = max((bound for bound in bounds if bound is not None), default=0)
    if hours is not None and most > COUNTED_MAX:
        raise WrongValueError(
            f"within a window, count to {COUNTED_MAX} at most: more is not kept of one visitor",
            "count fewer, or leave the window out",
        )


class WindowedOrSince(Windowed):
    """Hold a window, or `since_entry`: since the run began, in a flow's questions alone."""

    since_entry: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.since_entry and self.hours is not None:
            raise WrongValueError(
                "since_entry and a window exclude each other",
                "keep one of them: within_days: 7",
            )
        return self


def in_order(at_least: float | None, at_most: float | None) -> None:
    """Raise ValueError for two bounds between which nothing lies."""
    if at_least is not None and at_most is not None and at_least > at_most:
        raise WrongValueError(
            "at_least is above at_most: nothing lies between them", "swap them, or leave one out"
        )
