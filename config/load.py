"""Read the marketer's folder: files -> models -> checks -> compiled rules; and write a version out.

Rules
1. A version is its files, byte for byte: what `push` took is what `pull` writes.
2. Every error is found in one go, with its file and line; nothing is compiled while there is one.
3. A template is tried with made-up values: what would fail for a visitor fails here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from liquid import Environment, FalsyStrictUndefined
from liquid.exceptions import LiquidError, ResourceLimitError, UndefinedError

from agents.rules.checks import check
from agents.rules.compiled import CompiledRules
from agents.rules.compiler import compile_rules
from agents.rules.reading import read_model
from agents.rules.ruleset import RuleSet, model_of
from agents.rules.source import Source, parse
from messaging.vocabulary.errors import RuleError

DEFAULTS = Path(__file__).parent / "defaults"
"""The routine that ships."""

SETTINGS = "settings.yaml"
"""May stand in the same folder; it can hold secrets and is no part of a version."""

FILES_MAX = 1_000
ENDINGS = (".yaml", ".yml", ".liquid", ".html", ".mjml", ".txt")
"""What is taken from a folder; other files (a README) are none of the rules."""

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


class _Limited(Environment):
    """Parse and render within limits: a sandbox is no limit of time."""

    loop_iteration_limit = 1_000
    output_stream_limit = 200_000
    local_namespace_limit = 100_000


class RulesInvalid(RuleError):  # noqa: N818 - stands beside `RuleError`, which it collects
    """Say that files cannot be compiled; `errors` holds every reason, itself the first."""

    def __init__(self, errors: list[RuleError]) -> None:
        first = errors[0]
        super().__init__(first.file, first.line, first.problem, first.hint)
        self.errors = errors


def read_folder(path: Path) -> dict[str, str]:
    """Return relative path -> text of a folder's files, sorted. Raise RuleError for what is no text."""
    if not path.is_dir():
        raise RuleError(str(path), 1, "there is no such folder", "name a folder with rule files")
    files: dict[str, str] = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
        if name == SETTINGS or hidden or not file.is_file() or file.suffix not in ENDINGS:
            continue
        try:
            files[name] = file.read_bytes().decode()
        except UnicodeDecodeError as error:
            line = file.read_bytes()[: error.start].count(b"\n") + 1
            raise RuleError(name, line, "this is not UTF-8", "save the file as UTF-8") from error
    return files


def write_folder(path: Path, files: Mapping[str, str]) -> None:
    """Write a version's files, byte for byte; other files in the folder stay."""
    for name, text in files.items():
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise RuleError(name, 1, "the path leads out of the folder")
        file = path / pure
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


def validate_folder(path: Path) -> list[RuleError]:
    """Return every error in a folder's files, by file and line; none means that it can be published."""
    try:
        files = read_folder(path)
    except RuleError as error:
        return [error]
    return validate_files(files)


def validate_files(files: Mapping[str, str]) -> list[RuleError]:
    """Return every error in a version's files, by file and line."""
    return _read(files)[1]


def compile_files(files: Mapping[str, str], version: int) -> CompiledRules:
    """Return the compiled form of a version's files. Raise RulesInvalid with every error."""
    rules, errors = _read(files)
    if errors:
        raise RulesInvalid(errors)
    return compile_rules(rules, version)


def compile_folder(path: Path, version: int = 0) -> CompiledRules:
    """Return the compiled form of a folder's files. Raise RulesInvalid with every error."""
    return compile_files(read_folder(path), version)


def _read(files: Mapping[str, str]) -> tuple[RuleSet, list[RuleError]]:
    rules = RuleSet()
    errors: list[RuleError] = []
    if len(files) > FILES_MAX:
        return rules, [RuleError("", 1, f"there are more than {FILES_MAX} files")]
    for file, text in sorted(files.items()):
        errors += _read_file(rules, file, text)
    errors += _try_templates(rules)
    if not errors:
        errors = check(rules)
    if not errors and not rules.paths:
        errors = [RuleError("paths/", 1, "there is no path", "add paths/<name>.yaml")]
    return rules, sorted(errors, key=lambda error: (error.file, error.line))


def _read_file(rules: RuleSet, file: str, text: str) -> list[RuleError]:
    kind = model_of(file)
    if kind is None:
        hint = (
            "cohorts.yaml, scores.yaml, senders.yaml, "
            "paths/*.yaml, templates/*.yaml, interactions/*.yaml"
        )
        return [RuleError(file, 1, "this is none of the rule files", hint)]
    try:
        source = parse(file, text)
    except RuleError as error:
        return [error]
    model = read_model(source, kind)
    if isinstance(model, list):
        return model
    rules.sources[file], rules.models[file] = source, model
    return []


def _try_templates(rules: RuleSet) -> Iterator[RuleError]:
    staged = {
        each.id
        for path in rules.paths.values()
        for stage in path.stages
        for each in stage.email.templates
    }
    environment = _Limited(undefined=FalsyStrictUndefined)
    for name, template in rules.templates.items():
        known = ALWAYS_KNOWN if name in staged else ALWAYS_KNOWN | KNOWN_AFTER_GOAL
        source = rules.sources[f"templates/{name}.yaml"]
        for part in ("subject", "preheader", "html", "text"):
            error = _failure(environment, getattr(template, part), known)
            if error is not None:
                yield _template_error(source, part, error)


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


def _template_error(source: Source, part: str, error: LiquidError) -> RuleError:
    problem = f"{part}: {_first_line(error)}"
    hint = "check the braces {{ }} and {% %}, and the names of tags and filters"
    if isinstance(error, UndefinedError):
        hint = (
            'not every visitor has it: write {{ name | default: "…" }}, or ask {% if name %} first'
        )
    elif isinstance(error, ResourceLimitError):
        hint = "make it shorter"
    return RuleError(source.file, _line_in_file(source, part, error), problem, hint)


def _line_in_file(source: Source, part: str, error: LiquidError) -> int:
    """Return the file's line: a block begins below its key, any other text stands on the key's line."""
    start = source.blocks.get((part,))
    token = error.token
    if start is None or token is None:
        return source.line((part,))
    return start + token.source.count("\n", 0, max(token.start_index, 0))


def _first_line(error: LiquidError) -> str:
    text = re.sub(r"\s+", " ", str(error.message or error)).strip()
    return text.partition(" --> ")[0]
