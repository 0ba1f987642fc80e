"""Check how a lead's own hours lean everybody's: not at all where they show nothing, and worth it where they do."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from agents.protocol.draw import Draw
from learning.protocols.weeks_worlds import made_up
from learning.serving import send_time
from learning.serving.hours import FIRST, SHAPES, belief, everybody, own
from learning.serving.own_hours import (
    WEEKS_KNOWN,
    Counts,
    counts,
    leaning,
    leans,
    learned_of,
)
from learning.serving.presence import before_week, hour_of
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    FACTOR_MAX,
    FACTOR_MIN,
    SHAPE,
    SLOTS,
    UNPROMPTED,
    UNPROMPTED_WEEKS,
    choose_hour,
    slot_scores,
    slot_shares,
)
from messaging.vocabulary.records import Snapshot
from tests.own_hours_loop import live

UTC_ZONE = ZoneInfo("UTC")
ALL = slice(SLOTS)
WEEK = 2_900
LEADS, SENDS = 100, 13


def a_snapshot(**changed: list[float]) -> Snapshot:
    """Return a snapshot of people who are there in the evenings."""
    there = [80.0 if slot % 24 == 19 else 4.0 for slot in range(SLOTS)]
    arrays = {
        EVERYBODY: there,
        EVERYBODY_WEEKS: [200.0],
        UNPROMPTED: there,
        UNPROMPTED_WEEKS: [200.0],
        SHAPE: [float(FIRST)],
    }
    return Snapshot(policy="send_time", version=2, arrays=arrays | changed)


def packed(slots: list[int], weeks: int = 6) -> bytes:
    """Return the hours of a lead who was there in these slots of each of the last weeks."""
    hours = [week * SLOTS + slot for week in range(WEEK - weeks, WEEK) for slot in sorted(slots)]
    return before_week(np.asarray(hours), WEEK)


def test_who_has_shown_nothing_leans_nowhere():
    assert leaning(a_snapshot(), 0, b"", UTC_ZONE, WEEK) is None
    assert leaning(None, WEEK, packed([10]), UTC_ZONE, WEEK) is None
    nothing = Counts(np.zeros(SLOTS), 0.0, 0, 0)
    learned = learned_of(Snapshot(policy="send_time", version=1, arrays={EVERYBODY: [3.0] * SLOTS}))
    assert learned is not None
    assert leans(learned.at(ALL), nothing).tolist() == [1.0] * SLOTS, "exactly everybody's hours"


@pytest.mark.parametrize("number", [FIRST, 0, 100, len(SHAPES) - 1])
def test_who_is_there_as_people_are_leans_nowhere(number):
    there = np.random.default_rng(0).random(SLOTS) * 1e6
    arrays = {EVERYBODY: there.tolist(), EVERYBODY_WEEKS: [2e6], SHAPE: [float(number)]}
    learned = learned_of(Snapshot(policy="send_time", version=1, arrays=arrays))
    assert learned is not None
    factors = leans(learned.at(ALL), Counts(there * 9.0 / 2e6, 9.0, 9, 0))
    assert factors == pytest.approx(np.ones(SLOTS), abs=1e-4)


def test_rate_times_factor_is_the_leads_belief_where_sends_have_shown_nothing():
    """By their beliefs the shapes are judged: another score would be another choice."""
    weeks = 1e9
    there = np.random.default_rng(1).random(SLOTS) * weeks
    arrays = {EVERYBODY: there.tolist(), EVERYBODY_WEEKS: [weeks], SHAPE: [float(FIRST)]}
    arrays |= {UNPROMPTED: there.tolist(), UNPROMPTED_WEEKS: [weeks]}
    snapshot = Snapshot(policy="send_time", version=1, arrays=arrays)
    mine = Counts(np.random.default_rng(2).integers(0, 5, SLOTS) * 1.0, 8.0, 8, 0)
    learned = learned_of(snapshot)
    assert learned is not None
    score = slot_scores(snapshot) * leans(learned.at(ALL), mine)
    shape = SHAPES[FIRST]
    believed = belief(everybody(there, weeks, shape.kernel), own(mine.there, shape), 8.0, shape)
    assert score / score.sum() == pytest.approx(believed / believed.sum(), rel=1e-4)


def test_the_share_that_people_are_shown_is_one_whatever_hours_were_never_tried():
    """Sends at two in the afternoon alone, a third answered; people come in the evening. A score is then above 1."""
    sent = [60.0 if slot % 24 == 14 and slot < 120 else 0.0 for slot in range(SLOTS)]
    there = [60.0 if slot % 24 == 19 else 2.0 for slot in range(SLOTS)]
    counts = {"exposures": sent, "successes": [0.35 * each for each in sent]}
    counts |= {UNPROMPTED: [each * 10.0 for each in there], UNPROMPTED_WEEKS: [1_000.0]}
    snapshot = a_snapshot(**counts)
    assert slot_scores(snapshot).max() > 1.0
    shown = slot_shares(snapshot)
    assert 0.0 < shown.min() < shown.max() < 1.0
    assert shown[14] == pytest.approx(0.35, abs=0.1)
    assert shown.argmax() % 24 == slot_scores(snapshot).argmax() % 24
    assert slot_shares(a_snapshot()).max() < 1.0


def test_a_lead_leans_to_the_hours_in_which_they_are_there_and_others_are_not():
    own = leaning(a_snapshot(), WEEK, packed([33, 57]), UTC_ZONE, WEEK)
    assert own is not None
    assert own.at(ALL)[33] > 2.0
    assert own.at(ALL)[32] > 2.0, "an e-mail of the hour before is seen as well"
    assert own.at(ALL)[100] < 1.0
    assert (own.weeks, own.mostly) == (6, 33)


def test_a_send_weighs_within_bounds():
    own = leaning(a_snapshot(), WEEK, packed([33]), UTC_ZONE, WEEK)
    assert own is not None
    factors = own.at(ALL)
    for slot in range(SLOTS):
        choice = choose_hour(a_snapshot(), [slot], Draw("a"), refused={}, own=own)
        assert choice.weighs == min(max(factors[slot], FACTOR_MIN), FACTOR_MAX)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -1.0, 1e300])
@pytest.mark.parametrize("name", [EVERYBODY, EVERYBODY_WEEKS, UNPROMPTED, UNPROMPTED_WEEKS, SHAPE])
def test_a_broken_number_stops_no_decision(name, broken):
    length = 1 if name in (EVERYBODY_WEEKS, UNPROMPTED_WEEKS, SHAPE) else SLOTS
    snapshot = a_snapshot(**{name: [broken] * length})
    own = leaning(snapshot, WEEK, packed([33]), UTC_ZONE, WEEK)
    assert own is not None
    assert np.isfinite(own.at(ALL)).all()
    assert (own.at(ALL) > 0.0).all()
    assert np.isfinite(slot_scores(snapshot)).all()


@pytest.mark.parametrize("before", [b"\x01", b"\xff\xff" * 200, b"\x00\x00" * 5])
def test_broken_hours_stop_no_decision(before):
    for week in (0, 1, WEEK):
        own = leaning(a_snapshot(), week, before, UTC_ZONE, WEEK)
        assert own is None or np.isfinite(own.at(ALL)).all()


def test_an_hour_is_the_same_by_the_clock_before_and_after_it_is_changed():
    """Berlin put its clocks back on 2025-10-26: 18:00 was 16:00 UTC before, and 17:00 after."""
    summer = hour_of(datetime(2025, 10, 16, 16, tzinfo=UTC).timestamp())
    winter = hour_of(datetime(2025, 11, 6, 17, tzinfo=UTC).timestamp())
    hours = np.asarray([summer, winter])
    mine = counts(hours, ZoneInfo("Europe/Berlin"), winter // SLOTS + 1, math.inf)
    assert mine.there.nonzero()[0].tolist() == [3 * 24 + 17, 3 * 24 + 18]
    assert (mine.weeks, mine.weeks_plain) == (2.0, 2)


def test_a_lead_who_moves_has_the_same_hours_by_another_clock():
    there = [
        leaning(a_snapshot(), WEEK, packed([33]), ZoneInfo(zone), WEEK).mostly
        for zone in ("Etc/GMT-3", "Etc/GMT+4")
    ]
    assert there == [36, 29]


def test_who_was_away_for_years_leans_little():
    near = leaning(a_snapshot(), WEEK, packed([33]), UTC_ZONE, WEEK)
    late = leaning(a_snapshot(), WEEK, packed([33]), UTC_ZONE, WEEK + 52)
    ages = leaning(a_snapshot(), WEEK, packed([33]), UTC_ZONE, WEEK + 50 * 52)
    assert near.at(ALL)[33] > late.at(ALL)[33] > ages.at(ALL)[33]
    assert ages.at(ALL)[33] < 1.1


def test_a_zones_last_known_clock_stays_after_2050():
    """What is tabled ends; no lead's hours do."""
    berlin, late = ZoneInfo("Europe/Berlin"), WEEKS_KNOWN + 100
    for now in (WEEKS_KNOWN - 1, late):
        hours = np.asarray([week * SLOTS + 33 for week in range(now - 6, now)])
        own = leaning(a_snapshot(), now, before_week(hours, now), berlin, now)
        assert (own.weeks, own.mostly) == (6, 34)
        assert own.at(ALL)[34] > 2.0


