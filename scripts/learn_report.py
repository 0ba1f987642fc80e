"""Say in lines what all policies believe, what they bring, and what they still try: `mdma learn report`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.counting import counted
from scripts.visible import shown

HOURS_TOLD = 5
"""The hours of the week that are believed best."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Told = dict[str, Any]


def report_of(told: Told) -> Iterator[str]:
    """Yield the lines of what `GET /api/v1/learning` answers."""
    yield "What learning brings beside the rules alone"
    for lift in told["lifts"]:
        yield f"  {shown(lift['path'])}: {lift['difference']} ({lift['interval']})"
        yield f"    reached the goal with learning: {lift['learning']}; by the rules: {lift['rules']}"
    if not told["lifts"]:
        yield "  no path has had runs of both yet"
    yield ""
    yield "When e-mails are answered (the hours that are believed best, in the reader's own zone)"
    yield from _hours(told["heat"])
    for policy in told["policies"]:
        yield ""
        yield f"{shown(policy['title'])}, {policy['version']}"
        yield from _arms(policy)
    for model in told["models"]:
        yield ""
        yield from _model(model)


def explored(arms: list[Told]) -> tuple[float, float]:
    """Return how much is drawn that is not believed best, and what that costs in answers a draw.

    >>> one = {"rate": 0.10, "drawn": 0.9}
    >>> [round(each, 3) for each in explored([one, {"rate": 0.06, "drawn": 0.1}])]
    [0.1, 0.004]
    """
    arms = [arm for arm in arms if arm["drawn"] > 0] or arms  # of what the rules still have
    best = max(arms, key=lambda arm: float(arm["rate"]))
    others = [arm for arm in arms if arm is not best]
    cost = sum(float(arm["drawn"]) * (best["rate"] - arm["rate"]) for arm in others)
    return sum(float(arm["drawn"]) for arm in others), float(cost)


def _hours(heat: Told | None) -> Iterator[str]:
    if heat is None:
        yield "  nothing is learned yet: hours are chosen by how mail is answered at large"
        return
    slots = [
        (rate, day, hour, heat["sends"][day][hour])
        for day, rates in enumerate(heat["rates"])
        for hour, rate in enumerate(rates)
    ]
    for rate, day, hour, sends in sorted(slots, key=lambda slot: (-slot[0], slot[1:3]))[
        :HOURS_TOLD
    ]:
        yield f"  {DAYS[day]} {hour:02}:00  {100 * rate:5.1f} % believed, from {sends:,.0f} sends as they are weighed"


def _arms(policy: Told) -> Iterator[str]:
    arms = sorted(policy["arms"], key=lambda arm: -float(arm["rate"]))
    if not arms:
        yield "  no answer was learned from yet"
        return
    wide = max(len(shown(arm["name"])) for arm in arms)
    for arm in arms:
        interval = f"[{100 * arm['low']:.1f}, {100 * arm['high']:.1f}]"
        yield (
            f"  {shown(arm['name']):<{wide}}  {100 * arm['rate']:5.1f} % {interval:<14} "
            f"drawn {100 * arm['drawn']:3.0f} %, "
            f"{arm['successes']:,.1f} answers of {arm['exposures']:,.1f} {policy['unit']}"
        )
    share, cost = explored(arms)
    yield (
        f"  explored: {100 * share:.0f} % of draws, which costs "
        f"{100 * cost:.2f} answers of 100 {policy['unit']}"
    )


def _model(model: Told) -> Iterator[str]:
    yield f"{shown(model['title'])}{', ' + model['version'] if model['version'] else ': no model yet'}"
    for name, value in model["figures"]:
        yield f"  {shown(name)}: {shown(value)}"
    for each in model["curve"]:
        interval = f"[{100 * each['low']:.1f}, {100 * each['high']:.1f}]"
        came = f"came {100 * each['came']:5.1f} % {interval}"
        yield f"  said {100 * each['said']:5.1f} %, {came} of {counted(each['rows'], 'moments')}"
