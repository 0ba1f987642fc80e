"""Say how an e-mail of a path is written: which templates, when it goes out, what is tested."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from agents.rules.basics import HourOfDay, Model, Name, Text, WrongValueError, or_bare

OneOrMore = TypeVar("OneOrMore")


def once(values: list[OneOrMore]) -> list[OneOrMore]:
    """Return a list as it is. Raise ValueError where something stands in it twice."""
    seen: list[OneOrMore] = []
    for value in values:
        if value in seen:
            raise WrongValueError(f"{value!r} is named twice", "keep it once")
        seen.append(value)
    return values


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


Different = Annotated[list[Literal["subject", "hour"]], AfterValidator(once)]


Share = Annotated[float, Field(gt=0, le=1_000_000)]
Visitors = Annotated[int, Field(ge=20, le=10_000_000)]


OF_ANOTHER_COHORT = (
    "test the templates of another cohort in a step of its own (in a flow: behind an if)"
)


class SplitTestModel(Model):
    """Describe a split test of a step's first e-mail to a visitor; `variants` gives each template its share."""

    name: Name
    variants: dict[Name, Share] = Field(min_length=1, max_length=10)
    visitors_min: Visitors = 100
    visitors_max: Visitors = 20_000
    then: Literal["winner", "bandit"] = "winner"
    salt: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        """Refuse several: a visitor's first e-mail here has one draw, and the step one verdict."""
        if isinstance(value, list):
            problem = f"a step has one split test, found {len(value)}"
            raise WrongValueError(problem, f"keep one, as keys; {OF_ANOTHER_COHORT}")
        return value


class Mail(Model):
    """Describe an e-mail of a path. In a flow its step gives it the name."""

    timing: Literal["now", "window"] = "window"
    window_hours: Annotated[int, Field(ge=1, le=168)] = 24
    templates: list[StepTemplate] = Field(min_length=1, max_length=20)
    default_templates: list[Name] = Field(default=[], max_length=20)
    """What visitors get without learning, by attempt here; left out: the first template."""
    default_first: Annotated[list[Name], AfterValidator(once)] = Field(default=[], max_length=20)
    """Templates for some only: without learning the first of them that a visitor may get is their first e-mail here."""
    default_hours: list[HourOfDay] = Field(default=[10], min_length=1, max_length=20)
    different: Different = Field(default=[])
    on_uncertain: Literal["list", "resend"] = "list"
    split_test: SplitTestModel | None = None

    @property
    def defaults(self) -> list[str]:
        """Return the default templates."""
        return self.default_templates or [self.templates[0].id]


class Email(Mail):
    """Describe the e-mail step of a stage."""

    name: Name
    default_templates: list[Name] = Field(min_length=1, max_length=20)
    default_hours: list[HourOfDay] = Field(min_length=1, max_length=20)
