"""Check the choice of the hour: exact propensities, the shipped profile, what the counts change."""

from __future__ import annotations

from collections import Counter

import pytest

from agents.protocol.draw import Draw
from learning.serving.send_time import EXPLORED, SLOTS, choose_hour, slot_scores
from messaging.vocabulary.records import Snapshot

DAY = list(range(8, 21))


def counted(successes: dict[int, float], exposures: dict[int, float]) -> Snapshot:
    """Build a snapshot with these counts by slot."""
    return Snapshot(
        policy="send_time",
        version=7,
        arms=[str(slot) for slot in range(SLOTS)],
        arrays={
            "successes": [successes.get(slot, 0.0) for slot in range(SLOTS)],
            "exposures": [exposures.get(slot, 0.0) for slot in range(SLOTS)],
        },
    )


def test_the_best_hour_has_95_percent_and_the_twelve_best_share_5_percent_evenly():
    choice = choose_hour(None, DAY, Draw("a"), refused={})
    top, *rest = sorted(choice.probabilities, reverse=True)
    assert top == pytest.approx(1 - EXPLORED + EXPLORED / 12)
    assert rest == pytest.approx([EXPLORED / 12] * 11 + [0.0])
    assert sum(choice.probabilities) == pytest.approx(1.0)


def test_a_single_allowed_hour_is_certain():
    assert choose_hour(None, [42], Draw("a"), refused={}).probabilities == [1.0]


def test_a_tenant_without_sends_gets_the_hours_of_the_shipped_profile():
    choice = choose_hour(None, list(range(24)), Draw("a"), refused={})
    best = choice.candidates[choice.probabilities.index(max(choice.probabilities))]
    assert best.arm == "14"
    assert choice.policy_version == 0


def test_five_hundred_answered_sends_overrule_the_profile():
    snapshot = counted({9: 250.0, 14: 25.0}, {9: 500.0, 14: 500.0})
    choice = choose_hour(snapshot, DAY, Draw("a"), refused={})
    assert choice.candidates[choice.probabilities.index(max(choice.probabilities))].arm == "9"
    assert (choice.policy, choice.policy_version) == ("send_time", 7)


def test_what_is_learned_of_sunday_night_reaches_monday_morning():
    scores = slot_scores(counted({167: 80.0}, {167: 100.0}))
    assert scores[0] > scores[24], "slot 0 follows slot 167, slot 24 has no neighbour that knows"


def test_opens_without_more_sends_count_but_never_above_the_sends():
    scores = slot_scores(counted({5: 100.0}, {5: 10.0}))
    assert scores.max() <= 1.0


def test_empirical_frequencies_match_the_propensities():
    draws = 20_000
    seen = Counter(
        choose_hour(None, DAY, Draw(f"seed-{seed}"), refused={}).arm for seed in range(draws)
    )
    first = choose_hour(None, DAY, Draw("x"), refused={})
    for candidate, chance in zip(first.candidates, first.probabilities, strict=True):
        sigma = (draws * chance * (1 - chance)) ** 0.5
        assert abs(seen[candidate.arm] - draws * chance) <= 3 * sigma


def test_the_order_of_the_allowed_hours_changes_nothing():
    def chances(allowed: list[int]) -> dict[str, float]:
        choice = choose_hour(None, allowed, Draw("a"), refused={})
        arms = [candidate.arm for candidate in choice.candidates]
        return dict(zip(arms, choice.probabilities, strict=True))

    assert chances(DAY) == chances(DAY[::-1])


def test_a_refused_hour_is_listed_with_its_rule_and_never_drawn():
    refused = {14: "quiet_hours"}
    choices = [choose_hour(None, DAY, Draw(f"{n}"), refused=refused) for n in range(300)]
    assert all(choice.arm != "14" for choice in choices)
    assert choices[0].candidates[-1].refused == "quiet_hours"


def test_no_hour_allowed_says_what_was_refused():
    with pytest.raises(ValueError, match=r"no arm is allowed: 2 refused \(quiet_hours 2\)"):
        choose_hour(None, [3], Draw("a"), refused={3: "quiet_hours", 4: "quiet_hours"})


def test_a_slot_outside_the_week_is_refused_by_name():
    with pytest.raises(ValueError, match="slot 168"):
        choose_hour(None, [168], Draw("a"), refused={})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_broken_number_in_a_snapshot_leaves_the_scores_finite(bad):
    snapshot = counted({1: bad, 9: 5.0}, {1: bad, 9: 10.0})
    scores = slot_scores(snapshot)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_snapshot_of_fewer_numbers_than_hours_still_serves():
    snapshot = Snapshot(policy="send_time", version=1, arrays={"exposures": [1.0]})
    assert choose_hour(snapshot, DAY, Draw("a"), refused={}).arm
