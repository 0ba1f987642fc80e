"""Say how a split test stands in plain words: what the API answers (`says`) and `mdma experiments` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.counting import counted

Facts = dict[str, Any]

WIDTH = 28


def verdict_words(test: Facts) -> str:
    """Return the verdict on a test, and what is done about it.

    >>> verdict_words({"verdict": "no difference", "then": "winner", "visitors_max": 20000})
    'no difference was found in 20,000 visitors of each variant: the bandit chooses among all templates of the step'
    """
    match test["verdict"]:
        case "winner":
            done = (
                "everybody gets it"
                if test["then"] == "winner"
                else "the bandit chooses among all templates of the step"
            )
            return f'"{test["winner"]}" wins{_against(test)}: {done}'
        case "no difference":
            return (
                f"no difference was found in {counted(test['visitors_max'], 'visitors')} of each variant: "
                "the bandit chooses among all templates of the step"
            )
        case "alarm":
            return (
                "visitors do not come by the shares, so that nothing can be concluded: look for a variant that cannot "
                "be sent. Everybody gets the rules' default"
            )
        case "ended":
            return f"ended without a verdict: {gone_words(test)}"
        case _:
            return _running(test)


def gone_words(test: Facts) -> str:
    """Return what became of the version of a test that is not published.

    >>> gone_words({"version": 3, "published_version": 2})
    'its version 3 was rolled back to version 2, and nobody enters it any more'
    >>> gone_words({"version": 3, "published_version": 4})
    'its version 3 was replaced by version 4, and nobody enters it any more'
    >>> gone_words({"version": 0, "published_version": 0})
    'the published rules do not have it, and nobody enters it any more'
    """
    own, now = test["version"], test["published_version"]
    if not own:
        what = "the published rules do not have it"
    elif now < own:
        what = f"its version {own} was rolled back to version {now}"
    else:
        what = f"its version {own} was replaced by version {now}"
    return f"{what}, and nobody enters it any more"


def _against(test: Facts) -> str:
    """Return the winner's rate beside the best of the others."""
    rates = {each["template"]: each["rate"] for each in test["variants"]}
    own = rates.pop(test["winner"])
    best = max((rate for rate in rates.values() if rate is not None), default=None)
    return (
        "" if own is None or best is None else f", {percent(own)} against {percent(best)} at most"
    )


def _running(test: Facts) -> str:
    fewest = min(each["visitors"] for each in test["variants"])
    if fewest < test["visitors_min"]:
        return (
            f"running: no winner is named before {counted(test['visitors_min'], 'visitors')} of each variant are "
            f"known, {fewest:,} are"
        )
    ahead = max(test["variants"], key=lambda each: each["strength"])
    if not ahead["strength"]:
        return "running: none is ahead"
    return f'running: "{ahead["template"]}" is ahead, with {ahead["strength"]:.0%} of the evidence that a winner needs'


def lines(test: Facts) -> Iterator[str]:
    """Return a test as lines for a person."""
    at = test["as_of"]
    as_of = f"as of {str(at)[:16].replace('T', ' ')} UTC" if at else "nothing is known yet"
    gone = ", not in the published rules"
    if test["published"] or test["verdict"] == "ended":
        gone = ""
    elif test["version"]:
        gone += f": of version {test['version']}"
    yield f"{test['name']}: stage {test['stage']} of {test['path']} ({as_of}{gone})"
    yield f"  {verdict_words(test)}"
    for each in test["variants"]:
        yield f"  {each['template']:{WIDTH}} {each['share']:>4.0%} of visitors   {rate_words(each)}"
    yield f"  {'held out (rules default)':{WIDTH}} {'':>17}   {rate_words(test['holdout'])}"


def rate_words(each: Facts) -> str:
    """Return who was counted, and the rate with its interval.

    >>> rate_words({"visitors": 200, "conversions": 30, "rate": 0.15, "low": 0.09, "high": 0.231})
    '30 of 200 answered: 15 % (between 9 % and 23 %)'
    """
    if not each["visitors"]:
        return "nobody is known yet"
    interval = f"between {percent(each['low'])} and {percent(each['high'])}"
    return f"{each['conversions']:,} of {each['visitors']:,} answered: {percent(each['rate'])} ({interval})"


def percent(rate: float) -> str:
    """Return a rate in per cent, with a decimal where it is small.

    >>> percent(0.1534), percent(0.0226)
    ('15 %', '2.3 %')
    """
    return f"{100 * rate:.0f} %" if rate >= 0.05 or not rate else f"{100 * rate:.1f} %"
