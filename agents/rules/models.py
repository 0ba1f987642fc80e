"""Say how the marketer's files are written: paths, cohorts, scores, templates and senders.

Rules
1. Strict: text is no number and an unknown key is an error: a misspelt limit must not be no limit.
2. A file's name is the name of what it holds: `paths/welcome.yaml` holds the path `welcome`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from agents.rules.basics import ATTEMPTS_MAX, CAPPED_MAX, WrongValueError, or_bare
from agents.rules.condition_models import ONE_LINE, Condition, HourOfDay, Hours, Model, Name, Text
from agents.rules.email_models import Email, Mail, once
from agents.rules.event_models import Properties
from agents.rules.flow_models import Alert, Step, walk_steps
from agents.rules.source import Location
from agents.rules.time_models import DAYS_AROUND_MAX, DAYS_LATER_MAX

# ----------------------------------------------------------------------- cohorts and scores


class Cohort(Model):
    """Describe one cohort."""

    title: Text | None = None
    when: Condition


class CohortsFile(Model):
    """Hold `cohorts.yaml`."""

    cohorts: dict[Name, Cohort] = Field(min_length=1, max_length=500)


class Band(Model):
    """Name a part of a score, from a value up to the next band."""

    start: float = Field(alias="from")
    name: Name


class Score(Model):
    """Describe one score."""

    title: Text | None = None
    half_life_days: Annotated[float, Field(gt=0, le=3650)] | None = None
    cap: Annotated[float, Field(gt=0)] | None = None
    points: dict[Text, float] = Field(min_length=1)
    bands: list[Band] = Field(default=[])


class ScoresFile(Model):
    """Hold `scores.yaml`."""

    scores: dict[Name, Score] = Field(min_length=1, max_length=50)


# --------------------------------------------------------------------- templates and senders


class TemplateFile(Model):
    """Hold `templates/<id>.yaml`: Liquid in every text; the body is `html`, or `mjml` with or without a layout."""

    subject: Annotated[str, Field(pattern=ONE_LINE, max_length=300)]
    preheader: Annotated[str, Field(pattern=ONE_LINE, max_length=300)] = ""
    cohort: Name | None = None
    layout: Name | None = None
    html: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    mjml: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    text: Annotated[str, Field(min_length=1, max_length=100_000)]

    @property
    def body_key(self) -> str:
        """Return the key under which the body stands."""
        return "html" if self.mjml is None else "mjml"


class SenderModel(Model):
    """Describe who writes."""

    name: Text
    address: Annotated[str, Field(pattern=r"^[^@\s<>\"]+@[^@\s<>\"]+$", max_length=254)]
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=500)]


class SendersFile(Model):
    """Hold `senders.yaml`."""

    senders: dict[Name, SenderModel] = Field(min_length=1)


# -------------------------------------------------------------------------------------- paths


class DateEntry(Model):
    """Name a trait that holds a day: the run starts on it, so many days after it, or (below 0) before it."""

    trait: Text
    offset_days: Annotated[int, Field(ge=-DAYS_AROUND_MAX, le=DAYS_LATER_MAX)] = 0
    anniversary: bool = False
    """The day returns each year."""

    @model_validator(mode="after")
    def _within_a_year(self) -> Self:
        if self.anniversary and self.offset_days > DAYS_AROUND_MAX:
            raise WrongValueError(
                f"of an anniversary, offset_days is {DAYS_AROUND_MAX} at most",
                "count from the nearer anniversary",
            )
        return self


class Entry(Model):
    """Say what starts a run: one thing, and a call of the API as well where `api` says so."""

    cohort: Name | None = None
    """Whoever enters it."""
    event: Text | None = None
    """Whoever does this: each time it happens."""
    where: Properties | None = None
    """Only where the event's properties are so."""
    date: DateEntry | None = None
    in_list: Name | None = Field(default=None, alias="list")
    """Whoever is put on this list."""
    api: bool = False

    @model_validator(mode="after")
    def _one_cause(self) -> Self:
        given = [self.cohort, self.event, self.date, self.in_list]
        count = sum(each is not None for each in given)
        if count > 1 or (not count and not self.api):
            raise WrongValueError(
                "write one of cohort, event, date, list, or api: true",
                "keep one of them: cohort: addressable-lead",
            )
        if self.where is not None and self.event is None:
            raise WrongValueError(
                "where asks for properties of an event: name it under event",
                "write event: beside it, or take where out",
            )
        return self


class QuietHours(Model):
    """Say from which hour of day to which nothing is sent; the same hour twice: there are no quiet hours."""

    start: HourOfDay = Field(alias="from")
    end: HourOfDay = Field(alias="to")


class CapModel(Model):
    """Allow at most `count` marketing touches on a channel in any `hours`; `total`: on all channels together."""

    channel: Literal["email", "total"]
    count: Annotated[int, Field(ge=1, le=CAPPED_MAX)]
    hours: Hours


class Attempts(Model):
    """Limit the attempts of one run."""

    total: Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)]
    after_open: Annotated[int, Field(ge=0, le=ATTEMPTS_MAX)]


class Success(Model):
    """Name the e-mail that follows the goal."""

    template: Name


class StageOn(Model):
    """Say what moves a run to a stage: a bare word, or `{cohort: name}` for entering a cohort."""

    what: Literal["entry", "opened", "clicked", "cohort"] = "cohort"
    cohort: Name = ""

    @model_validator(mode="before")
    @classmethod
    def _bare_word(cls, value: Any) -> Any:
        return {"what": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return or_bare(handler(core_schema), "string")

    @model_validator(mode="after")
    def _one_cause(self) -> Self:
        if (self.what == "cohort") != bool(self.cohort):
            raise WrongValueError(
                "write entry, opened, clicked, or {cohort: name}",
                "write it like on: clicked, or on: {cohort: in-cart}",
            )
        return self


class Stage(Model):
    """Describe one stage of a path."""

    name: Name
    on: StageOn
    opportunity: bool = False
    hold: bool = False
    email: Email


class PathFile(Model):
    """Hold `paths/<name>.yaml`."""

    title: Text
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    worth: Annotated[float, Field(ge=0)] = 1.0
    goal: Annotated[list[Text], AfterValidator(once)] = Field(min_length=1)
    entry: Entry
    reentry: Literal["never", "after_end", "every_time", "keyed"] = "never"
    key: Text | None = None
    """With `reentry: keyed`: the event's property (order_id, cart_id) by which runs are told apart."""
    zone: Text = "UTC"
    quiet_hours: QuietHours
    caps: list[CapModel]
    attempts: Attempts
    response_window_hours: Hours
    after_visit_hours: Hours
    alert: Alert
    success: Success
    sender: Name
    stages: list[Stage] = Field(default=[], max_length=20)
    """The loop: an e-mail for each stage of the funnel, until the goal or the last attempt."""
    steps: list[Step] = Field(default=[], max_length=20)
    """The flow: one step after the other, with branches."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if bool(self.stages) == bool(self.steps):
            raise WrongValueError(
                "a path has stages (a loop) or steps (a flow), one of them", "keep stages, or steps"
            )
        return self

    def emails(self) -> Iterator[tuple[Location, str, Mail]]:
        """Give where each e-mail stands in the file, the name of its stage or step, and the e-mail."""
        for index, stage in enumerate(self.stages):
            yield ("stages", index, "email"), stage.name, stage.email
        for at, step in walk_steps(self.steps, ("steps",)):
            if step.email is not None:
                yield (*at, "email"), step.name, step.email
