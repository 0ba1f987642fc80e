"""Check the benchmark of learning on small made-up folders, one of each task."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from scripts.bench_learning import TASKS, recorded
from scripts.bench_learning_rows import Effort, by_lead, of_mean, over_runs, ratio_by_lead
from scripts.bench_main import main
from scripts.bench_measure import table
from scripts.bench_peers import missing_peers
from scripts.bench_sets import SetError


def write(folder: Path, spec: str, file: str, head: list[str], rows: list[list[object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / file).open("w", newline="") as out:
        csv.writer(out).writerows([head, *rows])
    if spec:
        (folder / "bench.yaml").write_text(spec)


def mail_log(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        [f"u{who}", int((week * 168 + slot) * 3600 + 4 * 86_400)]
        for who, slot in enumerate(rng.integers(8, 160, 12))
        for week in range(9)
    ]
    spec = "task: send_time\nfile: a.csv\ncolumns: {user: who, time: at}\norder: time\n"
    write(folder, spec, "a.csv", ["who", "at"], rows)


def opened(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"u{who}", day, (8 + day) * 3600] for who in range(40) for day in rng.permutation(7)]
    spec = "task: open_hour\nfile: a.csv\ncolumns: {user: u, weekday: d, second: s}\n"
    write(folder, spec, "a.csv", ["u", "d", "s"], rows)


def randomised(folder: Path) -> None:
    rng = np.random.default_rng(0)
    arms = rng.choice(["a", "b"], 1_200, p=[0.75, 0.25])
    rows = [[arm, int(rng.random() < 0.3), rng.integers(0, 9), 7] for arm in arms]
    spec = "task: next_best\nfile: a.csv\ncolumns: {arm: arm, reward: r, drop: same}\nsomething: else\n"
    write(folder, spec, "a.csv", ["arm", "r", "x", "same"], rows)


def scored(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    rows = [
        [row * 86_400, "" if rng.random() > 1 / (1 + np.exp(-v)) else (row + 5) * 86_400, v]
        for row, v in enumerate(x)
    ]
    spec = (
        "task: lead_score\nfile: a.csv\ncolumns: {time: t, label_time: w}\nhorizon_days: 30\n"
        "order: time\nuntil: 1971-11-01\n"
    )
    write(folder, spec, "a.csv", ["t", "w", "x"], rows)


def two_logs(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for file, share in (("a.csv", 0.5), ("b.csv", 0.7)):
        arms = rng.random(3_000) < share
        rows = [
            [int(arm), 1, share if arm else 1 - share, int(rng.random() < (0.4 if arm else 0.2))]
            for arm in arms
        ]
        write(folder, "", file, ["arm", "at", "p", "r"], rows)
    (folder / "bench.yaml").write_text(
        "task: off_policy\nfile: a.csv\ntarget: b.csv\n"
        "columns: {arm: arm, position: at, reward: r, propensity: p}\n"
    )


SETS = {
    "send_time": mail_log,
    "open_hour": opened,
    "next_best": randomised,
    "lead_score": scored,
    "off_policy": two_logs,
}


QUICK = Effort({}, range(2), range(2))


def measured(folder: Path):
    return recorded(folder, lambda _: None, QUICK)


def test_there_is_a_made_up_set_for_each_task():
    assert SETS.keys() == TASKS.keys()


@pytest.mark.parametrize("task", SETS)
def test_a_set_of_each_task_has_rows_with_intervals(tmp_path, task):
    SETS[task](tmp_path / "mine")
    said: list[str] = []
    rows = recorded(tmp_path, said.append, QUICK)
    assert rows
    assert said[0] == f"learning: mine ({task})"
    for row in rows:
        assert row.name.startswith(f"{task}.mine")
        assert row.low <= row.value <= row.high or row.name.endswith("last third"), row
        assert row.goal
    assert "mine" in table(rows)
    if task == "lead_score":
        assert [row.name.removeprefix("lead_score.mine.") for row in rows] == [
            f"{way}.{figure}"
            for way in ("prequential", "as answers came", "split")
            for figure in ("auc", "log_loss")
        ]


def test_habits_and_campaigns_are_told_apart(tmp_path):
    mail_log(tmp_path / "a")
    rows = {row.name: row for row in measured(tmp_path)}
    assert rows["send_time.a.ahead of global greedy"].low > 0.0
    assert any("chosen inside the run" in note for note in rows["send_time.a.mean"].notes)


def test_a_policy_valued_on_anothers_log_is_covered(tmp_path):
    two_logs(tmp_path / "a")
    rows = measured(tmp_path)
    assert len(rows) == 8, "four methods, both ways"
    assert all(row.reached for row in rows)
    assert {"verdict from" in row.notes[0] for row in rows} == {True}


def test_what_a_spec_says_in_vain_is_shown(tmp_path):
    randomised(tmp_path / "a")
    rows = measured(tmp_path)
    assert "not known, and not read, in bench.yaml: something" in rows[0].notes


def test_missing_peers_are_named_with_how_to_get_them():
    (line,) = missing_peers({"no_such_module": "Nobody's"})
    assert "Nobody's" in line
    assert "requirements-bench.lock" in line
    assert missing_peers({"numpy": "NumPy"}) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace("columns: {arm: arm", "columns: {arm: same"), "has one value"),
        (lambda text: text.replace("reward: r", "reward: arm"), "row 1"),
        (lambda text: text.replace("drop: same}", "drop: none}"), "has no column 'none'"),
    ],
)
def test_a_set_that_cannot_be_measured_says_so_by_its_name(tmp_path, spoil, said):
    randomised(tmp_path / "mine")
    spec = tmp_path / "mine" / "bench.yaml"
    spec.write_text(spoil(spec.read_text()))
    with pytest.raises(SetError, match="mine") as caught:
        measured(tmp_path)
    assert said in str(caught.value)


def test_the_command_refuses_a_bad_folder_in_one_line(tmp_path, capsys):
    assert main(["learning", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"scripts/bench: {tmp_path}: no folder in it holds a bench.yaml")
    assert "\n" not in said


@pytest.mark.timeout(600)  # all of the command, beside whatever else runs here
def test_the_command_prints_a_row_for_each_figure_and_writes_them(tmp_path, capsys):
    two_logs(tmp_path / "a")
    file = tmp_path / "rows.json"
    assert main(["learning", "--data", str(tmp_path), "--json", str(file)]) == 0
    assert "off_policy.a.b.csv from a.csv.snips" in capsys.readouterr().out
    (first, *_) = json.loads(file.read_text())["rows"]
    assert {"name", "value", "unit", "against", "ratio", "low", "high", "runs"} <= first.keys()


def test_intervals_are_those_of_what_was_measured():
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 1.0, 400)
    held = of_mean(values)
    assert held.high - held.low == pytest.approx(2 * 1.96 / 20, rel=0.1)
    together = np.repeat(rng.normal(1.0, 1.0, 40), 10)
    wide = by_lead(together, np.repeat(np.arange(40), 10), [])
    assert wide.high - wide.low > 2 * (held.high - held.low), "what hangs together is one answer"
    assert over_runs([2.0]).low == 2.0
    ratio = ratio_by_lead(np.full(50, 2.0), np.full(50, 1.0), [])
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 2.0, 2.0)