def test_before_weeks_are_told_hours_are_ranked_by_sends_alone():
    counted = {"exposures": [5.0] * SLOTS, "successes": [2.0] + [1.0] * 167}
    sends = Snapshot(policy="send_time", version=1, arrays=counted)
    none = Snapshot(
        policy="send_time",
        version=1,
        arrays=counted
        | {UNPROMPTED: [0.0] * SLOTS, UNPROMPTED_WEEKS: [0.0], send_time.WEIGHED: [5.0] * SLOTS},
    )
    assert slot_scores(none) == pytest.approx(slot_scores(sends))


@pytest.mark.parametrize("seed", [0, 1])
def test_most_of_what_own_hours_are_worth_is_won_after_twelve_sends(seed):
    """The loop is closed: answers come only at the hours that were chosen, presence by people's own accord."""
    rng = np.random.default_rng(seed)
    lived = live(made_up(LEADS, 1, rng).there, SENDS, rng)
    assert lived.gain(0) < 0.2
    assert lived.gain(4) >= 0.4
    assert lived.gain(12) >= 0.8


def test_where_nobody_has_hours_of_their_own_nothing_is_lost():
    alike = np.full((LEADS, SLOTS), 0.005)
    alike[:, 20::24] += 0.1
    alike[:, 12::24] += 0.05
    lived = live(alike, 16, np.random.default_rng(0))
    assert np.mean(lived.chosen[10:]) >= 0.95 * lived.one


def test_where_clicks_are_all_that_is_known_they_do_not_echo():
    """No site: presence is when e-mails were sent. Over four worlds it is no worse than if no hours were told."""
    won = dict.fromkeys((True, False), 0.0)
    for seed in range(2, 6):
        there = made_up(LEADS, 1, np.random.default_rng(seed)).there
        for own_hours in won:
            lived = live(there, 26, np.random.default_rng(seed + 1), own=own_hours, on_site=False)
            won[own_hours] += float(np.mean(lived.chosen[12:]))
    assert won[True] >= 0.95 * won[False]
