"""Hold what is kept of a lead's hours, and what it makes of a choice, to their laws for whatever anybody does."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.draw import Draw
from learning.serving.hours import SHAPES
from learning.serving.own_hours import leaning
from learning.serving.presence import (
    HOUR_SECONDS,
    MONDAY_SECONDS,
    OCCASIONS_MAX,
    Presence,
    absorb,
    hours_of,
    joined,
    note,
)
from learning.serving.send_time import (
    EVERYBODY,
    EVERYBODY_WEEKS,
    EXPLORED,
    EXPLORED_SLOTS,
    SHAPE,
    SLOTS,
    choose_hour,
)
from messaging.vocabulary.ids import derive
from messaging.vocabulary.records import Snapshot

BYTES_MAX = 400
BEGAN = 2_800 * SLOTS

hours = st.lists(st.integers(0, 130 * SLOTS), max_size=400)
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]
)
counts = st.lists(st.floats(0.0, 50.0), min_size=SLOTS, max_size=SLOTS)


def noted(told: list[int]) -> Presence:
    """Build what is kept of who was there in these hours."""
    presence = Presence()
    for hour in told:
        note(presence, MONDAY_SECONDS + (BEGAN + hour) * HOUR_SECONDS + 7.0)
    return presence


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
    factors = None if own is None else own.factors
    if factors is not None:
        assert np.isfinite(factors).all()
        assert (factors >= 0.0).all()
    choice = choose_hour(
        snapshot, sorted(allowed), Draw(derive("d", zone)), refused={}, factors=factors
    )
    assert sum(choice.probabilities) == pytest.approx(1.0)
    places = min(EXPLORED_SLOTS, len(allowed))
    assert max(choice.probabilities) == pytest.approx(1.0 - EXPLORED * (places - 1) / places)
    assert choice.propensity() > 0.0
