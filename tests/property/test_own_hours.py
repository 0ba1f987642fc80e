"""Hold what is kept of a lead's hours, and what it makes of a choice, to their laws for whatever anybody does."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.draw import Draw
from learning.serving.hours import SHAPES, Shape, everybody, own, spread
from learning.serving.own_hours import AGES, leaning
from learning.serving.presence import (
    HOUR_SECONDS,
    MONDAY_SECONDS,
    OCCASIONS_MAX,
    Presence,
    absorb,
    hours_before,
    hours_of,
    joined,
    note,
)
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    EXPLORED,
    EXPLORED_SLOTS,
    FACTOR_MAX,
    FACTOR_MIN,
    SHAPE,
    SLOTS,
    UNPROMPTED,
    UNPROMPTED_WEEKS,
    choose_hour,
    shape_of_week,
    slot_scores,
)
from messaging.vocabulary.ids import derive
from messaging.vocabulary.records import Snapshot

ALL = slice(SLOTS)
BYTES_MAX = 400
BEGAN = 2_800 * SLOTS

hours = st.lists(st.integers(0, 130 * SLOTS), max_size=400)
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]
)
counts = st.lists(st.floats(0.0, 50.0), min_size=SLOTS, max_size=SLOTS)


class Own(msgspec.Struct):
    """Lean to hours by given factors."""

    factors: list[float]
    weeks: int = 9
    mostly: int = 33

    def at(self, hours: slice) -> np.ndarray:
        """Return the factors of some hours."""
        return np.tile(self.factors, 2)[hours]


def noted(told: list[int]) -> Presence:
    """Build what is kept of who was there in these hours."""
    presence = Presence()
    for hour in told:
        note(presence, MONDAY_SECONDS + (BEGAN + hour) * HOUR_SECONDS + 7.0)
    return presence


def plainly(
    snapshot: Snapshot, told: list[int], shape: Shape, zone: ZoneInfo, now: int
) -> tuple[np.ndarray, int, Counter[int]]:
    """Return the factors, the weeks and how often the lead was there in each slot, occasion by occasion.

    As the formulas are written down: no table, nothing that is worked out once for all leads.
    """
    known = set(told)
    now = min(now, min(known) // SLOTS + AGES)
    faded = {hour // SLOTS: 0.5 ** ((now - 1 - hour // SLOTS) / shape.half_life) for hour in known}
    there, here = np.zeros(SLOTS), Counter[int]()
    for hour in sorted(known):
        week = hour // SLOTS
        middle = datetime.fromtimestamp(MONDAY_SECONDS, UTC) + timedelta(hours=(week + 0.5) * SLOTS)
        offset = middle.astimezone(zone).utcoffset()
        assert offset is not None
        slot = (hour + offset // timedelta(hours=1)) % SLOTS
        here[slot] += faded[week]
        there[slot] += faded[week]
        if hour - 1 not in known:
            there[slot - 1] += faded[week]
    people = np.minimum(snapshot.arrays[EVERYBODY], snapshot.arrays[EVERYBODY_WEEKS])
    weeks = snapshot.arrays[EVERYBODY_WEEKS][0]
    week_shape, sure = shape_of_week(snapshot)
    prior = shape.prior * everybody(people, weeks, shape.kernel)
    usual = everybody(people, weeks, 0.0) @ spread(shape.kernel, shape.days)
    expected = prior + sum(faded.values()) * usual
    expected = (1.0 - sure) * expected + sure * expected.mean() * week_shape
    return (prior + own(there, shape)) / expected, len(faded), here


@given(hours, st.data())
def test_any_order_and_any_merge_leaves_the_same_few_bytes(told, data):
    """The newest so many of two years, in 400 bytes."""
    order = data.draw(st.permutations(told))
    cut = data.draw(st.integers(0, len(told)))
    one, other = noted(order[:cut]), noted(order[cut:])
    absorb(one, other)
    assert one == noted(told)
    assert len(msgspec.msgpack.encode(one)) <= BYTES_MAX
    newest = sorted({BEGAN + hour for hour in told})[-OCCASIONS_MAX:]
    assert hours_of(one).tolist() == newest


@given(hours, hours)
def test_two_packings_are_one_whichever_comes_first(told, others):
    one, other = ((each.week, each.before) for each in (noted(told), noted(others)))
    assert joined(one, other) == joined(other, one)
    assert joined(one, one) == one


@given(
    told=hours,
    there=counts,
    shape=st.integers(0, len(SHAPES) - 1),
    zone=zones,
    allowed=st.sets(st.integers(0, SLOTS - 1), min_size=1),
    away=st.integers(0, 300),
)
def test_whatever_a_lead_did_the_chances_are_exact(told, there, shape, zone, allowed, away):
    arrays = {EVERYBODY: there, EVERYBODY_WEEKS: [50.0], SHAPE: [float(shape)]}
    snapshot = Snapshot(policy="send_time", version=1, arrays=arrays)
    presence = noted(told)
    own = leaning(snapshot, presence.week, presence.before, ZoneInfo(zone), presence.week + away)
    if own is not None:
        factors = own.at(ALL)
        assert np.isfinite(factors).all()
        assert (factors >= 0.0).all()
    choice = choose_hour(snapshot, sorted(allowed), Draw(derive("d", zone)), refused={}, own=own)
    assert sum(choice.probabilities) == pytest.approx(1.0)
    places = min(EXPLORED_SLOTS, len(allowed))
    assert max(choice.probabilities) == pytest.approx(1.0 - EXPLORED * (places - 1) / places)
    assert choice.propensity() > 0.0
    if own is not None:
        factor = float(own.at(ALL)[int(choice.arm)])
        assert choice.weighs == pytest.approx(min(max(factor, FACTOR_MIN), FACTOR_MAX), rel=1e-11)
        assert choice.leaning == [own.weeks, own.mostly]


@given(
    told=hours.filter(bool),
    there=counts,
    unprompted=counts,
    shape=st.integers(0, len(SHAPES) - 1),
    zone=zones,
    away=st.integers(0, 1_500),
    first=st.integers(0, SLOTS - 1),
    length=st.integers(1, SLOTS),
)
def test_the_quick_way_says_what_the_formulas_say(
    told, there, unprompted, shape, zone, away, first, length
):
    arrays = {EVERYBODY: there, EVERYBODY_WEEKS: [50.0], SHAPE: [float(shape)]}
    arrays |= {UNPROMPTED: unprompted, UNPROMPTED_WEEKS: [40.0]}
    snapshot = Snapshot(policy="send_time", version=1, arrays=arrays)
    presence = noted([*told, max(told) + 2 * SLOTS])
    now = presence.week + away
    said = leaning(snapshot, presence.week, presence.before, ZoneInfo(zone), now)
    assert said is not None
    known = hours_before(presence.week, presence.before).tolist()
    factors, weeks, here = plainly(snapshot, known, SHAPES[shape], ZoneInfo(zone), now)
    assert said.at(ALL) == pytest.approx(factors, rel=1e-11, abs=2e-12)
    some = np.arange(first, first + length) % SLOTS
    assert said.at(slice(first, first + length)) == pytest.approx(
        factors[some], rel=1e-11, abs=2e-12
    )
    assert said.weeks == weeks
    assert here[said.mostly] == pytest.approx(max(here.values()), rel=1e-12)


@given(
    there=counts,
    allowed=st.lists(st.integers(0, SLOTS - 1), min_size=1, unique=True),
    closed=st.sets(st.integers(0, SLOTS - 1), max_size=30),
    factors=st.none() | st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=SLOTS, max_size=SLOTS),
    seed=st.text(),
)
def test_an_hour_is_drawn_as_it_is_written_down(there, allowed, closed, factors, seed):
    """The best, then the lower number; the twelve best; candidates in their order, the refused ones by name."""
    arrays = {"exposures": [50.0] * SLOTS, "successes": [float(round(each)) for each in there]}
    snapshot = Snapshot(policy="send_time", version=3, arrays=arrays)
    left = [slot for slot in allowed if slot not in closed]
    refused = dict.fromkeys(closed, "quiet_hours")
    own = None if factors is None else Own(factors)
    if not left:
        with pytest.raises(ValueError, match="no arm is allowed"):
            choose_hour(snapshot, allowed, Draw(seed), refused=refused, own=own)
        return
    choice = choose_hour(snapshot, allowed, Draw(seed), refused=refused, own=own)
    scores = slot_scores(snapshot) * (1.0 if factors is None else np.asarray(factors))
    ranked = sorted(left, key=lambda slot: (-scores[slot], slot))
    tried = ranked[:EXPLORED_SLOTS]
    chances = dict.fromkeys(left, 0.0) | dict.fromkeys(tried, EXPLORED / len(tried))
    chances[ranked[0]] = 1.0 - EXPLORED * (len(tried) - 1) / len(tried)
    assert choice.probabilities == list(chances.values())
    assert choice.arm == str(left[Draw(seed).choose(list(chances.values()))])
    named = [(each.arm, each.refused) for each in choice.candidates]
    closed_by_name = [(name, "quiet_hours") for name in sorted(map(str, closed))]
    assert named == [(str(slot), "") for slot in left] + closed_by_name
    assert (choice.policy, choice.policy_version) == ("send_time", 3)
    assert choice.leaning == ([] if own is None else [9, 33])
    assert choice.weighs == (1.0 if factors is None else factors[int(choice.arm)])
