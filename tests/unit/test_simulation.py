"""`mdma simulate`: rules against learning on one audience, to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from agents.behavior_bot.moments import is_lead, moment_of
from agents.protocol.bot import View
from agents.runtime.lessons import customer_at, opportunity_at
from agents.runtime.tables import row_for
from config.load import DEFAULTS, RulesInvalid, compile_folder, read_folder
from learning.audience import world
from learning.audience.audience import Audience
from learning.serving.moment import FEATURES
from messaging.ports import RowWrite
from messaging.vocabulary.effects import LogStory
from scripts.cli_simulate import WORLDS, simulate
from scripts.presences import presences
from scripts.simulating import START, Simulated, end_of, visitor_of
from scripts.simulation import (
    MEASURES,
    CancelledError,
    Files,
    Request,
    Setting,
    compare,
    lift_of,
)
from scripts.simulation import simulate as simulated
from scripts.simulation_told import CHOICES, told
from scripts.tallying import Tally

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


def test_a_side_says_who_got_where_when_e_mails_went_out_and_what_was_refused(facts):
    for side in (facts["arms"]["rules"], facts["arms"]["learning"]):
        stages = side["stages"]["lead-to-customer"]
        assert list(stages) == ["invited", "opened", "visited", "talk", "cart"]
        assert stages["invited"]["mean"] == 40
        assert stages["visited"]["mean"] > 0
        assert stages["talk"]["mean"] > 0
        assert all(each["low"] <= each["mean"] <= each["high"] for each in stages.values())
        assert sum(each["mean"] for each in side["ends"]["lead-to-customer"].values()) == 40
        by_day = [day["sends"] for day in side["sends_by_day"]]
        assert len(by_day) == 30, "as many days as were asked for, each from the hour it began"
        assert sum(by_day) == sum(side["sends_by_hour"]) == sum(side["templates"].values())
        assert sum(side["sends_by_hour"][21:] + side["sends_by_hour"][:8]) == 0  # quiet hours
        assert side["refused"]["send_hour"]["quiet_hours"] > 0
        assert side["goal"]["low"] < side["goal"]["mean"] < side["goal"]["high"]
    rules = facts["arms"]["rules"]
    assert sum(day["sends"] for day in rules["sends_by_day"]) / 40 == pytest.approx(
        facts["measures"]["sends"]["rules"]
    )


def test_a_draft_lives_beside_what_is_published_and_an_equal_one_differs_in_nothing():
    files = read_folder(DEFAULTS)
    path = "paths/lead-to-customer.yaml"
    fewer = files | {path: files[path].replace("  total: 4", "  total: 2")}
    asked = Request(Files(2, fewer), Files(1, files), visitors=30, days=20, seed=3)
    sends = simulated(asked)["against_published"]["sends"]
    assert sends["draft"] < sends["published"]
    assert sends["difference"] == pytest.approx(sends["draft"] - sends["published"])
    same = simulated(msgspec.structs.replace(asked, draft=Files(2, files)))
    assert {each["difference"] for each in same["against_published"].values()} == {0.0}
    arms = same["arms"]
    assert arms["learning"] == arms["published"]
    words = told(same)
    assert "Beside the published version 1" in words
    assert "People who reached each stage of lead-to-customer" in words, "most have gone on since"


def test_the_steps_of_a_flow_are_counted():
    files = read_folder(DEFAULTS)
    del files["paths/lead-to-customer.yaml"]
    files["paths/welcome.yaml"] = (DEFAULTS.parent / "examples" / "welcome_flow.yaml").read_text()
    asked = Request(Files(1, files), visitors=20, days=10, seed=3)
    for side in simulated(asked)["arms"].values():
        steps = {name: each["mean"] for name, each in side["stages"]["welcome"].items()}
        assert steps["settle-in"] == 20
        assert 15 < steps["newcomer"] == steps["hello"] + steps["notice"]  # some buy at once
        assert steps["newcomer"] == steps["speaks-german"] + steps["elsewhere"]


def test_a_simulation_tells_how_far_it_is_and_can_be_given_up():
    asked = Request(Files(0, read_folder(DEFAULTS)), visitors=10, days=7, seeds=2)
    shares: list[float] = []
    simulated(asked, lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    asked_for = len(shares) // 2
    with pytest.raises(CancelledError):
        simulated(asked, lambda _, __: shares.append(0.0), lambda: len(shares) > asked_for)


def test_what_cannot_be_simulated_is_refused():
    files = Files(0, read_folder(DEFAULTS))
    with pytest.raises(RulesInvalid, match="title is missing"):
        simulated(Request(Files(0, {"paths/x.yaml": "goal: [A]"})))
    for wrong in ({"visitors": 1}, {"days": 0}, {"seeds": 51}, {"world": "flat"}):
        with pytest.raises(ValueError, match=f"bounds: {next(iter(wrong))}"):
            simulated(Request(files, **wrong))


def test_the_worker_tells_progress_and_the_result_line_by_line():
    asked = Request(Files(0, read_folder(DEFAULTS)), visitors=4, days=3)

    def said(request: bytes) -> list[dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.simulation_worker"],
            input=request,
            capture_output=True,
            timeout=120,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    *progress, last = said(msgspec.json.encode(asked))
    assert 1 < len(progress) <= 102
    assert last == {"result": simulated(asked)}
    [wrong] = said(msgspec.json.encode(Request(Files(0, {"a.yaml": ""}))))
    assert "none of the rule files" in str(wrong["error"])


def test_social_looks_made_up_people_up_and_the_report_says_that_presence_is_made_up(facts):
    """Rules that ask for presence are followed, to the byte again; off, everybody is of unknown presence."""
    looked_up = msgspec.structs.replace(SMALL, social=True)
    found = compare(RULES, looked_up)
    assert json.dumps(found) == json.dumps(compare(RULES, looked_up))
    assert (found["social"], found["recalled"]) == (True, 0)
    assert "presence that it finds is made up" in told(found)
    assert "Social is off" in told(facts)
    learning = found["arms"]["learning"]["templates"]
    assert learning["invite-work"] > 0
    assert "invite-work" not in facts["arms"]["learning"]["templates"]


def test_what_a_made_up_web_says_is_all_that_anybody_hears_of_people():
    """Out goes what the web would have told: kinds, counts and times, and nothing of what somebody is like."""
    audience = Audience(3, 40, START, 5)
    world = Simulated(View(RULES, 1, {1: RULES}, {}, social=True), audience, presences(audience, 3))
    world.run(end_of(5))
    states = [held.state for held in world.bots.states("social").values() if held.state.findings]
    assert len(states) > 10
    cohorts = Counter()
    for held in world.bots.states("behavior").values():
        cohorts.update(held.state.cohorts)
    assert 0 < cohorts["at-work"] < cohorts["presence-found"]
    assert cohorts["presence-unknown"] > 0
    for state in states:
        assert {each.source for each in state.findings} == {"gravatar", "activitypub"}
        for each in state.findings:
            assert each.hosts == []
            assert each.kind in ("", "personal", "professional", "organization", "automated")


def test_the_report_says_in_which_world_there_is_nothing_to_learn(facts):
    alike = compare(RULES, msgspec.structs.replace(SMALL, world="alike"))
    assert (alike["world"], facts["world"]) == ("alike", "default")
    assert "whoever explores can only lose" in told(alike)
    assert "whoever explores" not in told(facts)
    assert alike["measures"] != facts["measures"]
    assert tuple(world.WORLDS) == WORLDS


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
    """Where everybody gains the same, the interval is narrow, however different people are."""
    before = [float(each % 21) for each in range(2_000)]
    lift = lift_of(before, [each + 1.0 for each in before])
    assert lift.lift == 1.0
    assert 0.99 < lift.low < 1.0 <= lift.high < 1.01


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


def test_an_e_mail_counts_on_the_day_of_the_simulation_on_which_it_went():
    began = datetime(2026, 3, 2, 6, tzinfo=UTC)
    tally = Tally(lambda _: "UTC", began)
    for number, hours in enumerate((0, 23, 24, 30, 48)):
        sent = {"success": False, "confirms": False, "status": "handed over", "template": "t"}
        sent |= {"visitor": "aa", "handed_over_at": began + timedelta(hours=hours)}
        tally.take(RowWrite("sends", f"s{number}", sent))
    assert tally.sends_by_day(2) == [2, 3], "what goes at the very end goes on the last day"


def test_what_was_due_and_put_off_is_counted_by_its_reason():
    at = datetime(2026, 3, 2, tzinfo=UTC)
    tally = Tally(lambda _: "UTC", at)
    for rule in ("cap", "outvalued", "outvalued", "quiet_hours"):
        told = LogStory("touch.refused", {"path": "p", "stage": "s", "rule": rule})
        tally.take(row_for(told, "aa", "rules-0:1:aa:1", at))
    assert tally.refused == {"touch": {"cap": 1, "outvalued": 2, "quiet_hours": 1}}
    assert "touch" in CHOICES
