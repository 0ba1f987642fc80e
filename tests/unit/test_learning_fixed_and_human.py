"""Check what decides without learning, and who counts as a person."""

from __future__ import annotations

from collections import Counter

import pytest

from agents.protocol.draw import Draw
from learning.serving.fixed import choose_by_shares, choose_default
from learning.serving.human import human_probability

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def by_a_person(**changed) -> float:
    """Judge a response that is a person's but for what is changed."""
    given = {
        "method": "GET",
        "user_agent": BROWSER,
        "seconds_since_hand_over": 600.0,
        "links_at_once": 1,
    }
    return human_probability(**(given | changed))


def test_the_rules_default_is_certain_and_names_what_was_not_open():
    choice = choose_default("welcome", refused={"offer": "holdout"})
    assert (choice.arm, choice.policy, choice.probabilities) == ("welcome", "rules", [1.0])
    assert choice.propensity() == 1.0
    assert [(c.arm, c.refused) for c in choice.candidates] == [
        ("welcome", ""),
        ("offer", "holdout"),
    ]


def test_a_refused_default_is_an_error_that_names_the_rule():
    with pytest.raises(ValueError, match="default arm welcome is refused: weekly_cap"):
        choose_default("welcome", refused={"welcome": "weekly_cap"})


def test_shares_of_a_split_test_hold_and_the_refused_share_is_spread():
    draws, shares = 10_000, {"a": 1.0, "b": 2.0, "c": 1.0}
    choice = choose_by_shares(shares, Draw("x"), refused={"c": "not in this stage"})
    assert choice.probabilities == pytest.approx([1 / 3, 2 / 3])
    seen = Counter(choose_by_shares(shares, Draw(f"{n}"), refused={}).arm for n in range(draws))
    assert seen["b"] / draws == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share of arm a"):
        choose_by_shares({"a": share, "b": 1.0}, Draw("x"), refused={})


def test_a_browser_ten_minutes_later_is_a_person():
    assert by_a_person() == 1.0
    assert by_a_person(seconds_since_hand_over=None) == 1.0


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "HEAD"},
        {"method": "head"},
        {"user_agent": "Mozilla/5.0"},
        {
            "user_agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0"
            " (via ggpht.com GoogleImageProxy)"
        },
        {"user_agent": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"},
        {
            "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like"
            " Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
        },
        {"seconds_since_hand_over": 1.99},
        {"seconds_since_hand_over": -1.0},
        {"links_at_once": 3},
    ],
)
def test_what_machines_do_is_no_response(changed):
    assert by_a_person(**changed) == 0.0


def test_the_bounds_themselves_are_still_a_person():
    assert by_a_person(seconds_since_hand_over=2.0, links_at_once=2) == 1.0
