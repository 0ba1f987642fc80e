"""Make the HTML of every template, and try its texts before anybody gets them.

Rules
1. A body is HTML, or MJML that is compiled here: when rules are checked and pushed, never for a send.
2. A layout (`layouts/<name>.mjml`) is what templates have in common; `{{ content }}` is where a template's own MJML
   goes, `{{ subject }}` its subject. Both are put in place here; all other Liquid is filled for each send.
3. A template is tried with made-up values, for somebody of whom nothing is known: what would fail for a visitor fails
   here first. Its source is tried before what was made of it, so that errors name the marketer's own lines.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime

from liquid import Environment, FalsyStrictUndefined
from liquid.exceptions import (
    LiquidError,
    LiquidSyntaxError,
    ResourceLimitError,
    TemplateNotFoundError,
    UndefinedError,
)

from agents.rules.compiled import CONFIRM_TEMPLATE, GREETING_TRAITS, SPOKEN_MAX, Template
from agents.rules.models import TemplateFile
from agents.rules.ruleset import RuleSet, layout_file, layout_of
from agents.rules.source import Source
from config.mjml import HTML_BYTES_MAX, combined, compiled
from config.mjml_reading import Mistake, read
from messaging.vocabulary.errors import RuleError

ALWAYS_KNOWN = {
    "now": datetime(2024, 1, 31, 9, tzinfo=UTC),
    "postal_address": "1 Example Street, Example Town",
    "sender_name": "Your Shop",
    "shop_name": "Your Shop",
    "shop_url": "https://shop.example",
    "unsubscribe_url": "https://shop.example/leave",
}
"""What every template is given, here with made-up values. A visitor's traits come on top, if known."""

KNOWN_AFTER_GOAL = {"order_id": "A-1001", "order_value": 59.9, "order_currency": "EUR"}
"""What a success e-mail is given besides."""

KNOWN_IN_CONFIRMATION = {"confirm_url": "https://shop.example/confirm"}
"""What the e-mail that asks to confirm an address is given besides."""

IN_A_LAYOUT = {"content": "", "subject": ""}
"""What a layout is given besides, and before anything is sent."""

COLUMN = "mj-column"
"""Where a layout takes the content, as a rule."""


OF_OTHERS = re.compile(r"{%-?\s*(include|render|extends|block|import|from|macro|call)\b")
"""A tag by which a text would be made of others, in this dialect of Liquid or another one."""


OPENING = {"{{": "}}", "{%": "%}"}
"""How what is filled in, and a tag, open and close."""


class _Limited(Environment):
    """Parse and render within limits: a sandbox is no limit of time."""

    loop_iteration_limit = 1_000
    output_stream_limit = 200_000
    local_namespace_limit = 100_000


def make_bodies(rules: RuleSet, ready: Mapping[str, str] | None = None) -> list[RuleError]:
    """Give every template of a set its HTML (`rules.bodies`); return every error of templates and layouts.

    Args:
        rules: the set; the files that could be read.
        ready: template -> HTML that was compiled from the same files before.
    """
    environment = _Limited(undefined=FalsyStrictUndefined)
    errors = list(_check_layouts(environment, rules))
    broken = {layout_of(error.file) for error in errors}
    staged = _staged(rules)
    for name, template in rules.templates.items():
        source = rules.sources[f"templates/{name}.yaml"]
        known = _known(name, staged)
        found = list(_try_texts(environment, source, template, known))
        errors += found
        body = ready[name] if ready and name in ready else _body(rules, source, template, broken)
        if isinstance(body, list):
            errors += body
            continue
        rules.bodies[name] = body
        rules.spoken[name] = _traits_in(environment, template, body)
        failure = None if found else _failure(environment, body, known)
        if failure is not None:
            errors.append(_template_error(source, template.body_key, body, failure))
    # What was pushed before there was a bound runs on: the first so many are told (`spoken_in`).
    return errors if ready is not None else [*errors, *_too_many(rules)]


def _too_many(rules: RuleSet) -> Iterator[RuleError]:
    """Give the error of the template with which more traits are named than travel with a visitor."""
    named: set[str] = set()
    for name, traits in rules.spoken.items():
        named |= {*traits} - {*GREETING_TRAITS}
        if len(named) > SPOKEN_MAX:
            source = rules.sources[f"templates/{name}.yaml"]
            said = f"the templates up to this one name {len(named)} traits of their readers"
            yield source.error((), said, f"name {SPOKEN_MAX} at most, beside those that greet")
            return


