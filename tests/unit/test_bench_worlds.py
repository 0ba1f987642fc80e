"""Check the benchmark's made-up worlds, its tests of equals, and its speeds, on small numbers."""

from __future__ import annotations

import numpy as np

from learning.protocols.randomised import Randomised, Uniform
from scripts.bench_learning_contrasts import TESTS, contrasts, equals
from scripts.bench_learning_rows import Effort
from scripts.bench_learning_speed import for_lead_row, send_time_row
from scripts.bench_learning_worlds import intervals, own_hours, where_context_matters


def test_regret_is_held_against_each_peer():
    effort = Effort({"by chance": Uniform}, seeds=range(2))
    rows = {row.name: row for row in where_context_matters(effort, decisions=2_000)}
    assert rows.keys() == {"world.context.Beta Thompson", "world.context.by chance"}
    assert all(row.reached for row in rows.values())


def test_what_own_hours_are_worth_is_told_after_few_and_many_sends():
    rows = own_hours(Effort({}, seeds=range(1)), leads=60)
    assert [row.name for row in rows] == [
        "world.own hours.after 4 sends",
        "world.own hours.after 12 sends",
    ]
    assert rows[0].value < rows[1].value <= 1.0


def test_intervals_are_counted_for_each_method_among_logs_with_a_verdict():
    rows = intervals(logs=4, batches=2)
    assert [row.name.rpartition(".")[2] for row in rows] == ["ips", "snips", "dr", "switch-dr"]
    assert all(len(row.runs) == 2 for row in rows)
    assert "8 logs" in rows[0].notes[0]


def test_equals_are_rarely_told_apart():
    row = equals(tests=40)
    assert row.runs[0] <= 0.1
    assert row.low <= row.value == row.high


def test_a_clear_contrast_is_decided_sooner_and_never_wrongly():
    rng = np.random.default_rng(0)
    arms = np.repeat([0, 1, 2], 4_000)
    rewards = (rng.random(12_000) < np.array([0.1, 0.3, 0.13])[arms]).astype(float)
    test = Randomised(np.zeros((12_000, 0)), arms, rewards, ["a", "b", "c"])
    rows = {row.name: row for row in contrasts("made up", test)}
    assert (
        rows["next_best.made up.contrast.a, b"].value
        < rows["next_best.made up.contrast.a, c"].value
    )
    assert all(row.reached for row in rows.values())
    assert f"{TESTS} orders" in rows["next_best.made up.contrast.a, b"].notes[0]


def test_rewards_of_other_sizes_have_no_contrasts():
    test = Randomised(
        np.zeros((4, 0)), np.array([0, 1, 0, 1]), np.array([0.0, 2.5, 1, 0]), ["a", "b"]
    )
    assert contrasts("money", test) == []


def test_the_hour_of_an_e_mail_has_its_microseconds():
    row = send_time_row(decisions=20)
    assert row.unit == "µs"
    assert len(row.runs) == 3
    assert row.value > 0.0


def test_a_leads_template_has_its_decisions_a_second():
    row = for_lead_row(decisions=50)
    assert row.unit == "1/s"
    assert row.value > 1_000.0
