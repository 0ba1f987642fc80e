"""Say how a value is asked for: a trait's, a property's, a place's."""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Self

import re2
from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from agents.rules.basics import Model, Plain, Text, Windowed, WrongValueError, in_order, or_bare

_QUIET = re2.Options()
_QUIET.log_errors = False
"""What a marketer mistypes is told with its line, not written to the log by the library."""
_QUIET.case_sensitive = False
_QUIET.max_mem = 1 << 20
"""Bytes of one compiled expression: `(a{100}){100}` would take many."""


def expression(text: str) -> Any:
    """Return a compiled regular expression (RE2 syntax, small and capital letters alike).

    Linear in the text it is asked about, whatever was written; Python's `re` is not. Raise ValueError for what is none.
    """
    try:
        return re2.compile(text, _QUIET)
    except re2.error as error:
        said = error.args[0]
        raise ValueError(said.decode() if isinstance(said, bytes) else str(said)) from error


def _readable(text: str) -> str:
    try:
        expression(text)
    except ValueError as error:
        raise WrongValueError(
            f"RE2 cannot read it: {error}",
            "check its brackets; look-around and back-references are not known",
        ) from error
    return text


Expression = Annotated[Text, AfterValidator(_readable)]

_RANGE = frozenset({"at_least", "at_most"})


class ValueIs(Model):
    """Ask one thing of a value; `at_least` and `at_most` may stand together (`between` says the same of both).

    Texts are compared without regard to small and capital letters; a number may come as text.
    """

    equals: Plain | None = None
    one_of: list[Plain] | None = Field(default=None, alias="in", min_length=1, max_length=200)
    contains: Text | None = None
    starts_with: Text | None = None
    ends_with: Text | None = None
    matches: Expression | None = None
    """A regular expression in RE2's syntax that is found somewhere in it."""
    at_least: float | None = None
    at_most: float | None = None
    between: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """A number from the first to the second, both included."""
    exists: bool | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = self.questions()
        if len(asked) != 1 and not (asked and asked <= _RANGE):
            raise WrongValueError(
                f"ask one thing: {', '.join(_keys(self))}", "keep one of them: equals: gold"
            )
        in_order(self.at_least, self.at_most)
        if self.between is not None and self.between[0] > self.between[1]:
            raise WrongValueError(
                "between goes from the lower number to the higher one", "swap them"
            )
        return self

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Return from which number to which, both included, is asked; None: no number is asked for."""
        if self.between is not None:
            return self.between[0], self.between[1]
        if self.at_least is None and self.at_most is None:
            return None
        low = -inf if self.at_least is None else self.at_least
        return low, inf if self.at_most is None else self.at_most

    def questions(self) -> set[str]:
        """Return the names of the operators that are given."""
        names = (name for name in type(self).model_fields if name != "name")
        return {name for name in names if getattr(self, name) is not None}


def _keys(model: ValueIs) -> list[str]:
    fields = type(model).model_fields
    return [f.alias or name for name, f in fields.items() if name != "name"]


class PropertyIs(ValueIs):
    """Ask for a property; a bare value asks whether it equals that."""

    @model_validator(mode="before")
    @classmethod
    def _bare_value(cls, value: Any) -> Any:
        return {"equals": value} if isinstance(value, str | int | float) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return or_bare(handler(core_schema), "string", "number", "boolean")


class TraitIs(ValueIs):
    """Ask for a trait."""

    name: Text
    changed: Windowed | None = None
    """It has another value than before, since so long; counted from when that was first told."""
