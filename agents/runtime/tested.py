"""Show split tests as they stand: those of the published rules, and those that were begun and are not published now."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import msgspec

from agents.rules.compiler import split_test_of
from agents.rules.models import PathFile
from agents.rules.ruleset import name_of
from agents.rules.source import parse
from agents.runtime.views import PUBLICATIONS, PUBLISHED, SNAPSHOTS, VERSIONS
from learning.evaluation.experiment import ALPHA, RATIO_ALPHA
from learning.evaluation.sequential import log_needed
from learning.serving.split_test import RUNNING, is_policy, verdict_of, winner_of
from messaging.ports import Store
from messaging.vocabulary.records import Snapshot, SplitTest

Facts = dict[str, Any]

ENDED = "ended"
"""Verdict of a test that had none when its version was rolled back or replaced."""

PUBLICATIONS_READ = 50
"""So many of the newest publications are looked through for the version of a test that is not published any more."""

PATHS_KEPT = 256
"""Files of paths whose tests are kept: they are asked for at every look, and a version never changes."""

NOBODY = (0.0, 0.0, 0.0, 1.0)
"""Visitors, conversions and interval of whom nothing is known."""


async def experiments(store: Store) -> list[Facts]:
    """Return every split test, those of the published rules first, then the others by name."""
    now = await store.get_document(*PUBLISHED) or {}
    published = {test.policy: test for test in await _of_version(store, now.get("version", 0))}
    begun = [name for name in await store.tally(SNAPSHOTS, "policy") if is_policy(name)]
    others = sorted(set(begun) - published.keys())
    found = []
    for policy in (*published, *others):
        rows = await store.rows(SNAPSHOTS, {"policy": policy}, limit=1)
        if rows:
            snapshot, at = msgspec.convert(rows[0], Snapshot), rows[0]["at"]
        else:
            snapshot, at = _nothing_known(published[policy]), None
        facts = {**shown(snapshot), "published": policy in published, "as_of": at}
        facts |= {"version": now.get("version", 0), "published_version": now.get("version", 0)}
        if not facts["published"]:
            facts["version"] = await _version_of(store, facts, now)
            if facts["verdict"] == RUNNING:
                facts["verdict"] = ENDED
        found.append(facts)
    return found


async def _of_version(store: Store, version: int) -> list[SplitTest]:
    """Return the split tests of a version of the rules, in the order of paths and stages."""
    row = await store.get_document(VERSIONS, str(version)) if version else None
    files = row["files"] if row is not None else {}
    paths = [file for file in sorted(files) if file.startswith("paths/")]
    return [test for file in paths for test in _tests_in(file, files[file])]


@lru_cache(maxsize=PATHS_KEPT)
def _tests_in(file: str, text: str) -> tuple[SplitTest, ...]:
    path = PathFile.model_validate(parse(file, text).data)
    found = [split_test_of(name_of(file), path, stage, email) for _, stage, email in path.emails()]
    return tuple(test for test in found if test is not None)


async def _version_of(store: Store, test: Facts, now: Facts) -> int:
    """Return the version that was published last with a test that is not published now; 0: it was too long ago."""
    file = f"paths/{test['path']}.yaml"
    seen = {now.get("version", 0)}
    newest = int(now.get("number", 0)) - 1
    for number in range(newest, max(0, newest - PUBLICATIONS_READ), -1):
        before = await store.get_document(PUBLICATIONS, str(number))
        if before is None or before["version"] in seen:
            continue
        seen.add(before["version"])
        row = await store.get_document(VERSIONS, str(before["version"]))
        text = row["files"].get(file) if row is not None else None
        if text is not None and any(
            each.policy == test["policy"] for each in _tests_in(file, text)
        ):
            return int(before["version"])
    return 0


def _nothing_known(test: SplitTest) -> Snapshot:
    """Return what would be published of a test before anybody is known."""
    arrays = {
        "shares": [share for _, share in test.variants],
        "visitors_bounds": [float(test.visitors_min), float(test.visitors_max)],
        "bandit_then": [float(test.then == "bandit")],
    }
    return Snapshot(
        policy=test.policy, version=0, arms=[variant for variant, _ in test.variants], arrays=arrays
    )


def shown(snapshot: Snapshot) -> Facts:
    """Return a test's snapshot in plain fields."""
    _, path, stage, name, _ = snapshot.policy.split("/")
    arrays = snapshot.arrays
    bounds = [int(bound) for bound in arrays["visitors_bounds"]]
    counts = ("visitors", "conversions", "low", "high")
    variants = []
    for place, (template, share) in enumerate(zip(snapshot.arms, arrays["shares"], strict=True)):
        numbers = [
            arrays[key][place] if key in arrays else NOBODY[n] for n, key in enumerate(counts)
        ]
        strength = arrays["strength"][place] if "strength" in arrays else 0.0
        one = {"template": template, "share": share, **_counted(numbers), "strength": strength}
        variants.append({**one, "p": _p(strength, len(snapshot.arms))})
    return {
        "name": name,
        "path": path,
        "stage": stage,
        "policy": snapshot.policy,
        "verdict": verdict_of(snapshot),
        "winner": winner_of(snapshot) or None,
        "then": "bandit" if arrays["bandit_then"][0] else "winner",
        "variants": variants,
        "holdout": _counted(list(arrays.get("holdout", NOBODY))),
        "shares_p": min(1.0, math.exp(-arrays["log_ratio"][0])) if "log_ratio" in arrays else 1.0,
        "shares_p_alarm": RATIO_ALPHA,
        "visitors_min": bounds[0],
        "visitors_max": bounds[1],
    }


def _p(strength: float, variants: int) -> float:
    """Return the p-value of "no better than its closest rival", good at any look (the inverse of the evidence).

    It is corrected for the number of variants: a winner is named once it falls to `ALPHA`.

    >>> round(_p(1.0, 3), 6), _p(0.0, 3)
    (0.05, 1.0)
    """
    return min(1.0, variants * math.exp(-strength * log_needed(variants, ALPHA)))


def _counted(numbers: list[float]) -> Facts:
    """Return visitors, conversions, their rate, and the ends of its interval."""
    visitors, conversions, low, high = numbers
    return {
        "visitors": int(visitors),
        "conversions": int(conversions),
        "rate": conversions / visitors if visitors else None,
        "low": low,
        "high": high,
    }