def lacking_without_event(name: str, template: Template) -> str:
    """Return what keeps a template from going to whoever is in a cohort; empty: nothing does.

    One asks to confirm an address, and others may name what only an order gives: they go out by themselves.
    """
    if name == CONFIRM_TEMPLATE:
        return "it asks somebody new to confirm their address, and goes out by itself"
    environment = _Limited(undefined=FalsyStrictUndefined)
    for text in (template.subject, template.preheader, template.html, template.text):
        error = _failure(environment, text, ALWAYS_KNOWN)
        if error is not None:
            return f"it needs what only an order gives ({_first_line(text, error)}), and goes out by itself"
    return ""


def _traits_in(environment: Environment, template: TemplateFile, body: str) -> tuple[str, ...]:
    """Return the names in a template that are not given by us. A text that cannot be parsed is told elsewhere."""
    named: set[str] = set()
    for text in (template.subject, template.preheader, template.text, body):
        try:
            named.update(environment.from_string(text).global_variables())
        except LiquidError:
            continue
    given = ALWAYS_KNOWN.keys() | KNOWN_AFTER_GOAL.keys() | KNOWN_IN_CONFIRMATION.keys()
    return tuple(sorted(named - given))


def _known(name: str, staged: set[str]) -> dict[str, object]:
    """Return what a template is sure to be given."""
    if name == CONFIRM_TEMPLATE:
        return ALWAYS_KNOWN | KNOWN_IN_CONFIRMATION
    return ALWAYS_KNOWN if name in staged else ALWAYS_KNOWN | KNOWN_AFTER_GOAL


def _staged(rules: RuleSet) -> set[str]:
    """Return the templates that may be sent before there is an order."""
    return {
        each.id
        for path in rules.paths.values()
        for _, _, email in path.emails()
        for each in email.templates
    }


# ------------------------------------------------------------------------------------ bodies


def _body(
    rules: RuleSet, source: Source, template: TemplateFile, broken: Container[str | None]
) -> str | list[RuleError]:
    """Return a template's HTML with its Liquid, or what is wrong with it (nothing, where its layout is broken)."""
    if (template.html is None) == (template.mjml is None):
        problem = "a template has one body, html or mjml"
        return [source.error((template.body_key,), problem, "keep one of them, or write one")]
    if template.mjml is not None:
        return _compiled(rules, source, template, template.mjml, broken)
    assert template.html is not None
    if template.layout is not None:
        return [source.error(("layout",), "a layout is for mjml", "delete it, or write mjml")]
    return template.html


def _compiled(
    rules: RuleSet,
    source: Source,
    template: TemplateFile,
    mjml: str,
    broken: Container[str | None],
) -> str | list[RuleError]:
    layout = None if template.layout is None else rules.layouts.get(template.layout)
    if template.layout is not None and layout_file(template.layout) in rules.broken:
        return []  # it is there, and what is wrong with it is told
    if layout is None and template.layout is not None:
        names = ", ".join(sorted(rules.layouts)) or "none"
        problem = f"the layout {template.layout} does not exist"
        return [source.error(("layout",), problem, f"there are: {names}")]
    inside = "" if layout is None else next(iter(read(layout).slots), COLUMN)
    mistakes = read(mjml, inside).mistakes
    if mistakes or template.layout in broken:
        return [_mistake_error(source, mjml, each) for each in sorted(mistakes)]
    document, start = (mjml, 0) if layout is None else combined(layout, mjml, template.subject)
    html = compiled(document)
    if isinstance(html, Mistake):
        return [_mistake_error(source, mjml, html._replace(offset=max(html.offset - start, 0)))]
    size = len(html.encode())
    if size > HTML_BYTES_MAX:
        problem = f"mjml: the e-mail has {size // 1000} kB, and Gmail cuts at 102"
        return [source.error(("mjml",), problem, "make it shorter")]
    return html


def _mistake_error(source: Source, mjml: str, mistake: Mistake) -> RuleError:
    start = source.blocks.get(("mjml",))
    line = source.line(("mjml",))
    if start is not None:
        line = start + mjml.count("\n", 0, mistake.offset)
    return RuleError(source.file, line, f"mjml: {mistake.problem}", mistake.hint)


def _check_layouts(environment: Environment, rules: RuleSet) -> Iterator[RuleError]:
    for name, text in rules.layouts.items():
        file = layout_file(name)
        reading = read(text)
        for mistake in sorted(reading.mistakes):
            line = text.count("\n", 0, mistake.offset) + 1
            yield RuleError(file, line, mistake.problem, mistake.hint)
        if len(reading.slots) != 1:
            problem = f"{{{{ content }}}} stands {len(reading.slots)} times between its blocks"
            yield RuleError(file, 1, problem, f"write it once, for example in a <{COLUMN}>")
        error = _failure(environment, text, ALWAYS_KNOWN | IN_A_LAYOUT)
        if error is not None:
            line = text.count("\n", 0, _offset(text, error)) + 1
            yield RuleError(file, line, _first_line(text, error), _hint(text, error))


