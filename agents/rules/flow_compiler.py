"""Turn a flow as it is written, lists within lists, into steps that know what follows them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import get_args

from agents.rules.condition_models import Condition
from agents.rules.flow import StepRule, Way, question
from agents.rules.flow_models import Step, Wait, walk_steps
from agents.rules.models import Cohort, PathFile
from agents.rules.source import Location
from agents.rules.time_models import Weekday

WEEKDAYS = get_args(Weekday)


def questions_of(paths: Mapping[str, PathFile]) -> dict[str, Cohort]:
    """Return what the flows ask, as cohorts by their hidden names."""
    return {
        question(name, step.name): Cohort(when=step.condition)
        for name, path in paths.items()
        for _, step in walk_steps(path.steps, ())
        if step.condition is not None and step.condition.answered is None
    }


def steps_of(name: str, path: PathFile) -> dict[str, StepRule]:
    """Return the steps of a path's flow by name, in the order of the file; none for a path of stages."""
    found: dict[str, StepRule] = {}
    _follow(name, path.steps, "", found)
    return found


def _follow(path: str, steps: list[Step], after: str, found: dict[str, StepRule]) -> None:
    """Compile a list of steps; its end leads on to `after`."""
    names = [*(step.name for step in steps), after]
    for step, then in zip(steps, names[1:], strict=True):
        found[step.name] = _step(path, step, then)
        for inner in (step.then, step.otherwise):
            _follow(path, inner or [], then, found)
        for way in step.split.ways if step.split is not None else []:
            _follow(path, way.steps, then, found)


def _step(path: str, step: Step, then: str) -> StepRule:
    rule = StepRule(step.name, step.kind.rstrip("_"), then)
    return _put(rule, **_of_kind(path, step, then))


def _put(rule: StepRule, **fields: object) -> StepRule:
    known = {name: getattr(rule, name) for name in rule.__struct_fields__}
    return StepRule(**{**known, **fields})


def _of_kind(path: str, step: Step, then: str) -> dict[str, object]:
    """Return what a step has besides its name."""
    if step.wait is not None:
        return _wait(step.wait)
    if step.condition is not None:
        return _asked(path, step, then)
    if step.split is not None:
        return {"ways": _ways(step, then), "salt": step.split.salt or f"{path}/{step.name}"}
    if step.offer is not None:
        return {"interaction": step.offer.interaction, "hours": step.offer.hours or 0}
    if step.alert is not None:
        return {"title": step.alert.title}
    if step.webhook is not None:
        return {
            "url": step.webhook.url,
            "hours": step.webhook.at_most_hours,
            "other": _first(step.otherwise, then),
        }
    if step.goto is not None:
        return {"following": step.goto, "other": then, "times": step.times or 0}
    if step.end is not None:
        return {"following": ""}
    return {"kind": "traits", "traits": step.traits} if step.traits else {}


def _wait(wait: Wait) -> dict[str, object]:
    if wait.until is None:
        return {"hours": wait.hours or (wait.days or 0) * 24}
    day = wait.until.weekday
    weekday = WEEKDAYS.index(day) if day is not None else None
    return {"weekday": weekday, "hour": wait.until.hour or 0}


def _asked(path: str, step: Step, then: str) -> dict[str, object]:
    asked = step.condition
    assert asked is not None, f"{step.name} asks nothing"
    fields: dict[str, object] = {
        "cohort": "" if asked.answered else question(path, step.name),
        "answered": asked.answered or "",
        "since": any(each.is_since_entry for _, each in inside(asked)),
        "following": _first(step.then, then),
        "other": _first(step.otherwise, then),
    }
    if step.wait_until is not None:
        fields["hours"] = step.wait_until.at_most_hours
    return fields


def inside(condition: Condition, at: Location = ()) -> Iterator[tuple[Location, Condition]]:
    """Give a condition and all within it, each with its location."""
    yield at, condition
    for key, inner in (("all", condition.all_of), ("any", condition.any_of)):
        for index, each in enumerate(inner or []):
            yield from inside(each, (*at, key, index))
    if condition.none_of is not None:
        yield from inside(condition.none_of, (*at, "not"))


def _ways(step: Step, then: str) -> list[Way]:
    assert step.split is not None, f"{step.name} splits nothing"
    ways = step.split.ways
    whole = math.fsum(way.share for way in ways)
    bounds = [part / whole for part in accumulate(way.share for way in ways)]
    bounds[-1] = 1.0  # so that no rounding leaves a visitor without a way
    return [
        Way(way.name, bound, _first(way.steps, then))
        for way, bound in zip(ways, bounds, strict=True)
    ]


def _first(steps: list[Step] | None, otherwise: str) -> str:
    return steps[0].name if steps else otherwise
