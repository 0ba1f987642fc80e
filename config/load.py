"""Read the marketer's folder: files -> models -> checks -> compiled rules; and write a version out.

Rules
1. A version is its files, byte for byte: what `push` took is what `pull` writes.
2. Every error is found in one go, with its file and line; nothing is compiled while there is one. What is well-shaped
   is checked also beside what is not (`agents.rules.partial`).
3. A version's e-mails are compiled once: who stores a version stores their HTML with it. One that has it was checked
   when it was stored: a later release that finds more to refuse does not refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from agents.rules.checks import check
from agents.rules.compiled import CompiledRules, Template
from agents.rules.compiler import compile_rules, compiled_template
from agents.rules.condition_models import NAME
from agents.rules.partial import read_parts, whole_entries
from agents.rules.ruleset import COHORTS, SCORES, SENDERS, RuleSet, layout_of, model_of
from agents.rules.source import SIZE_MAX, parse_parts
from config.templates import make_bodies
from messaging.vocabulary.errors import RuleError

DEFAULTS = Path(__file__).parent / "defaults"
"""The routine that ships."""

SETTINGS = "settings.yaml"
"""May stand in the same folder; it can hold secrets and is no part of a version."""

FILES_MAX = 1_000
ENDINGS = (".yaml", ".yml", ".liquid", ".html", ".mjml", ".txt")
"""What is taken from a folder; other files (a README) are none of the rules."""


class RulesInvalid(RuleError):  # noqa: N818 - stands beside `RuleError`, which it collects
    """Say that files cannot be compiled; `errors` holds every reason, itself the first."""

    def __init__(self, errors: list[RuleError]) -> None:
        first = errors[0]
        super().__init__(first.file, first.line, first.problem, first.hint)
        self.errors = errors


def read_folder(path: Path) -> dict[str, str]:
    """Return relative path -> text of a folder's files, sorted. Raise RuleError for what is no text."""
    if not path.is_dir():
        raise _no_folder(path)
    files, errors = _read_all(path)
    if errors:
        raise errors[0]
    return files


def _read_all(path: Path) -> tuple[dict[str, str], list[RuleError]]:
    """Return a folder's files, and an error for each that is no text."""
    files: dict[str, str] = {}
    errors: list[RuleError] = []
    for name in names_in(path):
        file = path / name
        if not file.is_file():
            hint = f"a rule file ends with {file.suffix}: rename it"
            errors.append(RuleError(name, 1, "this is no file", hint))
            continue
        try:
            files[name] = file.read_bytes().decode()
        except UnicodeDecodeError as error:
            line = file.read_bytes()[: error.start].count(b"\n") + 1
            errors.append(RuleError(name, line, "this is not UTF-8", "save the file as UTF-8"))
    return files, errors


def names_in(path: Path) -> list[str]:
    """Return the relative paths of what a folder holds for a version, sorted."""
    names = [file.relative_to(path).as_posix() for file in path.rglob("*")]
    return sorted(
        name
        for name in names
        if name != SETTINGS
        and PurePosixPath(name).suffix in ENDINGS
        and not any(part.startswith(".") for part in PurePosixPath(name).parts)
    )


def write_folder(path: Path, files: Mapping[str, str]) -> None:
    """Write a version's files, byte for byte; other files in the folder stay."""
    for name, text in files.items():
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise RuleError(
                name,
                1,
                "the path leads out of the folder",
                "name it from the folder on, without ..",
            )
        file = path / pure
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


def validate_folder(path: Path) -> list[RuleError]:
    """Return every error in a folder's files, by file and line; none means that it can be published."""
    if not path.is_dir():
        return [_no_folder(path)]
    files, errors = _read_all(path)
    return _in_order([*errors, *_read(files, unread=[each.file for each in errors])[1]])


def validate_files(files: Mapping[str, str]) -> list[RuleError]:
    """Return every error in a version's files, by file and line."""
    return _read(files)[1]


