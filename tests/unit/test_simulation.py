"""`mdma simulate`: rules against learning on one audience, to the byte."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from agents.behavior_bot.moments import is_lead, moment_of
from agents.protocol.bot import View
from agents.runtime.lessons import customer_at, opportunity_at
from config.load import DEFAULTS, compile_folder
from learning.audience.audience import Audience
from learning.serving.moment import FEATURES
from scripts.cli_simulate import simulate
from scripts.simulating import START, Simulated, end_of, visitor_of
from scripts.simulation import MEASURES, Setting, compare, lift_of
from scripts.simulation_told import told

RULES = compile_folder(DEFAULTS, 1)
SMALL = Setting(visitors=40, days=30, seed=3, holdout=0.25)


@pytest.fixture(scope="module")
def facts():
    return compare(RULES, SMALL)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(facts):
    again = compare(RULES, SMALL)
    assert json.dumps(again) == json.dumps(facts)
    assert told(again) == told(facts)
    other = compare(RULES, Setting(visitors=40, days=30, seed=4, holdout=0.25))
    assert other["measures"] != facts["measures"]


def test_every_measure_has_both_arms_and_an_interval_around_the_lift(facts):
    assert set(facts["measures"]) == set(MEASURES)
    for lift in facts["measures"].values():
        assert lift["lift"] == pytest.approx(lift["learning"] - lift["rules"])
        assert lift["low"] <= lift["lift"] <= lift["high"]
    assert facts["measures"]["sends"]["rules"] > 1
    assert facts["measures"]["reached_person"]["rules"] > 0


def test_the_holdout_is_as_set(facts):
    assert 0 < facts["arms"]["learning"]["held_out"] < 40
    everybody_learns = compare(RULES, Setting(visitors=40, days=10, seed=3, holdout=0.0))
    assert everybody_learns["arms"]["learning"]["held_out"] == 0


def test_the_command_prints_no_bar_outside_a_terminal_and_the_same_each_time():
    words = ["--visitors", "10", "--days", "7", "--holdout", "0.05", "--json"]
    first, again = (CliRunner().invoke(simulate, words) for _ in range(2))
    assert first.exit_code == 0
    assert first.stdout == again.stdout
    assert first.stderr == ""
    assert json.loads(first.stdout)["visitors"] == 10


@pytest.mark.parametrize("words", [["--visitors", "1"], ["--days", "0"], ["--holdout", "0.9"]])
def test_wrong_use_is_refused(words):
    assert CliRunner().invoke(simulate, words).exit_code == 2


def test_the_lift_is_paired():
    """Where everybody gains the same, the interval is a point, however different people are."""
    lift = lift_of([0.0, 10.0, 20.0], [1.0, 11.0, 21.0])
    assert (lift.lift, lift.low, lift.high) == (1.0, 1.0, 1.0)


def test_a_moment_says_what_the_bots_know_and_outcomes_come_later():
    world = Simulated(View(RULES, 1, {1: RULES}, {}), Audience(1, 60, START, 40))
    world.run(end_of(30))
    moments = {
        visitor: moment_of(held.state, end_of(30).timestamp(), "opt-in")
        for visitor, held in world.bots.states("behavior").items()
        if is_lead(held.state)
    }
    assert moments
    assert all(moment.days_known >= moment.days_since_seen >= 0 for moment in moments.values())
    assert all(moment.sends <= 4 for moment in moments.values())
    for name in FEATURES:
        assert all(isinstance(getattr(moment, name), int | float) for moment in moments.values())
    world.run(end_of(40))
    bought = {v for v, held in world.bots.states("sales").items() if customer_at(held.state)}
    carts = {
        v for v, held in world.bots.states("rules").items() if opportunity_at(held.state, RULES)
    }
    goals = {visitor_of(f"browser-{n}") for n, fate in enumerate(world.fates()) if fate.goal}
    assert goals
    assert goals <= bought
    assert carts


def test_each_lead_has_one_moment_a_week_and_none_after_it_bought():
    world = Simulated(View(RULES, 1, {1: RULES}, {}), Audience(1, 60, START, 40))
    world.run(end_of(40))
    weeks = [(row["visitor"], row["week"]) for row in world.moments]
    assert len(weeks) == len(set(weeks)) > 100
    bought_at = world.reached_at("probability/customer")
    for row in world.moments:
        bought = bought_at(row["visitor"])
        assert bought is None or row["at"] <= bought
