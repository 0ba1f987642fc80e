"""Put what a trial came to into the shape in which it is kept and shown: the draft beside the published rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.reasons import not_offered, why
from scripts.rules_steps import Stepped
from scripts.rules_try import PathTold, Side, Told
from scripts.simulation import LEARNING, MEASURES, PUBLISHED
from scripts.simulation_told import CHOICES, ENDS, presence

Facts = dict[str, Any]

STEP_FIELDS = ("at", "by", "says", "side")

_NOTHING = PathTold(0, 0, {}, {}, [])


def tried_told(told: Told) -> Facts:
    """Return what `rules try` came to: `cohorts`, `paths` (each number as `now` and `draft`), and `people`."""
    now, draft = told.published, told.draft
    names = sorted(now.paths.keys() | draft.paths.keys())
    return {
        "events": told.events,
        "since": told.since,
        "until": told.until,
        "cohorts": _beside(now.cohorts, draft.cohorts),
        "paths": [_path(name, now, draft) for name in names],
        "people": [
            {
                "visitor": each["visitor"],
                "path": name,
                "e_mails": each["e_mails"],
                "now": each["other_side"],
            }
            for name in names
            for each in draft.paths.get(name, _NOTHING).examples
        ],
    }


def stepped_told(told: Stepped) -> Facts:
    """Return what both sides do with one visitor, under `one`."""
    steps = [{name: getattr(step, name) for name in STEP_FIELDS} for step in told.steps]
    return {
        "one": {"events": told.events, "since": told.since, "until": told.until, "steps": steps}
    }


def simulated_told(facts: Facts) -> Facts:
    """Return what `simulate` came to, the draft (`draft`) beside the published version (`now`, None without one).

    `measures` and `lift` have differences with their 95 % intervals; `expected` has shares with the interval of the
    mean; `stages` and `ends` have a mean and the bounds of what a further audience will bring; `days`, `hours`,
    `templates` and `refused` have counts.
    """
    draft, now = facts["arms"][LEARNING], facts["arms"].get(PUBLISHED)
    return {
        "version": facts["draft"],
        "published_version": facts["published"],
        "people_count": facts["visitors"],
        "held_out": draft["held_out"],
        "presence": presence(facts),
        "measures": [_measure(name, facts) for name in MEASURES],
        "lift": [
            {**facts["measures"][name], "name": words, "unit": _unit(name)}
            for name, (words, _) in MEASURES.items()
        ],
        "expected": [
            {"name": words, "draft": draft[key], "now": now[key] if now else None}
            for key, words in (("goal", "reach the goal"), ("reached_person", "reach a person"))
        ],
        "days": _days(draft, now),
        "hours": [
            {
                "name": f"{hour}:00",
                "draft": sends,
                "now": now["sends_by_hour"][hour] if now else None,
            }
            for hour, sends in enumerate(draft["sends_by_hour"])
        ],
        "paths": [
            {
                "name": path,
                "stages": _bounded(draft, now, "stages", path, {}),
                "ends": _bounded(draft, now, "ends", path, ENDS),
            }
            for path in dict.fromkeys([*draft["stages"], *(now["stages"] if now else ())])
        ],
        "templates": _beside(now["templates"] if now else {}, draft["templates"]),
        "refused": [
            {"name": CHOICES.get(what, what), "rows": _refused(what, draft, now)}
            for what in sorted({*draft["refused"], *(now["refused"] if now else ())})
        ],
        "method": facts["method"],
        "intervals": facts["intervals"],
    }


def _unit(measure: str) -> str:
    return "number" if measure == "sends" else "share"


def _measure(name: str, facts: Facts) -> Facts:
    words, _ = MEASURES[name]
    found = facts["against_published"].get(name)
    if found is None:
        alone = {"now": None, "difference": None, "low": None, "high": None}
        return {
            **alone,
            "draft": facts["measures"][name]["learning"],
            "name": words,
            "unit": _unit(name),
        }
    told = {
        "now": found["published"],
        **{k: found[k] for k in ("draft", "difference", "low", "high")},
    }
    return {**told, "name": words, "unit": _unit(name)}


def _days(draft: Facts, now: Facts | None) -> list[Facts]:
    beside = [day["sends"] for day in now["sends_by_day"]] if now else []
    return [
        {"name": f"day {number + 1}", "draft": day["sends"], "now": beside[number] if now else None}
        for number, day in enumerate(draft["sends_by_day"])
    ]


def _bounded(
    draft: Facts, now: Facts | None, key: str, path: str, words: dict[str, str]
) -> list[Facts]:
    mine = draft[key].get(path, {})
    theirs = now[key].get(path, {}) if now else {}
    return [
        {"name": words.get(name, name), "draft": mine.get(name), "now": theirs.get(name)}
        for name in dict.fromkeys([*mine, *theirs])
    ]


def _refused(what: str, draft: Facts, now: Facts | None) -> list[Facts]:
    say = not_offered if what == "offer" else why
    theirs = now["refused"].get(what, {}) if now else {}
    return [
        {**each, "name": say(each["name"])}
        for each in _beside(theirs, draft["refused"].get(what, {}))
    ]


def _path(name: str, now: Side, draft: Side) -> Facts:
    before, after = now.paths.get(name, _NOTHING), draft.paths.get(name, _NOTHING)
    return {
        "name": name,
        "people": [
            {"name": "enter it", "now": before.entered, "draft": after.entered},
            {"name": "reach its goal", "now": before.won, "draft": after.won},
        ],
        "e_mails": _beside(before.e_mails, after.e_mails),
        "refused": _beside(before.refused, after.refused),
    }


def _beside(now: Mapping[str, float], draft: Mapping[str, float]) -> list[Facts]:
    """Return every name with both counts; None where one side does not know it.

    >>> _beside({"a": 1}, {"a": 2, "b": 3})
    [{'name': 'a', 'now': 1, 'draft': 2}, {'name': 'b', 'now': None, 'draft': 3}]
    """
    return [
        {"name": name, "now": now.get(name), "draft": draft.get(name)}
        for name in sorted(now.keys() | draft.keys())
    ]
