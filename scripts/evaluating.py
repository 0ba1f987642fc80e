"""Value a policy from the decision log, beside the rules or another one: what the admin API and `mdma learn` tell.

Rules
1. At most `DECISIONS_MAX` of the newest decisions are read: what a policy did long ago says little of it now.
2. Where the log says too little (`learning.evaluation.off_policy`) that is said, in place of a verdict.
3. What the rules would have chosen follows from the published rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agents.rules.compiled import CompiledRules, EmailStep
from learning.evaluation.from_log import (
    Answer,
    Policy,
    Valued,
    by_rules,
    by_weights,
    difference,
    uniform,
    value,
)
from learning.evaluation.off_policy import EFFECTIVE_MIN
from learning.serving import on_site
from learning.serving.next_best import best_probabilities, place_of, posteriors
from learning.serving.send_time import POLICY as SEND_TIME
from learning.serving.send_time import choose_hour
from messaging.gateway.console.learned import Evaluation, ValuedPolicy, ValueLine
from messaging.gateway.problems import ProblemError, listed
from messaging.ports import Store
from messaging.vocabulary.records import Candidate, Snapshot

RULES, UNIFORM, FILE = "rules", "uniform", "file"

DECISIONS_MAX = 20_000
PAGE = 1_000
AT_ONCE = 100
"""Rewards asked for at a time."""

Row = dict[str, Any]
Against = str | dict[str, float]


class _First:
    """Be chance where none is needed: the probabilities are asked for, not the draw."""

    def uniform(self) -> float:
        return 0.0

    def choose(self, probabilities: list[float]) -> int:
        del probabilities
        return 0


async def evaluate(
    store: Store, rules: CompiledRules | None, snapshot: Snapshot, against: Against
) -> Evaluation:
    """Return what the log says of a policy as it stands, and of what it is held against.

    Raise ProblemError where weights name an arm that the policy never had.
    """
    rows = await _decisions(store, snapshot.policy)
    own = [
        (row, tried)
        for row, tried in zip(rows, _tried(rows), strict=True)
        if _is_own(row, snapshot)
    ]
    known = await _rewards(store, [row["id"] for row, _ in own])
    answers = [
        answer for row, tried in own if (answer := _answer(row, known, rules, tried)) is not None
    ]
    if isinstance(against, Mapping):
        named = {str(each[0]) for row in rows for each in row["candidates"]}
        _check_named(against, named | set(snapshot.arms))
    return await asyncio.to_thread(_judged, snapshot, answers, _other(against), _name(against))


def _check_named(weights: Mapping[str, float], arms: set[str]) -> None:
    """Raise ProblemError for a name that is no arm: it would be held against something else than what was meant.

    >>> _check_named({"hello": 1.0}, {"hello", "question"})
    """
    if arms and weights.keys() - arms:
        problem = f"the weights name an arm that it never had; there are {listed(sorted(arms))}"
        raise ProblemError(422, problem, field="against")


def _is_own(row: Row, snapshot: Snapshot) -> bool:
    return bool(row["policy"] == snapshot.policy)


def _judged(
    snapshot: Snapshot, answers: Sequence[Answer], other: Policy, against: str
) -> Evaluation:
    of_these = [each for each in answers if sum(other(each)) > 0.0]
    now, held = value(of_these, _as_it_stands(snapshot)), value(of_these, other)
    middle, low, high = difference(now, held)
    enough = min(now.effective, held.effective) >= EFFECTIVE_MIN
    logged = sum(each.reward for each in of_these) / max(1, len(of_these))
    return Evaluation(
        policy=snapshot.policy,
        version=snapshot.version,
        against=against,
        answers=len(of_these),
        left_out=len(answers) - len(of_these),
        logged=logged,
        policies=[_lines(snapshot.policy, now), _lines(against, held)],
        difference=middle if enough else None,
        low=low if enough else None,
        high=high if enough else None,
        verdict=_verdict(enough=enough, low=low, high=high, against=against),
    )


def _verdict(*, enough: bool, low: float, high: float, against: str) -> str:
    """Return what can be concluded, in words.

    >>> _verdict(enough=True, low=0.01, high=0.02, against="rules")
    'it brings more than rules'
    >>> _verdict(enough=False, low=0.0, high=0.0, against="rules")[:31]
    'no verdict: the log says too li'
    """
    if not enough:
        return (
            f"no verdict: the log says too little of one of the two (below {EFFECTIVE_MIN:,.0f} effective answers "
            "an interval is a guess); wait for more decisions"
        )
    if low > 0.0:
        return f"it brings more than {against}"
    return f"it brings less than {against}" if high < 0.0 else f"no difference to {against} is seen"


def _lines(name: str, valued: Valued) -> ValuedPolicy:
    lines = [
        ValueLine(
            method=each.method,
            value=each.value if each.verdict else None,
            low=each.low if each.verdict else None,
            high=each.high if each.verdict else None,
        )
        for each in valued.estimates
    ]
    reason = next((each.reason for each in valued.estimates if not each.verdict), "")
    return ValuedPolicy(name=name, effective=valued.effective, estimates=lines, why_not=reason)


def _name(against: Against) -> str:
    return against if isinstance(against, str) else FILE


def _as_it_stands(snapshot: Snapshot) -> Policy:
    """Return the policy that the newest snapshot is."""

    def choose(answer: Answer) -> Sequence[float]:
        if snapshot.policy == SEND_TIME:
            slots = [int(arm) for arm in answer.arms]
            return choose_hour(snapshot, slots, _First(), refused={}).probabilities
        key = tuple(answer.arms)
        if key not in remembered:
            remembered[key] = best_probabilities(*posteriors(snapshot, list(key)))
        return remembered[key]

    remembered: dict[tuple[str, ...], Sequence[float]] = {}
    return choose


def _other(against: Against) -> Policy:
    if isinstance(against, Mapping):
        return by_weights(against)
    return uniform if against == UNIFORM else by_rules


async def _decisions(store: Store, policy: str) -> list[Row]:
    """Return the newest decisions of its kind, whoever made them, the oldest of them first."""
    found: list[Row] = []
    after = None
    while len(found) < DECISIONS_MAX:
        rows = await store.rows("decisions", _match(policy), limit=PAGE, after=after)
        found += rows
        if len(rows) < PAGE:
            break
        after = (rows[-1]["at"], rows[-1]["id"])
    return found[:DECISIONS_MAX][::-1]


def _match(policy: str) -> dict[str, Any]:
    if policy == SEND_TIME:
        return {"kind": "send_hour"}
    if on_site.is_policy(policy):
        return {"kind": "interaction", "step": policy.partition("/")[2]}
    path, stage = place_of(policy)
    return {"kind": "template", "path": path, "stage": stage}


async def _rewards(store: Store, decisions: Sequence[str]) -> dict[str, float]:
    """Return decision -> the value of its response, weighed by how likely a human gave it."""
    known: dict[str, float] = {}
    for begin in range(0, len(decisions), AT_ONCE):
        part = decisions[begin : begin + AT_ONCE]
        rows = await asyncio.gather(
            *(store.get_document("rewards", f"{id_}:response") for id_ in part)
        )
        for id_, row in zip(part, rows, strict=True):
            if row is not None:
                known[id_] = float(row["value"]) * float(row["human"])
    return known


def _tried(rows: Sequence[Row]) -> list[int]:
    """Return of each decision how many attempts of the same run and stage came before it; `rows`: the oldest first."""
    attempts: dict[tuple[Any, ...], set[int]] = {}
    found = []
    for row in rows:
        place = (row["visitor"], row["path"], row["run"], row["stage"])
        seen = attempts.setdefault(place, set())
        found.append(len(seen - {row["attempt"]}))
        seen.add(row["attempt"])
    return found


def _answer(
    row: Row, known: Mapping[str, float], rules: CompiledRules | None, tried: int
) -> Answer | None:
    """Return a decision with its reward, None where that is not known or the row is no honest draw."""
    reward = known.get(row["id"])
    candidates = msgspec.convert(row["candidates"], list[Candidate])
    arms = [each.arm for each in candidates if not each.refused]
    chances = list(row["probabilities"])
    if reward is None or len(arms) != len(chances) or row["arm"] not in arms:
        return None
    if not 0.0 < chances[arms.index(row["arm"])] <= 1.0:
        return None
    default = _default(_step(rules, row["path"], row["stage"]), row["kind"], arms, tried)
    return Answer(arms, chances, row["arm"], reward, default)


def _default(step: EmailStep | None, kind: str, arms: list[str], tried: int) -> str:
    """Return which arm the published rules would have taken, empty where they have no such stage."""
    if kind == "interaction":
        return arms[0]
    if step is None:
        return ""
    if kind == "template":
        return step.default_among(tried, arms)
    hour = step.default_hour(tried)
    return min(arms, key=lambda arm: (int(arm) % 24 - hour) % 24)


def _step(rules: CompiledRules | None, path: str, stage: str) -> EmailStep | None:
    known = rules.paths.get(path) if rules is not None else None
    found = known.stage(stage) if known is not None else None
    return None if found is None else found.email
