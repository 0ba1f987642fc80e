"""All that is wrong is told at once: what is well-shaped is checked beside what is not; what only follows is not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from agents.rules.checks import check
from agents.rules.ruleset import COHORTS, SCORES, SENDERS, RuleSet
from agents.rules.source import parse
from config.load import DEFAULTS, _read_file, read_folder, validate_files, validate_folder
from messaging.vocabulary.errors import RuleError

PATH = "paths/lead-to-customer.yaml"
TEMPLATE = "templates/invite-hello.yaml"
OPINION = "interactions/opinion.yaml"
LAYOUT = "layouts/letter.mjml"
FILES = read_folder(DEFAULTS)
FLOW = (
    FILES[PATH][: FILES[PATH].index("stages:")]
    + """\
steps:
  - name: rest
    wait: {hours: 1}
  - name: ask
    if: {cohort: in-cart}
    then:
      - {name: back, goto: rest, times: 2}
  - name: letter
    email:
      timing: now
      templates: [invite-hello]
      default_templates: [invite-hello]
      default_hours: [10]
"""
)


def changed(**texts: tuple[str, str]) -> dict[str, str]:
    """Return the shipped files with some texts replaced: `cohorts=("old", "new")`."""
    names = {"cohorts": COHORTS, "path": PATH, "template": TEMPLATE, "opinion": OPINION}
    files = dict(FILES)
    for key, (old, new) in texts.items():
        assert old in files[names[key]], old
        files[names[key]] = files[names[key]].replace(old, new, 1)
    return files


def told(files: dict[str, str]) -> list[RuleError]:
    """Return every error of reading files and between them; templates are not composed."""
    rules = RuleSet()
    errors = [error for name, text in files.items() for error in _read_file(rules, name, text)]
    return errors + check(rules)


def line_of(files: dict[str, str], file: str, text: str) -> int:
    return files[file][: files[file].index(text)].count("\n") + 1


def test_shapes_names_contradictions_and_letters_are_told_in_one_go() -> None:
    files = changed(
        path=("sender: shop", "sender: shopp\nzzz: 1"),
        template=("subject:", "subject: '{{ nobody_knows }}' #"),
        opinion=("when:", "when:\n  only: in-carrt"),
    )
    files[COHORTS] += (
        "  typo: {when: {knwon: email}}\n"
        "  empty:\n"
        "  nowhere: {when: {cohort: eagerr}}\n"
        "  never: {when: {all: [{in_cart: true}, {not: {in_cart: true}}]}}\n"
    )
    found = {(each.file, each.line, each.problem.split(":")[0]) for each in validate_files(files)}
    assert found == {
        (COHORTS, line_of(files, COHORTS, "  typo:"), "cohorts.typo.when.knwon is not a known key"),
        (COHORTS, line_of(files, COHORTS, "  empty:"), "empty is empty"),
        (COHORTS, line_of(files, COHORTS, "  nowhere:"), "the cohort eagerr does not exist"),
        (COHORTS, line_of(files, COHORTS, "  never:"), "nobody can meet this of never"),
        (PATH, line_of(files, PATH, "sender: shopp"), "the sender shopp does not exist"),
        (PATH, line_of(files, PATH, "zzz"), "zzz is not a known key"),
        (TEMPLATE, line_of(files, TEMPLATE, "subject:"), "subject"),
        (
            OPINION,
            line_of(files, OPINION, "  only: in-carrt"),
            "the cohort in-carrt does not exist",
        ),
    }


@pytest.mark.parametrize("file", [COHORTS, SCORES, SENDERS, PATH, TEMPLATE, OPINION])
@pytest.mark.parametrize("text", ["a: [", "", "- a", "x" * 600_000])
def test_of_a_file_that_cannot_be_read_one_thing_is_told(file: str, text: str) -> None:
    """What it was to hold is known by name, or may be there: nobody is told that it does not exist."""
    [error] = told({**FILES, file: text})
    assert error.file == file


def test_a_layout_that_cannot_be_taken_is_told_of_and_not_of_its_templates() -> None:
    [error] = validate_files({**FILES, LAYOUT: "x" * 600_000})
    assert error.file == LAYOUT


@cache
def _places(file: str) -> list[tuple[Any, ...]]:
    def inside(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if isinstance(data, dict):
            yield at
        if isinstance(data, list):
            data = dict(enumerate(data))
        for key, each in data.items() if isinstance(data, dict) else ():
            yield from inside(each, (*at, key))

    return list(inside(parse(file, FILES[file]).data))


def _with_a_key(data: Any, at: tuple[Any, ...]) -> Any:
    if not at:
        return {**data, "zzz": 1}
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[at[0]] = _with_a_key(data[at[0]], at[1:])
    return copy


@pytest.mark.parametrize("file", [COHORTS, SCORES, SENDERS, PATH, TEMPLATE, OPINION])
def test_one_thing_wrong_anywhere_is_one_error_or_more_about_the_same_place(file: str) -> None:
    """A key too many in each of a file's parts: of nothing elsewhere in the files is anything told."""
    data, places = parse(file, FILES[file]).data, _places(file)
    for at in places[:: max(len(places) // 8, 1)]:
        text = yaml.safe_dump(_with_a_key(data, at), sort_keys=False, width=1_000_000)
        found = told({**FILES, file: text})
        lines = {(each.file, each.line) for each in found}
        assert lines, at
        wrong = parse(file, text).line((*at, "zzz"))
        around = {parse(file, text).line(at[:depth]) for depth in range(len(at) + 1)}
        assert lines <= {(file, line) for line in {wrong, *around}}, (at, [str(e) for e in found])


def test_lines_behind_what_was_taken_out_are_those_of_the_file() -> None:
    files = changed(path=("- name: opened", "- zzz: 1\n    name: opened"))
    files[PATH] = files[PATH].replace("id: reminder-cart", "id: reminder-cartt", 1)
    files[PATH] = files[PATH].replace("cohort: in-cart}", "cohort: in-carrt}", 1)
    found = {(each.line, each.problem) for each in told(files) if "zzz" not in each.problem}
    assert (line_of(files, PATH, "in-carrt"), "the cohort in-carrt does not exist") in found


def test_steps_that_were_taken_out_are_not_missed() -> None:
    """A `goto` to a step that holds an error, a loop through it: told once it can be read."""
    assert told({**FILES, "paths/hello.yaml": FLOW}) == []
    broken = FLOW.replace("wait: {hours: 1}", "wait: {hours: 1, zzz: 2}")
    broken = broken.replace("in-cart}", "in-carrt}")
    files = {**FILES, "paths/hello.yaml": broken}
    zzz, carrt = [each for each in told(files) if each.file == "paths/hello.yaml"]
    assert zzz.line == line_of(files, "paths/hello.yaml", "wait: {hours: 1, zzz")
    assert (carrt.line, carrt.problem) == (zzz.line + 2, "the cohort in-carrt does not exist")


@pytest.mark.parametrize("key", ["quiet_hours", "entry", "success", "sender", "attempts", "alert"])
def test_what_a_path_lacks_does_not_hide_what_else_is_wrong(key: str) -> None:
    lines = FILES[PATH].replace("cohort: at-work}", "cohort: at-wrok}").splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{key}:"))
    inside = next(
        number
        for number in range(first + 1, len(lines))
        if not lines[number].startswith((" ", "#"))
    )
    for text in (
        lines[:first] + lines[inside:],
        [*lines[:first], f"{key}: [5]\n", *lines[inside:]],
    ):
        found = [each.problem for each in told({**FILES, PATH: "".join(text)})]
        assert len(found) == 2, found
        assert any(problem.startswith(key) for problem in found)
        assert "the cohort at-wrok does not exist" in found


def test_every_empty_value_and_double_key_of_a_file_is_told() -> None:
    text = FILES[SENDERS] + "again:\nsenders: {}\nmore: !bad x\n"
    problems = [each.problem for each in told({**FILES, SENDERS: text})]
    assert problems == ["again is empty", "senders is given twice", "the tag !!bad is not known"]


def test_every_file_of_a_folder_that_is_no_text_is_told_and_the_others_are_checked(
    tmp_path,
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / TEMPLATE).write_bytes(b"subject: \xff")
    (tmp_path / OPINION).write_bytes(b"a\n\xff")
    (tmp_path / SCORES).write_text(FILES[SCORES] + "zzz: 1\n")
    found = validate_folder(tmp_path)
    assert {(each.file, each.line) for each in found} == {
        (TEMPLATE, 1),
        (OPINION, 2),
        (SCORES, FILES[SCORES].count("\n") + 1),
    }
