"""Read a parsed file into its model, and say what is wrong in words a marketer can act on."""

from __future__ import annotations

import difflib
import sys
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agents.rules import condition_models
from agents.rules.condition_models import Model
from agents.rules.hints import hint_of, missing_hint
from agents.rules.source import Location, Source
from messaging.vocabulary.errors import RuleError

SomeModel = TypeVar("SomeModel", bound=Model)


@cache
def _keys(module: str) -> tuple[str, ...]:
    """Return every key of every file that a module describes: a misspelt one is near to one of them."""
    named = [*vars(sys.modules[module]).values(), *vars(condition_models).values()]
    classes = [each for each in named if isinstance(each, type)]
    fields = [each.model_fields for each in classes if issubclass(each, BaseModel)]
    return tuple(sorted({f.alias or name for each in fields for name, f in each.items()}))


def read_model(source: Source, model: type[SomeModel]) -> SomeModel | list[RuleError]:
    """Return the file's model, or every error in it, in the order of its lines."""
    if not isinstance(source.data, dict):
        return [source.error((), "the file holds no keys", "begin with `key: value` lines")]
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        found = [each for _, each in errors_of(source, error, model)]
    return sorted(found, key=lambda each: each.line)


def errors_of(
    source: Source, error: ValidationError, model: type[Model]
) -> list[tuple[Location, RuleError]]:
    """Return where a model found something wrong with a source's data, and what, in words."""
    keys = _keys(model.__module__)
    return [
        (each["loc"], _rule_error(source, each, keys, model))
        for each in error.errors(include_url=False)
    ]


def _rule_error(
    source: Source, error: ErrorDetails, keys: tuple[str, ...], model: type[Model]
) -> RuleError:
    location: Location = tuple(error["loc"])
    where = _words(source, location)
    last = location[-1] if location else ""
    match error["type"]:
        case "missing":
            return source.error(location, f"{where} is missing", missing_hint(last, error, model))
        case "extra_forbidden":
            # A key that others have is no near one: what was meant by it here, nobody can say.
            near = [] if last in keys else difflib.get_close_matches(str(last), keys, n=1)
            hint = f"did you mean {near[0]}?" if near else "it has no meaning here: delete it"
            return source.error(location, f"{where} is not a known key", hint)
        case "string_pattern_mismatch":
            problem = f"{where}: {error['input']!r} is not allowed"
        case "too_short":
            problem = f"{where} {_too_few(error)}"
            return source.error(location, problem, _add(error))
        case "model_type":
            problem = f"{where} holds keys of its own, not {str(error['input'])[:60]!r}"
            return source.error(location, problem, "write them as {key: value}")
        case "value_error":
            problem = f"{where}: {error['msg'].removeprefix('Value error, ')}"
        case _:
            problem = f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}"
    return source.error(location, problem, hint_of(error, model))


def _too_few(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    least, given = context.get("min_length", 1), context.get("actual_length", 0)
    return "is empty" if not given else f"holds {given}, and needs {least}"


def _add(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    missing = context.get("min_length", 1) - context.get("actual_length", 0)
    return "add at least one" if missing == 1 else f"add at least {missing}"


def _words(source: Source, location: Location) -> str:
    """Return a location as it stands in the file: `stages[2].email.name`."""
    known = source.original(location)
    while known and known not in source.lines and known[:-1] not in source.lines:
        known = known[:-1]
    text = ""
    for part in known:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the file"
