"""Simulate a set of rules before anyone gets a mail: by its rules alone, with learning, beside the published version.

    result = simulate(Request(draft=Files(3, files), published=Files(2, others)), progress, is_cancelled)

This is what `mdma simulate` prints and what the console shows. `simulate` needs nothing but its request, which crosses
a process's border as JSON (`msgspec.json.encode`, `decode(…, type=Request)`): no store, no clock, no settings. What it
returns are JSON's own types. It takes a core for seconds to minutes, so whoever serves others runs it elsewhere:
`python -m scripts.simulation_worker` reads a request from standard input and tells how far it is line by line.

Rules
1. Every side meets the same audience: the same people with the same chance for each occasion.
2. A lift is the mean over people of the paired difference. Its interval is Wald's, 1.96 standard errors to either
   side, over these people and two more who differ by one, one each way (Bonett and Price, Journal of Educational and
   Behavioral Statistics 37 (2012) 479-488): so it has a width also where all people did the same. It covers who happens
   to live in this audience. It does not cover that another audience may have other tastes, nor that what one person
   taught changed what another got.
3. Several audiences (`seeds`) are one after the other from the first seed on; counts are then those of a mean audience,
   and their intervals say what a further one will bring (`scripts/bounds.py`).
4. Nothing here depends on the machine or the clock: the same seed gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean, pstdev
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from config.load import compile_files
from learning.audience.audience import Audience
from learning.audience.people import Profile
from learning.audience.world import DEFAULT, WORLDS
from scripts.bounds import METHOD_ONE, METHOD_SEVERAL, next_count, share_of
from scripts.lift import CERTAIN
from scripts.presences import presences
from scripts.simulating import START, Fate, Simulated, end_of
from scripts.tallying import Counts, in_order

METHOD = (
    "paired difference of the same people in both arms, 1.96 standard errors to either side of it, adjusted by two"
    " people more who differ by one (Bonett and Price 2012)"
)

MEASURES: dict[str, tuple[str, Callable[[Fate], float]]] = {
    "goal": ("reached the goal", lambda fate: float(fate.goal)),
    "clicked": ("followed a link of an e-mail", lambda fate: float(fate.clicked)),
    "sends": ("marketing e-mails a person", lambda fate: float(fate.sends)),
    "unsubscribed": ("unsubscribed", lambda fate: float(fate.unsubscribed)),
    "reached_person": ("were handed to a person", lambda fate: float(fate.reached_person)),
}
"""Measure -> (words, its value for one person). All but `sends` are shares."""

RULES, LEARNING, PUBLISHED = ARMS = ("rules", "learning", "published")
"""The draft by its rules alone; the draft with learning; the published version with learning."""

SEEDS_MAX = 50

TWO_MORE = (1.0, -1.0)
"""Differences of the two by whom an interval is adjusted."""

Progress = Callable[[str, float], None]
"""Is told (arm that lives now, share of the whole that is done)."""


class CancelledError(Exception):
    """Say that a simulation was given up because somebody wished so."""


class Files(msgspec.Struct, frozen=True):
    """Hold a version of the rules as it is stored."""

    version: int
    """0: of no store."""
    files: dict[str, str]
    html: dict[str, str] | None = None
    """Template -> HTML as it was compiled when the version was made; None: it is compiled now."""


class Request(msgspec.Struct, frozen=True):
    """Say what is simulated; all that it needs is in it."""

    draft: Files
    published: Files | None = None
    """Lives beside the draft; None: nothing does."""
    visitors: int = 2_000
    days: int = 60
    seed: int = 1
    seeds: int = 1
    holdout: float = 0.05
    consent: str = "opt-in"
    social: bool = False
    """The settings in force."""
    profiles: str = "synthetic"
    """`real`: everybody is known as a lead of the store is."""
    world: str = DEFAULT.name
    """How people are on the whole: a name of `learning.audience.world.WORLDS`."""
    known: list[Profile] = []
    """Of real leads, one for each visitor (`scripts.profiles.draw_profiles`)."""


class Lift(msgspec.Struct, frozen=True):
    """Hold one measure: both arms' means, the difference and its 95 % interval."""

    rules: float
    learning: float
    lift: float
    low: float
    high: float


