"""Check for every policy alike: whatever is allowed, the answer is a valid, replayable Choice."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocol.draw import Draw
from learning.serving.by_context import choose_by_context
from learning.serving.fixed import choose_by_shares
from learning.serving.next_best import choose_template
from learning.serving.send_time import choose_hour
from messaging.vocabulary.records import Snapshot

NAMES = st.text("abcdefgh", min_size=1, max_size=3)
NUMBERS = st.one_of(
    st.floats(0, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e308])
)
SNAPSHOTS = st.none() | st.builds(
    Snapshot,
    policy=st.just("p"),
    version=st.integers(1, 9),
    arms=st.lists(NAMES, max_size=12, unique=True),
    arrays=st.fixed_dictionaries(
        {},
        optional={
            "successes": st.lists(NUMBERS, max_size=168),
            "exposures": st.lists(NUMBERS, max_size=168),
            "weights": st.lists(NUMBERS, max_size=12),
            "common": st.lists(NUMBERS, min_size=3, max_size=3),
            "answers": st.lists(NUMBERS, max_size=6),
            "noise": st.lists(NUMBERS, max_size=1),
            "before": st.lists(NUMBERS, max_size=1),
        },
    ),
)
SLOTS = st.integers(0, 167)


def by_hour(snapshot, allowed, seed, refused):
    return choose_hour(snapshot, allowed, Draw(seed), refused=refused)


def by_template(snapshot, allowed, seed, refused):
    return choose_template(snapshot, allowed, Draw(seed), refused=refused)


def by_shares(snapshot, allowed, seed, refused):
    return choose_by_shares(dict.fromkeys(allowed, 2.0), Draw(seed), refused=refused)


def by_context(snapshot, allowed, seed, refused):
    return choose_by_context(snapshot, allowed, [0.5, math.nan], Draw(seed), refused=refused)


POLICIES = [(by_hour, SLOTS), (by_template, NAMES), (by_shares, NAMES), (by_context, NAMES)]


@pytest.mark.parametrize(("policy", "arms"), POLICIES)
def test_any_allowed_set_gives_a_valid_choice(policy, arms):
    @settings(max_examples=120, deadline=None)
    @given(
        snapshot=SNAPSHOTS,
        allowed=st.lists(arms, max_size=30),
        refused=st.dictionaries(arms, st.sampled_from(["quiet_hours", "weekly_cap"]), max_size=6),
        seed=st.text(max_size=8),
    )
    def check(snapshot, allowed, refused, seed):
        open_arms = {str(arm) for arm in allowed if arm not in refused}
        if not open_arms:
            with pytest.raises(ValueError, match="no arm is allowed"):
                policy(snapshot, allowed, seed, refused)
            return
        choice = policy(snapshot, allowed, seed, refused)
        offered = [c.arm for c in choice.candidates if not c.refused]
        assert choice.arm in open_arms
        assert set(offered) == open_arms
        assert len(offered) == len(choice.probabilities) == len(set(offered))
        assert {c.arm: c.refused for c in choice.candidates if c.refused} == {
            str(arm): rule for arm, rule in refused.items()
        }
        assert all(0 <= chance <= 1 for chance in choice.probabilities)
        assert abs(math.fsum(choice.probabilities) - 1) <= 1e-9
        assert 0 < choice.propensity() <= 1
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot | None)
        assert policy(again, allowed, seed, refused) == choice, "equal inputs, equal choice"

    check()
