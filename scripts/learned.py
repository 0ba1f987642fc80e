"""Say what policies have learned: rates with their intervals, in words and numbers for the console.

Rules
1. An interval is the posterior's own: what the policy draws from is what is shown.
2. Where what is known of a lead decides, too, what is shown as drawn is for a lead who is like most.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from agents.rules.compiled import CompiledRules
from agents.runtime.figures import arms_in
from agents.runtime.policies import choosing
from learning.serving import next_best, on_site
from learning.serving.by_context import inputs_told, ready_for
from learning.serving.next_best import best_probabilities, posteriors
from learning.serving.probability import HORIZON_DAYS, MADE_UP, POLICIES
from learning.serving.send_time import POLICY, SLOTS, slot_shares
from messaging.gateway.console.learned import (
    ArmLine,
    Heat,
    LearningNow,
    ModelNow,
    PolicyNow,
    Told,
)
from messaging.ports import Store
from messaging.vocabulary.records import Snapshot
from scripts.choices import percent, policy_words
from scripts.lift import lift_now, wilson
from scripts.policies import line_of
from scripts.visible import shown
from scripts.wording import moment

POINTS = 4_001
"""Points on which a posterior is summed up: its quantiles are right to a quarter of a per mille."""

TAIL = 0.025

Row = dict[str, Any]


async def learning_now(store: Store, rules: CompiledRules | None) -> LearningNow:
    """Return what all policies of the published rules believe; one small read for each."""
    policies = []
    for name, unit, able in _choosing(rules):
        row = await _newest(store, name)
        if row is not None:
            policies.append(_policy(name, unit, row, able))
    row = await _newest(store, POLICY)
    models = [(name, await _newest(store, name)) for name in POLICIES]
    arms = arms_in(await store.figures("rules"))
    return LearningNow(
        heat=_heat(row) if row is not None else None,
        policies=policies,
        models=[_model(name, row) for name, row in models],
        lifts=[lift_now(path, each) for path, each in sorted(arms.items())],
        guarded=[line_of(each) for each in await choosing(store)],
    )


async def arms_of(store: Store, policy: str) -> dict[str, ArmLine]:
    """Return arm -> what is believed of it; empty where nothing is published."""
    row = await _newest(store, policy)
    if row is None:
        return {}
    snapshot = _snapshot(row)
    return {arm.name: arm for arm in _arms(snapshot, snapshot.arms)}


def interval(a: float, b: float) -> tuple[float, float]:
    """Return the central 95 % of a Beta(a, b), both at least 1.

    >>> low, high = interval(1.0, 1.0)
    >>> round(low, 3), round(high, 3)
    (0.025, 0.975)
    """
    mean = a / (a + b)
    spread = 12 * (mean * (1 - mean) / (a + b + 1)) ** 0.5
    x = np.linspace(max(1e-9, mean - spread), min(1 - 1e-9, mean + spread), POINTS)
    logs = (a - 1) * np.log(x) + (b - 1) * np.log1p(-x)
    below = np.cumsum(np.exp(logs - logs.max()))
    low, high = np.searchsorted(below / below[-1], (TAIL, 1 - TAIL))
    return float(x[low]), float(x[min(high, POINTS - 1)])


def _choosing(rules: CompiledRules | None) -> Iterable[tuple[str, str, list[str]]]:
    """Yield each policy of these rules, what an exposure of it is, and the arms that it may draw."""
    if rules is None:
        return
    for path in rules.paths.values():
        for stage in path.stages:
            able = [template for template, _ in stage.email.templates]
            yield next_best.policy_name(path.name, stage.name), "e-mails", able
    for type_ in sorted({each.type for each in rules.interactions.values()}):
        able = [name for name, each in rules.interactions.items() if each.type == type_]
        yield on_site.policy_name(type_), "offers seen", able


async def _newest(store: Store, policy: str) -> Row | None:
    rows = await store.rows("snapshots", {"policy": policy}, limit=1)
    return rows[0] if rows else None


def _snapshot(row: Row) -> Snapshot:
    return msgspec.convert(row, Snapshot)


def _policy(name: str, unit: str, row: Row, able: list[str]) -> PolicyNow:
    title = shown(policy_words(name))
    return PolicyNow(
        title=title[:1].upper() + title[1:],
        version=_version(row),
        unit=unit,
        arms=sorted(_arms(_snapshot(row), able), key=lambda arm: (-arm.rate, arm.name)),
    )


def _arms(snapshot: Snapshot, able: list[str]) -> list[ArmLine]:
    """Return what is believed of the arms that may be drawn (`able`), and of those that were and are no more."""
    arms = [*able, *(arm for arm in snapshot.arms if arm not in able)]
    if not arms:
        return []
    a, b = posteriors(snapshot, arms)
    drawn = _chances(snapshot, able)
    known = {arm: place for place, arm in enumerate(snapshot.arms)}
    exposures, successes = (
        [snapshot.arrays[name][known[arm]] if arm in known else 0.0 for arm in arms]
        for name in ("exposures", "successes")
    )
    lines = []
    for place, arm in enumerate(arms):
        low, high = interval(float(a[place]), float(b[place]))
        line = ArmLine(
            name=shown(arm),
            exposures=exposures[place],
            successes=successes[place],
            rate=float(a[place] / (a[place] + b[place])),
            low=low,
            high=high,
            drawn=drawn.get(arm, 0.0),
        )
        lines.append(line)
    return lines


def _chances(snapshot: Snapshot, able: list[str]) -> dict[str, float]:
    """Return arm -> how likely a decision draws it, were all of these allowed."""
    inputs = inputs_told(snapshot)
    if not able:
        return {}
    if inputs is None:  # an older version's, or of offers on the site: counts alone decide
        chances = best_probabilities(*posteriors(snapshot, able))
    else:
        chances = ready_for(snapshot, able, inputs).for_all
    return dict(zip(able, chances, strict=True))


def _heat(row: Row) -> Heat:
    snapshot = _snapshot(row)
    rates = [float(each) for each in slot_shares(snapshot)]
    sends = snapshot.arrays["exposures"]
    days = range(0, SLOTS, 24)
    return Heat(
        rates=[rates[day : day + 24] for day in days],
        sends=[list(sends[day : day + 24]) for day in days],
        version=_version(row),
    )


def _version(row: Row) -> str:
    at: datetime = row["at"]
    return f"version {row['version']:,}, {moment(at)}"


def _model_title(name: str) -> str:
    what = {"opportunity": "an opportunity", "customer": "a customer"}
    return f"A lead becomes {what[name.partition('/')[2]]} within {HORIZON_DAYS} days"


def _model(name: str, row: Row | None) -> ModelNow:
    title = _model_title(name)
    if row is None:
        return ModelNow(title=title, version="", figures=[], curve=[])
    arrays = _snapshot(row).arrays
    figures = [
        (words, f"{arrays[each][0]:,.0f}")
        for each, words in (("rows", "moments seen"), ("conversions", "got there"))
        if each in arrays
    ]
    if any(arrays.get(MADE_UP, ())):
        figures.insert(
            0, ("learned from", "made-up people, until its own leads have lived for weeks")
        )
    if "auc" in arrays:
        figures += [
            ("ranks right", f"{arrays['auc'][0]:.2f} of 1 (AUC)"),
            ("is off by", percent(arrays["calibration_error"][0])),
        ]
    return ModelNow(title=title, version=_version(row), figures=figures, curve=_curve(arrays))


def _curve(arrays: dict[str, list[float]]) -> list[Told]:
    """Return the calibration curve of a snapshot, empty where it holds none that fits together."""
    parts = [arrays.get(f"calibration_{name}", []) for name in ("rows", "said", "came")]
    if len({len(part) for part in parts}) != 1:
        return []
    found = []
    for rows, said, came in zip(*parts, strict=True):
        low, high = wilson(round(came * rows), max(1, round(rows)))
        found.append(Told(rows=round(rows), said=said, came=came, low=low, high=high))
    return found
