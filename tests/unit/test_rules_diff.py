"""What differs between two sets of rules: said in words, as lines, and by the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import DEFAULTS, read_folder, write_folder
from scripts.cli import main
from scripts.rules_diff import changes, sentence, unified

ROUTINE = read_folder(DEFAULTS)
PATH = "paths/lead-to-customer.yaml"


def edited(file: str, old: str, new: str) -> dict[str, str]:
    """Return the shipped routine with one text replaced."""
    assert ROUTINE[file].count(old) >= 1, old
    return ROUTINE | {file: ROUTINE[file].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (PATH, "  total: 4", "  total: 3", "path lead-to-customer: attempts, total is 3, was 4"),
        (
            PATH,
            "- invite-short\n",
            "- {id: invite-short, cohort: eager}\n",
            "path lead-to-customer: stages, invited, email, templates, invite-short, cohort was added (eager)",
        ),
        (
            PATH,
            "[return-found, return-help, return-doubt]",
            "[return-found, return-help]",
            (
                "path lead-to-customer: stages, visited, email, templates is return-found + return-help, "
                "was return-found + return-help + return-doubt"
            ),
        ),
        (
            "cohorts.yaml",
            "number_at_least: 2",
            "number_at_least: 3",
            "cohort returning: when, session, number at least is 3, was 2",
        ),
        ("scores.yaml", "half_life_days: 14", "half_life_days: 7", "score interest: half life days is 7, was 14"),
        (
            "scores.yaml",
            "{from: 5, name: warm}",
            "{from: 6, name: warm}",
            "score interest: bands, warm, from is 6, was 5",
        ),
        ("cohorts.yaml", "# A cohort", "# One cohort", "file cohorts.yaml differs only in comments or layout"),
    ],
)  # fmt: skip
def test_an_edit_is_said_in_one_sentence(file, old, new, said):
    found = changes(ROUTINE, edited(file, old, new))
    assert [sentence(each) for each in found] == [said]


def test_what_is_added_and_removed_is_named():
    files = dict(ROUTINE)
    files["templates/new-one.yaml"] = files.pop("templates/cart-last.yaml")
    assert [sentence(each) for each in changes(ROUTINE, files)] == [
        "template cart-last was removed",
        "template new-one was added",
    ]


def test_the_order_of_stages_counts_and_that_of_keys_does_not():
    before = {"paths/a.yaml": "title: A\npriority: 1\nstages:\n- {name: x}\n- {name: y}\n"}
    after = {"paths/a.yaml": "priority: 1\ntitle: A\nstages:\n- {name: y}\n- {name: x}\n"}
    assert [sentence(each) for each in changes(before, after)] == [
        "path a: stages, order is y + x, was x + y"
    ]


def test_a_long_text_is_not_repeated():
    found = changes(
        {"templates/a.yaml": "text: |\n  one\n  two\n"},
        {"templates/a.yaml": "text: |\n  one\n  2\n"},
    )
    assert [sentence(each) for each in found] == [
        "template a: text: the text changed (1 lines out, 1 in)"
    ]


def test_a_file_that_cannot_be_read_is_compared_as_text():
    assert changes({"paths/a.yaml": "a: ["}, {"paths/a.yaml": "a: 1"})


files = st.dictionaries(
    st.sampled_from([PATH, "cohorts.yaml", "scores.yaml", "templates/a.yaml", "x.txt"]),
    st.sampled_from(
        [
            ROUTINE[PATH],
            ROUTINE["cohorts.yaml"],
            "a: 1\n",
            "a: 2 # b\n",
            "a: [",
            "- a\n- {id: a}\n",
            "",
        ]
    ),
)


@given(files, files)
def test_something_is_said_exactly_where_a_byte_differs(before, after):
    assert bool(changes(before, after)) == (before != after)
    assert changes(before, before) == []
    for change in changes(before, after):
        assert sentence(change)


def test_lines_are_those_of_a_unified_diff():
    said = unified(ROUTINE, edited(PATH, "  total: 4", "  total: 3"))
    assert said.startswith(f"--- a/{PATH}\n+++ b/{PATH}\n@@ ")
    assert "\n-  total: 4\n+  total: 3\n" in said


def run(monkeypatch, *arguments: str | Path) -> int:
    monkeypatch.setattr("sys.argv", ["mdma", "rules", "diff", *map(str, arguments)])
    return main()


def test_the_exit_code_tells_whether_something_differs(tmp_path, monkeypatch, capsys):
    write_folder(tmp_path, edited(PATH, "  total: 4", "  total: 3"))
    assert run(monkeypatch, DEFAULTS, DEFAULTS) == 0
    assert capsys.readouterr().out == "nothing differs\n"
    assert run(monkeypatch, DEFAULTS, tmp_path, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(each["before"], each["after"]) for each in told["changes"]] == [(4, 3)]
    assert "+  total: 3" in told["text"]
    assert run(monkeypatch, DEFAULTS, tmp_path, "--text") == 1
    assert "+  total: 3" in capsys.readouterr().out


def test_a_side_that_is_nothing_is_wrong_use(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, DEFAULTS, tmp_path / "none") == 2
    assert "neither the number of a version nor a folder" in capsys.readouterr().err
