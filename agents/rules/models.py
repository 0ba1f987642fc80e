"""Say how the marketer's files are written: paths, cohorts, scores, templates and senders.

Rules
1. Strict: text is no number and an unknown key is an error: a misspelt limit must not be no limit.
2. A file's name is the name of what it holds: `paths/welcome.yaml` holds the path `welcome`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from agents.rules.basics import or_bare
from agents.rules.condition_models import ONE_LINE, Condition, HourOfDay, Hours, Model, Name, Text

OneOrMore = TypeVar("OneOrMore")


def _once(values: list[OneOrMore]) -> list[OneOrMore]:
    seen: list[OneOrMore] = []
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} is named twice")
        seen.append(value)
    return values


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


class Entry(Model):
    """Name the cohort whose entering starts a run."""

    cohort: Name


class QuietHours(Model):
    """Say from which hour of day to which nothing is sent."""

    start: HourOfDay = Field(alias="from")
    end: HourOfDay = Field(alias="to")


class CapModel(Model):
    """Allow at most `count` marketing touches on a channel in any `hours`."""

    channel: Literal["email"]
    count: Annotated[int, Field(ge=1, le=100)]
    hours: Hours


class Attempts(Model):
    """Limit the attempts of one run."""

    total: Annotated[int, Field(ge=1, le=20)]
    after_open: Annotated[int, Field(ge=0, le=20)]


class Alert(Model):
    """Say what a person is told when the attempts are used up."""

    title: Text


class Success(Model):
    """Name the e-mail that follows the goal."""

    template: Name


class StepTemplate(Model):
    """Name a template and the cohort that alone may get it here; the bare id is enough."""

    id: Name
    cohort: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_id(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return or_bare(handler(core_schema), "string")


Different = Annotated[list[Literal["subject", "hour"]], AfterValidator(_once)]


Share = Annotated[float, Field(gt=0, le=1_000_000)]
Visitors = Annotated[int, Field(ge=20, le=10_000_000)]


class SplitTestModel(Model):
    """Describe a split test of a step's first e-mail to a visitor; `variants` gives each template its share."""

    name: Name
    variants: dict[Name, Share] = Field(min_length=1, max_length=10)
    visitors_min: Visitors = 100
    visitors_max: Visitors = 20_000
    then: Literal["winner", "bandit"] = "winner"
    salt: Text | None = None


class Email(Model):
    """Describe the e-mail step of a stage."""

    name: Name
    timing: Literal["now", "window"] = "window"
    window_hours: Annotated[int, Field(ge=1, le=168)] = 24
    templates: list[StepTemplate] = Field(min_length=1, max_length=20)
    default_templates: list[Name] = Field(min_length=1, max_length=20)
    default_hours: list[HourOfDay] = Field(min_length=1, max_length=20)
    different: Different = Field(default=[])
    on_uncertain: Literal["list", "resend"] = "list"
    split_test: SplitTestModel | None = None


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
            raise ValueError("write entry, opened, clicked, or {cohort: name}")
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
    goal: Annotated[list[Text], AfterValidator(_once)] = Field(min_length=1)
    entry: Entry
    reentry: Literal["never", "after_end"] = "never"
    zone: Text = "UTC"
    quiet_hours: QuietHours
    caps: list[CapModel]
    attempts: Attempts
    response_window_hours: Hours
    after_visit_hours: Hours
    alert: Alert
    success: Success
    sender: Name
    stages: list[Stage] = Field(min_length=1, max_length=20)
