"""Say what to write instead of a value that a model refuses: the nearest allowed one, the range, an example.

Rule 1: every error has a hint. What no rule here knows is answered with what was found.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic_core import ErrorDetails

from agents.rules.basics import NAME, Model
from agents.rules.source import Location

FOUND_CHARACTERS_MAX = 60
CHOICES_MAX = 12

_QUOTED = re.compile(r"'([^']*)'")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")

_SPELLINGS = (
    (NAME, "small letters, digits, - and _, 64 at most"),
    ("[^@", "write it like hello@shop.example"),
    ("https?://[^\\s<>", "write it like /contact, or https://shop.example/contact"),
    ("https?://", "write it like https://shop.example"),
    ("^[a-z][a-z0-9_]", "small letters, digits and _, 48 at most, a letter first"),
    ("\\x00", "write one line"),
)
"""What a pattern holds -> how what it asks for is written; the first that fits."""

_MEANT = {
    "mobile": "phone",
    "smartphone": "phone",
    "iphone": "phone",
    "ipad": "tablet",
    "computer": "desktop",
    "laptop": "desktop",
    "pc": "desktop",
}
"""What people write -> what it is called here, where that is allowed: no letters of the one are in the other."""

_BOUNDS = ("greater_than_equal", "less_than_equal", "greater_than", "less_than")


def hint_of(error: ErrorDetails, model: type[Model]) -> str:
    """Return what to write instead."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "value_error":
            said = getattr(context.get("error"), "hint", "")
            return said or _found(given)
        case "literal_error" | "enum":
            return _choice(given, _QUOTED.findall(str(context.get("expected", ""))))
        case "string_pattern_mismatch":
            return _spelling(str(context.get("pattern", "")))
        case "string_too_long":
            return f"shorten it to {context['max_length']} characters"
        case "string_too_short":
            return f"write {context['min_length']} characters or more"
        case "too_long":
            return f"keep {context['max_length']} at most"
        case _ if kind in _BOUNDS:
            return f"allowed: {_range(error, model)}; found {given}"
        case _:
            return f"{_form(kind, given, error, model)}found {_shown(given)}"


def missing_hint(last: str | int, error: ErrorDetails, model: type[Model]) -> str:
    """Return how what is missing is written."""
    schema = _schema_at(model, tuple(error["loc"]))
    if "enum" in schema:
        return f"add `{last}:` with one of {', '.join(map(str, schema['enum']))}"
    allowed = _range(error, model) if schema.get("type") in ("integer", "number") else ""
    return f"add `{last}:` with a number ({allowed})" if allowed else f"add `{last}:`"


def there_are(name: str, known: Iterable[str]) -> str:
    """Return which names there are, the one that was probably meant first.

    >>> there_are("in-crt", ["eager", "in-cart"]), there_are("x", [])
    ('did you mean in-cart? there are: eager, in-cart', 'there are: none')
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    listed = ", ".join(names[:CHOICES_MAX]) + (", …" if len(names) > CHOICES_MAX else "")
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}there are: {listed or 'none'}"


def _found(given: Any) -> str:
    return f"found {_shown(given)}"


def _shown(given: Any) -> str:
    return repr(str(given)[:FOUND_CHARACTERS_MAX])


def _choice(given: Any, allowed: list[str]) -> str:
    meant = _MEANT.get(str(given).casefold(), "")
    near = [meant] if meant in allowed else difflib.get_close_matches(str(given), allowed, n=1)
    listed = ", ".join(allowed[:CHOICES_MAX]) + (", …" if len(allowed) > CHOICES_MAX else "")
    return f"did you mean {near[0]}? allowed: {listed}" if near else f"allowed: {listed}"


def _spelling(pattern: str) -> str:
    return next((said for part, said in _SPELLINGS if part in pattern), "check its spelling")


def _range(error: ErrorDetails, model: type[Model]) -> str:
    """Return the whole range that is allowed where an error is, not just the bound that was passed.

    The bound itself stands in for what no schema tells.
    """
    schema, context = _schema_at(model, tuple(error["loc"])), error.get("ctx", {})
    low = schema.get("minimum", context.get("ge"))
    high = schema.get("maximum", context.get("le"))
    above = schema.get("exclusiveMinimum", context.get("gt"))
    below = schema.get("exclusiveMaximum", context.get("lt"))
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    parts = []
    for word, bound in (("from", low), ("above", above), ("below", below), ("up to", high)):
        if bound is not None:
            parts.append(f"{word} {bound:,}")
    return ", ".join(parts)


def _form(kind: str, given: Any, error: ErrorDetails, model: type[Model]) -> str:
    """Return how a value of the wrong type is written, with a semicolon behind it; empty where nobody can say."""
    base = kind.partition("_")[0]
    if base in ("int", "float") and isinstance(given, str) and _NUMBER.fullmatch(given):
        return f"write it without quotes: {given}; "
    if base == "string" and isinstance(given, bool | int | float):
        return f'put it in quotes: "{str(given).lower() if isinstance(given, bool) else given}"; '
    words = {
        "int": "write a whole number, like 4",
        "float": "write a number, like 2.5",
        "finite": "write a number, like 2.5",
        "bool": "write true or false",
        "string": "write words",
        "list": "write a list, like [first, second]",
        "dict": "write keys, like {name: value}",
    }.get(base, "")
    if not words:
        return ""
    allowed = _range(error, model) if base in ("int", "float") else ""
    return f"{words} ({allowed}); " if allowed else f"{words}; "


@cache
def _schema(model: type[Model]) -> dict[str, Any]:
    return model.model_json_schema()


def _schema_at(model: type[Model], location: Location) -> dict[str, Any]:
    """Return the schema of what stands at a location; an empty one where that cannot be told."""
    schema = _schema(model)
    known = schema.get("$defs", {})
    here = _resolved(schema, known)
    for part in location:
        nexts = [_step(each, part) for each in _forms(here, known)]
        found = [each for each in nexts if each is not None]
        if not found:
            return {}
        here = _resolved(found[0], known)
    told = [each for each in _forms(here, known) if each.get("type") != "null"]
    return told[0] if told else {}


def _forms(schema: dict[str, Any], known: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a schema's alternatives, or itself."""
    return [_resolved(each, known) for each in schema.get("anyOf", [schema])]


def _resolved(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return known.get(name, {}) if name else schema


def _step(schema: dict[str, Any], part: str | int) -> dict[str, Any] | None:
    """Return the schema one step further in."""
    if isinstance(part, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(part)
        if found is None:
            found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None
