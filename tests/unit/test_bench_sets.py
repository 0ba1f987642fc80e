"""Check that folders of recorded data are read, and that one which cannot be is told what is wrong with it."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from scripts.bench_sets import (
    BenchSet,
    SetError,
    numbers_of,
    read_columns,
    read_spec,
    seconds_of,
    sets_in,
)

MAIL = "task: send_time\nfile: log.csv\ncolumns: {user: who, time: at}\n"


def a_set(folder: Path, spec: str = MAIL, text: str = "who,at\na,5\n", file: str = "log.csv"):
    """Write a set and return its `bench.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    (folder / "bench.yaml").write_text(spec)
    return folder / "bench.yaml"


def test_each_folder_with_a_spec_is_a_set_by_its_name(tmp_path):
    a_set(tmp_path / "b")
    a_set(tmp_path / "a")
    (tmp_path / "no set").mkdir()
    assert [known.name for known in sets_in(tmp_path)] == ["a", "b"]
    assert [known.name for known in sets_in(tmp_path / "b")] == ["b"], "one set may be named itself"


def test_columns_come_as_text_gzipped_or_not_with_any_separator(tmp_path):
    spec = MAIL.replace("log.csv", "log.csv.gz") + 'separator: ";"\n'
    known = read_spec(a_set(tmp_path / "x", spec, file="log.csv.gz"))
    with gzip.open(tmp_path / "x" / "log.csv.gz", "wt") as file:
        file.write("\ufeffwho;at\n\na;5\nb;x,y\n")
    assert read_columns(known) == {"who": ["a", "b"], "at": ["5", "x,y"]}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("task: [", "is no YAML"),
        ("- a", "must say task, file and columns"),
        ("task: send_time\nfile: log.csv\ncolumns: [who]", "must say task, file and columns"),
        ("task: guess\nfile: log.csv\n", "task Input should be"),
        ("task: send_time\nfile: log.csv\ncolumns: {user: who}", "columns lacks time"),
        ("task: off_policy\nfile: log.csv\n", "target"),
        ("task: lead_score\nfile: log.csv\ncolumns: {time: a, label_time: b}", "horizon_days"),
        (MAIL.replace("log.csv", "other.csv"), "other.csv is not beside it"),
        (MAIL + "separator: ab\n", "separator"),
        (MAIL + "propensity: 0\n", "propensity"),
        ("task: send_time\ncolumns: {user: who, time: at}", "file Field required"),
    ],
)
def test_a_spec_that_says_too_little_is_refused_with_its_file(tmp_path, spec, said):
    where = a_set(tmp_path / "x", spec)
    with pytest.raises(SetError, match=r"x/bench\.yaml") as caught:
        read_spec(where)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who,when\na,5\n", "has no column 'at'; it has who, when"),
        ("who,at\na\n", "log.csv:2: has 1 fields, the header 2"),
        ("who,at\n", "has no row below its header"),
        ("", "has no column 'who'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_place(tmp_path, text, said):
    known = read_spec(a_set(tmp_path / "x", text=text))
    with pytest.raises(SetError) as caught:
        read_columns(known)
    assert said in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    known = read_spec(
        a_set(tmp_path / "x", MAIL.replace("log.csv", "log.csv.gz"), file="log.csv.gz")
    )
    with pytest.raises(SetError, match="cannot be read"):
        read_columns(known)


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_sets_is_refused(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetError, match=r"bench\.yaml"):
        sets_in(tmp_path / folder)


def test_what_a_spec_says_beyond_what_is_known_is_kept_to_be_shown(tmp_path):
    known = read_spec(a_set(tmp_path / "x", MAIL + "seperator: ';'\n"))
    assert known.unread == ["seperator"]
    assert known.separator == ","


@pytest.mark.parametrize(
    ("positive", "yes", "no"),
    [("yes", "yes", "1"), ("true", "Yes", "no"), ('"won"', "won", "lost"), ("1", "1", "0")],
)
def test_a_label_counts_as_a_yes_as_the_spec_says(tmp_path, positive, yes, no):
    spec = f"task: lead_score\nfile: log.csv\ncolumns: {{label: at, positive: {positive}}}\n"
    known = read_spec(a_set(tmp_path / "x", spec))
    assert isinstance(known, BenchSet)
    assert known.is_positive(yes)
    assert not known.is_positive(no) or positive == "yes"


def test_times_are_read_as_told_and_the_first_that_is_none_is_named():
    assert seconds_of(["60", ""], "epoch_seconds")[0] == 60.0
    assert math.isnan(seconds_of([" "], "epoch_seconds")[0])
    assert seconds_of(["1970-01-02"], "epoch_seconds") == [86_400.0]
    assert seconds_of(["1970-01-01T01:00:00+01:00"], "iso") == [0.0]
    assert seconds_of(["02-01-1970"], "%d-%m-%Y") == [86_400.0]
    with pytest.raises(SetError, match="row 2: 'soon' is no time"):
        seconds_of(["1", "soon"], "epoch_seconds")


@pytest.mark.parametrize("value", ["x", "", "nan", "inf"])
def test_the_first_value_that_is_no_number_is_named(value):
    with pytest.raises(SetError, match="row 2"):
        numbers_of(["1", value])
