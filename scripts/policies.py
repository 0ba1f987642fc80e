"""Say how each policy that chooses fares beside the rules, and whether it acts: for the console, the API, `mdma learn`.

Rule 1: what is compared is what the learner published; nothing is counted anew here.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from learning.serving.fallback import era_of, is_taken_back
from learning.serving.policy import array_of
from messaging.alerts.taken_back import MEASURES, what_happened, words_of_policy
from messaging.gateway.console.learned import TAKEN_BACK, HeldLine, MeasureLine, PolicyLine
from messaging.gateway.moments import in_words
from messaging.vocabulary.effects import HARM
from messaging.vocabulary.ids import policy_alert_id
from messaging.vocabulary.records import Snapshot
from scripts.lift import CERTAIN
from scripts.visible import shown

LEARNING = "learning"
NOBODY_YET = "nobody is held against the rules yet"

LATEST = 253_402_300_799.0
"""The last second that a date can be of."""

ENOUGH = 30
"""Answers of each side without which an interval of their difference says nothing."""

EVIDENCE_MAX = 1e9
LOG_MAX = math.log(EVIDENCE_MAX)


def line_of(snapshot: Snapshot) -> PolicyLine:
    """Return how a policy fares, by its newest snapshot."""
    is_back, era = is_taken_back(snapshot), era_of(snapshot)
    title = shown(words_of_policy(snapshot.policy))
    decisions, held_out = array_of(snapshot, "decisions", 2)
    return PolicyLine(
        policy=snapshot.policy,
        title=title[:1].upper() + title[1:],
        version=snapshot.version,
        decisions=round(decisions),
        held_out=round(held_out),
        lift=_lift(snapshot),
        state=TAKEN_BACK if is_back else LEARNING,
        said=_said(snapshot, is_back=is_back),
        era=era,
        alert=policy_alert_id(snapshot.policy, HARM, era) if is_back else "",
        evidence=_evidence(snapshot.arrays.get("guard", [])),
        measures=[
            _measure(name, snapshot) for name in MEASURES if f"guard/{name}" in snapshot.arrays
        ],
        held=_held(snapshot),
    )


def _said(snapshot: Snapshot, *, is_back: bool) -> str:
    if is_back:
        happened = what_happened(shown(snapshot.policy))
        return f"{happened}. The rules decide for everybody until a person resumes it"
    harm = "no harm was found" if "guard" in snapshot.arrays else NOBODY_YET
    held = _held(snapshot)
    return f"learns; {harm}" if held is None else f"learns; {harm}. {held.said}"


def _held(snapshot: Snapshot) -> HeldLine | None:
    """Return since when and why what was learned last is held, None where it acts or the numbers are none."""
    since = snapshot.arrays.get("held", [])[:2]
    found = snapshot.arrays.get("gate", [])[:4]
    if len(since) < 2 or len(found) < 4 or not all(map(math.isfinite, since + found)):
        return None
    if not 0.0 <= since[0] <= LATEST:
        return None
    difference, low, high, acting = found
    at = datetime.fromtimestamp(since[0], UTC)
    points = [f"{100 * each:+.1f}".replace("-", "−") for each in (difference, low, high)]
    return HeldLine(
        since=at,
        candidates=round(since[1]),
        difference=difference,
        low=low,
        high=high,
        acting=acting,
        said=f"Since {in_words(at)} what was learned last is not used: judged by the newest answers it would bring "
        f"{points[0]} points ({points[1]} to {points[2]}) beside the {100 * acting:.1f} % that are answered now "
        "(an open alone counts a fifth where it moves the lead on, elsewhere nothing)",
    )


def _measure(name: str, snapshot: Snapshot) -> MeasureLine:
    title, _ = MEASURES[name]
    yes, of, rules_yes, rules_of = array_of(snapshot, f"guard/{name}", 4)
    return MeasureLine(
        measure=name,
        title=title,
        learned=_share(yes, of),
        rules=_share(rules_yes, rules_of),
        evidence=_evidence(snapshot.arrays[f"guard/{name}"][4:]),
    )


def _evidence(logs: list[float]) -> float:
    """Return evidence from its logarithm; 1, which says nothing, where it is no number."""
    if not logs or math.isnan(logs[0]):
        return 1.0
    return round(math.exp(min(logs[0], LOG_MAX)), 3)


def _share(yes: float, of: float) -> str:
    return f"{100 * yes / of:.1f} % ({yes:,.0f} of {of:,.0f})" if of else "nobody"


def _lift(snapshot: Snapshot) -> str:
    """Return the difference of answers per decision, with its 95 % interval."""
    sides = [array_of(snapshot, f"lift/{side}/response", 3) for side in ("learned", "holdout")]
    if min(count for count, _, _ in sides) < ENOUGH:
        return "too few answers to compare"
    means = [total / count for count, total, _ in sides]
    errors = [
        max(0.0, squares / count - mean * mean) / count
        for (count, _, squares), mean in zip(sides, means, strict=True)
    ]
    middle, half = means[0] - means[1], CERTAIN * math.sqrt(sum(errors))
    points = [f"{100 * each:+.1f}" for each in (middle, middle - half, middle + half)]
    middle_said, low, high = (each.replace("-", "−") for each in points)
    return f"{middle_said} points ({low} to {high})"