# ------------------------------------------------------------------------------------ texts


def _try_texts(
    environment: Environment, source: Source, template: TemplateFile, known: Mapping[str, object]
) -> Iterator[RuleError]:
    for part in ("subject", "preheader", "html", "mjml", "text"):
        text = getattr(template, part)
        error = None if text is None else _failure(environment, text, known)
        if error is not None:
            yield _template_error(source, part, text, error)


def _failure(
    environment: Environment, text: str, known: Mapping[str, object]
) -> LiquidError | None:
    try:
        environment.from_string(text).render(known)
    except LiquidError as error:
        return error
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        # Filters were written for honest arguments; what they raise otherwise is the template's.
        return LiquidError(f"a filter failed: {type(error).__name__}", token=None)
    return None


def _template_error(source: Source, part: str, text: str, error: LiquidError) -> RuleError:
    line = _line_in_file(source, part, text, error)
    return RuleError(source.file, line, f"{part}: {_first_line(text, error)}", _hint(text, error))


def _of_others(error: LiquidError) -> str:
    """Return the tag in which a text asked for another one; empty where it failed otherwise."""
    if error.token is not None:
        source, at = error.token.source, max(error.token.start_index, 0)
        start = source.rfind("{%", 0, at)
        tag = OF_OTHERS.match(source, start) if start >= 0 else None
        if tag is not None and "%}" not in source[start:at]:
            return tag[1]
    return "include" if isinstance(error, TemplateNotFoundError) else ""


def _unclosed(text: str, error: LiquidError) -> int | None:
    """Return where what is filled in, or a tag, opens that is not closed and made a text fail; None: another reason.

    The parser reads on to the next braces and tells what it found there, lines below.
    """
    if not isinstance(error, LiquidSyntaxError) or error.token is None:
        return None
    at, is_whole = error.token.start_index, error.token.value[:2] in OPENING
    opened = at if is_whole else max(text.rfind(each, 0, max(at, 0)) for each in OPENING)
    if opened < 0:
        return None
    closed = text.find(OPENING[text[opened : opened + 2]], opened)
    nexts = [found for each in OPENING if (found := text.find(each, opened + 2)) >= 0]
    end = min(nexts, default=len(text))
    return opened if closed < 0 or closed > end else None


def _unended(text: str, error: LiquidError) -> int | None:
    """Return where a tag stands whose end was not found; None: it failed otherwise."""
    wanted = re.match(r"expected tag end(\w+)", str(error.message or ""))
    open_tags = []
    for tag in re.finditer(r"{%-?\s*(end)?(\w+)", text) if wanted is not None else ():
        if wanted is not None and tag[2] == wanted[1]:
            if tag[1] is None:
                open_tags.append(tag.start())
            elif open_tags:
                open_tags.pop()
    return open_tags[-1] if open_tags else None


def _offset(text: str, error: LiquidError) -> int:
    """Return where in a text it fails, or where that begins of which the end is missing."""
    for found in (_unclosed(text, error), _unended(text, error)):
        if found is not None:
            return found
    return 0 if error.token is None else max(error.token.start_index, 0)


def _hint(text: str, error: LiquidError) -> str:
    if _of_others(error):
        return "write it out here; what e-mails have in common stands in a layout (mjml)"
    if isinstance(error, UndefinedError):
        return (
            'not every visitor has it: write {{ name | default: "…" }}, or ask {% if name %} first'
        )
    if (opened := _unclosed(text, error)) is not None:
        return f"write {OPENING[text[opened : opened + 2]]} behind it, in the same line"
    if isinstance(error, ResourceLimitError):
        return "make it shorter"
    return "check the braces {{ }} and {% %}, and the names of tags and filters"


def _line_in_file(source: Source, part: str, text: str, error: LiquidError) -> int:
    """Return the file's line: a block begins below its key, any other text stands on the key's line."""
    start = source.blocks.get((part,))
    if start is None or error.token is None:
        return source.line((part,))
    return start + text.count("\n", 0, _offset(text, error))


def _first_line(text: str, error: LiquidError) -> str:
    if tag := _of_others(error):
        return f"{{% {tag} %}} is not allowed: a text is made of no other one"
    if (opened := _unclosed(text, error)) is not None:
        return f"{text[opened : opened + 2]} is not closed"
    said = re.sub(r"\s+", " ", str(error.message or error)).strip()
    return said.partition(" --> ")[0]
