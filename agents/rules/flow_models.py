"""Say how a flow is written: a path of steps with branches, waits, actions and bounded loops.

Rules
1. A step does one thing, and its name is its own in the whole path: people stand on it, `goto` leads to it.
2. The end of a branch leads on to what follows the step that branched; the end of the list ends the flow.
3. Nothing goes round for ever: every circle holds an e-mail (the path's attempts bound it) or a `goto` with `times`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from agents.rules.basics import HourOfDay, Hours, Model, Name, Plain, Text, WrongValueError, or_bare
from agents.rules.condition_models import Condition
from agents.rules.email_models import Mail
from agents.rules.source import Location
from agents.rules.time_models import Weekday

STEPS_MAX = 60
"""Steps of one path: a run remembers when it reached each, and must stay small."""

TIMES_MAX = 20

TRAITS_SET_MAX = 8


class Alert(Model):
    """Say what a person is told: when the attempts are used up, or when a flow comes to the step."""

    title: Text


class FlowCondition(Condition):
    """Hold a condition as Behavior knows them, or ask how the run's latest e-mail was answered."""

    answered: Literal["opened", "clicked"] | None = None
    """The latest e-mail of this run was opened (a click counts as well), or clicked, by a human."""


class Until(Model):
    """Name the moment that is waited for, by the clock of the visitor's zone."""

    hour: HourOfDay | None = None
    """The next time that this hour begins; without it 0:00."""
    weekday: Weekday | None = None
    """On this day of the week; without it on any."""

    @model_validator(mode="after")
    def _some_moment(self) -> Self:
        if self.hour is None and self.weekday is None:
            raise WrongValueError("until needs hour, weekday, or both", "write it like {hour: 9}")
        return self


class Wait(Model):
    """Wait so long, or until a moment of the week; one of them."""

    hours: Hours | None = None
    days: Annotated[int, Field(ge=1, le=366)] | None = None
    until: Until | None = None

    @model_validator(mode="after")
    def _one_wait(self) -> Self:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise WrongValueError(
                "wait for one thing: hours, days, or until", "write it like {hours: 24}"
            )
        return self


class WaitUntil(Model):
    """Wait until a condition holds, and no longer than this; then the step's `else` is taken."""

    when: FlowCondition
    at_most_hours: Hours


class WayOut(Model):
    """Name one way of a split, its share among all, and the steps on it."""

    name: Name
    share: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    steps: list[Step] = Field(default=[], max_length=20)


class Split(Model):
    """Send people different ways, each by a fixed place of their own: whoever comes again goes the same way."""

    ways: list[WayOut] = Field(min_length=2, max_length=8)
    salt: Text | None = None
    """Two splits with one salt send a visitor alike; left out: each for itself."""


class Offer(Model):
    """Offer an interaction on the site; the bare name is enough."""

    interaction: Name
    hours: Annotated[int, Field(ge=1, le=720)] | None = None
    """How long it waits for the visitor to come; left out: as long as the interaction stands."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"interaction": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return or_bare(handler(core_schema), "string")


def _address(url: str) -> str:
    """Refuse what no client can call: it would fail for everybody who comes to the step."""
    try:
        parts = urlsplit(url)
        is_address = bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise WrongValueError(
            f"{url} is no address: write one like https://crm.example/score",
            "begin with https:// and the host's name",
        )
    return url


class Webhook(Model):
    """Call an address, signed as Standard Webhooks says; what a 2xx answers under `traits` becomes the visitor's."""

    url: Annotated[
        str, Field(pattern=r"^https?://[^\s@]+$", max_length=500), AfterValidator(_address)
    ]
    at_most_hours: Hours = 24
    """So long the answer is waited for; then, and when the tries are used up, the step's `else` is taken."""


class Step(Model):
    """Describe one step of a flow; what it does is said by the only key that is given besides its name."""

    name: Name
    wait: Wait | None = None
    wait_until: WaitUntil | None = None
    if_: FlowCondition | None = Field(default=None, alias="if")
    split: Split | None = None
    email: Mail | None = None
    """Goes on when it was handed over; when the path's attempts are used up a person is called, and the flow ends."""
    offer: Offer | None = None
    set_trait: (
        Annotated[dict[Text, Plain], Field(min_length=1, max_length=TRAITS_SET_MAX)] | None
    ) = None
    tag: Name | None = None
    """Sets the trait `tags.<tag>` to true."""
    stage: Text | None = None
    """Sets the trait `stage`."""
    owner: Text | None = None
    """Sets the trait `owner`: the colleague who looks after them."""
    alert: Alert | None = None
    """Calls a person, once a run, and goes on."""
    webhook: Webhook | None = None
    goto: Name | None = None
    end: Literal[True] | None = None
    then: list[Step] | None = Field(default=None, max_length=20)
    """With `if`: where the condition holds."""
    otherwise: list[Step] | None = Field(default=None, alias="else", max_length=20)
    """With `if`: where it does not hold; `wait_until`: when the time is over; `webhook`: where none answers."""
    times: Annotated[int, Field(ge=1, le=TIMES_MAX)] | None = None
    """With `goto`: so many times in a run; then the flow goes on below."""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            shown = ", ".join(name.rstrip("_") for name in KINDS)
            raise WrongValueError(f"a step does one thing, one of {shown}", "make a step of each")
        if self.then is not None and self.if_ is None:
            raise WrongValueError("then belongs to if", "write if: above it, or take then out")
        branching = (self.if_, self.wait_until, self.webhook)
        if self.otherwise is not None and all(each is None for each in branching):
            raise WrongValueError(
                "else belongs to if, wait_until and webhook",
                "take else out, or ask something in this step",
            )
        if self.if_ is not None and not self.then and not self.otherwise:
            raise WrongValueError("if needs then, else, or both", "write a step under then:")
        if self.times is not None and self.goto is None:
            raise WrongValueError(
                "times belongs to goto", "write goto: above it, or take times out"
            )
        return self

    @property
    def kind(self) -> str:
        """Return the name of the key that says what the step does."""
        return next(name for name in KINDS if getattr(self, name) is not None)

    @property
    def condition(self) -> FlowCondition | None:
        """Return what the step asks, None if it asks nothing."""
        return self.if_ if self.wait_until is None else self.wait_until.when

    @property
    def traits(self) -> dict[str, Plain]:
        """Return the traits that the step sets; none if it is of another kind."""
        if self.tag is not None:
            return {f"tags.{self.tag}": True}
        named = {"stage": self.stage, "owner": self.owner}
        return {name: value for name, value in named.items() if value} or dict(self.set_trait or {})


KINDS = (
    "wait",
    "wait_until",
    "if_",
    "split",
    "email",
    "offer",
    "set_trait",
    "tag",
    "stage",
    "owner",
    "alert",
    "webhook",
    "goto",
    "end",
)
"""What a step may do."""


def branches(step: Step, at: Location) -> Iterator[tuple[Location, list[Step]]]:
    """Give the lists of steps inside a step, each with its place in the file."""
    if step.then:
        yield (*at, "then"), step.then
    if step.otherwise:
        yield (*at, "else"), step.otherwise
    for index, way in enumerate(step.split.ways if step.split is not None else []):
        if way.steps:
            yield (*at, "split", "ways", index, "steps"), way.steps


def walk_steps(steps: list[Step], at: Location) -> Iterator[tuple[Location, Step]]:
    """Give every step with its place in the file: each before those on its branches, these before what follows."""
    for index, step in enumerate(steps):
        yield (*at, index), step
        for place, inner in branches(step, (*at, index)):
            yield from walk_steps(inner, place)