class Setting(msgspec.Struct, frozen=True):
    """Hold what is simulated, but for rules and profiles."""

    visitors: int
    days: int
    seed: int
    holdout: float
    draft: int = 0
    """Version of the rules in the store; 0: a folder's."""
    profiles: str = "synthetic"
    """`real`: everybody is known as a lead of the store is."""
    seeds: int = 1
    consent: str = "opt-in"
    world: str = DEFAULT.name
    social: bool = False
    """Whether Social looks people up; a made-up web answers, or what was found of real leads is recalled."""


class Lived(msgspec.Struct):
    """Hold what one side came to: what became of everybody, and the counts of each audience."""

    fates: list[Fate] = []
    counts: list[Counts] = []


def simulate(
    request: Request,
    progress: Progress = lambda _arm, _share: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Return what `mdma simulate --json` prints.

    Args:
        request: what to simulate; of its numbers `visitors` ≥ 2, `days` ≥ 1 and 1 ≤ `seeds` ≤ 50.
        progress: is told often, from this thread.
        is_cancelled: is asked as often; once it says so, the simulation ends with CancelledError.

    Raise `config.load.RulesInvalid` with every error of files that cannot be compiled, ValueError for a number that is
    out of its bounds.
    """
    wrong = [
        name
        for name, lowest, highest in (
            ("visitors", 2, None),
            ("days", 1, None),
            ("seeds", 1, SEEDS_MAX),
        )
        if getattr(request, name) < lowest or (highest and getattr(request, name) > highest)
    ]
    wrong += [] if request.world in WORLDS else ["world"]
    if wrong:
        raise ValueError(f"out of its bounds: {', '.join(wrong)}")
    setting = Setting(
        visitors=len(request.known) or request.visitors,
        days=request.days,
        seed=request.seed,
        seeds=request.seeds,
        holdout=request.holdout,
        consent=request.consent,
        social=request.social,
        world=request.world,
        draft=request.draft.version,
        profiles=request.profiles,
    )

    def told(arm: str, share: float) -> None:
        if is_cancelled():
            raise CancelledError
        progress(arm, share)

    beside = _compiled(request.published) if request.published is not None else None
    return compare(_compiled(request.draft), setting, told, request.known, beside)


def _compiled(given: Files) -> CompiledRules:
    return compile_files(given.files, given.version or 1, given.html)


def compare(
    rules: CompiledRules,
    setting: Setting,
    progress: Progress = lambda _arm, _share: None,
    profiles: Sequence[Profile] = (),
    published: CompiledRules | None = None,
) -> dict[str, Any]:
    """Run all sides and return what `mdma simulate --json` prints."""
    sides = {RULES: rules, LEARNING: rules, **({PUBLISHED: published} if published else {})}
    lived = {arm: Lived() for arm in sides}
    turns = [(seed, arm) for seed in range(setting.seeds) for arm in sides]
    for number, (seed, arm) in enumerate(turns):

        def passed(share: float, arm: str = arm, number: int = number) -> None:
            progress(arm, (number + share) / len(turns))

        world = _live(sides[arm], setting, setting.seed + seed, arm, passed, profiles)
        lived[arm].fates += world.fates()
        lived[arm].counts.append(world.counts(setting.days))
    return {
        **msgspec.to_builtins(setting),
        "start": START.isoformat(),
        "rules_version": rules.version,
        "published": published.version if published else 0,
        "recalled": sum(bool(each.found) for each in profiles) if setting.social else 0,
        "method": METHOD,
        "intervals": METHOD_ONE if setting.seeds == 1 else METHOD_SEVERAL,
        "measures": _lifts(lived[RULES], lived[LEARNING]),
        "against_published": _differences(lived) if published else {},
        "arms": {arm: side_of(each.counts, each.fates) for arm, each in lived.items()},
    }


def _live(
    rules: CompiledRules,
    setting: Setting,
    seed: int,
    arm: str,
    passed: Callable[[float], None],
    profiles: Sequence[Profile],
) -> Simulated:
    end = end_of(setting.days)
    view = View(
        rules=rules,
        rules_version=rules.version,
        pinned={rules.version: rules},
        snapshots={},
        holdout=setting.holdout,
        consent=setting.consent,
        learning=arm != RULES,
        social=setting.social,
    )
    audience = Audience(
        seed,
        setting.visitors,
        START,
        setting.days,
        profiles=profiles,
        world=WORLDS[setting.world],
    )
    world = Simulated(view, audience, presences(audience, seed))

    def note(now: datetime) -> None:
        passed((now - START) / (end - START))

    world.run(end, note)
    return world


def _lifts(before: Lived, after: Lived) -> dict[str, Any]:
    return {
        name: msgspec.to_builtins(
            lift_of([of(fate) for fate in before.fates], [of(fate) for fate in after.fates])
        )
        for name, (_, of) in MEASURES.items()
    }


def _differences(lived: Mapping[str, Lived]) -> dict[str, Any]:
    """Return each measure of the draft beside the published version, both with learning."""
    names = {"rules": "published", "learning": "draft", "lift": "difference"}
    return {
        measure: {names.get(name, name): value for name, value in lift.items()}
        for measure, lift in _lifts(lived[PUBLISHED], lived[LEARNING]).items()
    }


def lift_of(rules: list[float], learning: list[float]) -> Lift:
    """Return the lift of learning over the rules, person by person, of two people or more.

    >>> lift_of([0.0, 0.0, 1.0], [1.0, 1.0, 1.0]).lift
    0.6666666666666666
    """
    apart = [after - before for before, after in zip(rules, learning, strict=True)]
    mean, adjusted = fmean(apart), [*apart, *TWO_MORE]
    error = CERTAIN * pstdev(adjusted) / math.sqrt(len(adjusted))
    low, high = fmean(adjusted) - error, fmean(adjusted) + error
    if {*rules, *learning} <= {0.0, 1.0}:
        low, high = max(-1.0, low), min(1.0, high)
    # Of a few who all did the same, the adjusted mean is further from it than its error.
    return Lift(fmean(rules), fmean(learning), mean, min(low, mean), max(high, mean))


def side_of(counts: Sequence[Counts], fates: Sequence[Fate]) -> dict[str, Any]:
    """Return what one side came to, as the mean audience; `fates`: of all audiences, one after the other."""
    people = counts[0].people
    each = [fates[first : first + people] for first in range(0, len(fates), people)]
    days = [START.date() + timedelta(days=day) for day in range(len(counts[0].sends_by_day))]
    return {
        "people": people,
        "events": sum(one.events for one in counts),
        "messages": sum(one.messages for one in counts),
        "held_out": sum(one.held_out for one in counts),
        "goal": _share([sum(fate.goal for fate in some) for some in each], people),
        "reached_person": _share([sum(f.reached_person for f in some) for some in each], people),
        "sends_by_day": [
            {"day": day.isoformat(), "sends": _mean([one.sends_by_day[number] for one in counts])}
            for number, day in enumerate(days)
        ],
        "sends_by_hour": [
            _mean([one.sends_by_hour[hour] for one in counts])
            for hour in range(len(counts[0].sends_by_hour))
        ],
        "templates": _means([one.templates for one in counts]),
        "stages": _next([one.stages for one in counts], people),
        "ends": _next([one.ends for one in counts], people),
        "refused": {
            what: _means([one.refused.get(what, {}) for one in counts])
            for what in sorted({what for one in counts for what in one.refused})
        },
    }


def _share(counts: list[int], people: int) -> dict[str, float]:
    found: dict[str, float] = msgspec.to_builtins(share_of(counts, people))
    return found


def _next(
    counts: Sequence[Mapping[str, Mapping[str, int]]], people: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return path -> stage or status -> mean, and between which bounds a further audience will be."""
    return {
        path: {
            name: msgspec.to_builtins(
                next_count([one.get(path, {}).get(name, 0) for one in counts], people)
            )
            for name in dict.fromkeys(name for one in counts for name in one.get(path, {}))
        }
        for path in dict.fromkeys(path for one in counts for path in one)
    }


def _means(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    names = {name for one in counts for name in one}
    means: dict[str, float] = {name: _mean([one.get(name, 0) for one in counts]) for name in names}
    return in_order(means)


def _mean(counts: Sequence[int]) -> float:
    return counts[0] if len(counts) == 1 else round(fmean(counts), 2)