def compile_files(
    files: Mapping[str, str], version: int, html: Mapping[str, str] | None = None
) -> CompiledRules:
    """Return the compiled form of a version's files. Raise RulesInvalid with every error.

    `html` holds template -> HTML that was compiled of the same files before, if it was kept.
    """
    rules, errors = _read(files, html)
    if errors:
        raise RulesInvalid(errors)
    return compile_rules(rules, version)


def compile_template(files: Mapping[str, str], name: str) -> Template:
    """Return one template of its own file and the layouts alone. Raise RulesInvalid with every error.

    What it refers to elsewhere (a cohort) is not looked for: that is `validate_files`' part.
    """
    rules = RuleSet()
    errors: list[RuleError] = []
    for file, text in sorted(files.items()):
        errors += _read_file(rules, file, text)
    errors += make_bodies(rules, None)
    if errors:
        raise RulesInvalid(sorted(errors, key=lambda error: (error.file, error.line)))
    return compiled_template(name, rules)


def compile_folder(path: Path, version: int = 0) -> CompiledRules:
    """Return the compiled form of a folder's files. Raise RulesInvalid with every error."""
    return compile_files(read_folder(path), version)


def _no_folder(path: Path) -> RuleError:
    return RuleError(str(path), 1, "there is no such folder", "name a folder with rule files")


def _in_order(errors: list[RuleError]) -> list[RuleError]:
    return sorted(errors, key=lambda error: (error.file, error.line))


def _read(
    files: Mapping[str, str], html: Mapping[str, str] | None = None, unread: Iterable[str] = ()
) -> tuple[RuleSet, list[RuleError]]:
    """Read a version's files; `unread`: those that are there besides, and are no text."""
    rules = RuleSet(broken=dict.fromkeys(unread))
    errors: list[RuleError] = []
    if len(files) > FILES_MAX:
        return rules, [
            RuleError(
                "", 1, f"there are more than {FILES_MAX} files", "take out those that nothing uses"
            )
        ]
    for file, text in sorted(files.items()):
        errors += _read_file(rules, file, text)
    errors += make_bodies(rules, html)
    errors += check(rules, is_new=html is None)
    if not errors and not rules.paths and not rules.broken:
        errors = [RuleError("paths/", 1, "there is no path", "add paths/<name>.yaml")]
    return rules, _in_order(errors)


def _read_file(rules: RuleSet, file: str, text: str) -> list[RuleError]:
    layout = layout_of(file)
    if layout is not None:
        return _read_layout(rules, file, layout, text)
    kind = model_of(file)
    if kind is None:
        hint = (
            "cohorts.yaml, scores.yaml, senders.yaml, paths/*.yaml, templates/*.yaml, "
            "layouts/*.mjml, interactions/*.yaml"
        )
        rules.broken[file] = None
        return [RuleError(file, 1, "this is none of the rule files", hint)]
    try:
        source = parse_parts(file, text)
    except RuleError as error:
        rules.broken[file] = None
        return [error]
    parts = read_parts(source, kind)
    if parts.model is not None and not parts.errors:
        rules.sources[file], rules.models[file] = source, parts.model
        return []
    rules.broken[file] = source.data
    if parts.model is not None:
        rules.partial[file] = parts.source, parts.model
    whole = whole_entries(parts, source) if file in (COHORTS, SCORES, SENDERS) else None
    if whole is not None:
        rules.sources[file], rules.models[file] = whole
    return sorted(parts.errors, key=lambda each: each.line)


def _read_layout(rules: RuleSet, file: str, name: str, text: str) -> list[RuleError]:
    rules.broken[file] = None
    if len(text) > SIZE_MAX:
        return [RuleError(file, 1, f"the file is longer than {SIZE_MAX} characters", "shorten it")]
    if not re.match(NAME, name):
        hint = "small letters, digits, - and _, 64 at most"
        return [RuleError(file, 1, f"a file cannot be called {name!r}", hint)]
    del rules.broken[file]
    rules.layouts[name] = text
    return []
