"""Fill the marketer's Liquid templates, within limits.

Rules
1. A template that names a variable nobody gave fails with that name, rather than greeting "Dear ,".
   It may ask first (`{% if first_name %}`) or name a default (`{{ first_name | default: "there" }}`).
2. A sandbox is no resource limit: loops, output, variables, ranges and filters are bounded (`bounds`); `include`
   finds nothing.
3. What is filled into HTML is escaped. `"now" | date` is the mail's date, not this machine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate, Environment, FalsyStrictUndefined, RenderContext
from liquid.builtin.filters.misc import date as date_filter
from liquid.exceptions import LiquidError
from liquid.filter import with_context, with_environment

from messaging.mail.bounds import bound_ranges, bounded, one_text
from messaging.vocabulary.errors import MdmaError

LOOPS_MAX = 1_000
"""Turns of all loops of one template together: ~1 ms."""

OUTPUT_BYTES_MAX = 200_000
"""Gmail shows the first 102 kB; the rest is room for links that grow by their tokens."""

LOCALS_BYTES_MAX = 100_000
"""Bytes that a template's own variables may take: `assign` in a loop doubles a text each turn."""

PARSED_MAX = 1_024
"""Parsed templates kept: four texts each for 256 templates."""

REASON_CHARACTERS_MAX = 200

NOW = "now"
"""The name under which a template finds the mail's date."""


class TemplateFailed(MdmaError, ValueError):  # noqa: N818 - a fact, named in the past tense
    """Say why an e-mail could not be composed of its template."""


def fill(source: str, variables: Mapping[str, Any], *, html: bool) -> str:
    """Return a template filled with variables (`now` among them). Raise TemplateFailed, saying why.

    >>> fill("Hi {{ name }}!", {"name": "<Ann>"}, html=True)
    'Hi &lt;Ann&gt;!'
    """
    try:
        with one_text():
            return str(_parsed(source, html).render(variables))
    except LiquidError as error:
        raise TemplateFailed(str(error.message)[:REASON_CHARACTERS_MAX]) from error
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        # Filters were written for honest arguments: what they raise otherwise is the template's fault.
        raise TemplateFailed(f"a filter failed: {type(error).__name__}") from error


@lru_cache(maxsize=PARSED_MAX)
def _parsed(source: str, html: bool) -> BoundTemplate:
    return (_HTML if html else _TEXT).from_string(source)


class _Bounded(Environment):
    loop_iteration_limit = LOOPS_MAX
    output_stream_limit = OUTPUT_BYTES_MAX
    local_namespace_limit = LOCALS_BYTES_MAX


@with_context
@with_environment
def _date(moment: Any, form: Any = "", *, context: RenderContext, environment: Environment) -> str:
    """Format a date as Liquid's own filter does, but take "now" from the mail, not from the machine."""
    if isinstance(moment, str) and moment in {"now", "today"}:
        found = context.resolve(NOW)
        moment = found if isinstance(found, datetime) else moment
    return str(date_filter(moment, form, environment=environment))


def _environment(*, html: bool) -> Environment:
    made = _Bounded(autoescape=html, undefined=FalsyStrictUndefined)
    made.add_filter("date", _date)
    for name, each in list(made.filters.items()):
        made.add_filter(name, bounded(name, each))
    return made


bound_ranges()
_HTML = _environment(html=True)
_TEXT = _environment(html=False)
