"""Say in lines what a simulation came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from learning.audience.world import DEFAULT
from scripts.counting import counted
from scripts.reasons import not_offered, why
from scripts.simulation import LEARNING, MEASURES, PUBLISHED, RULES

WIDE = 38
BAR = 40
"""Characters of the longest bar."""

COLUMNS = {RULES: "rules", LEARNING: "learning", PUBLISHED: "published"}

CHOICES = {
    "send": "e-mails refused for good",
    "touch": "e-mails that were due and did not go",
    "send_hour": "plannings that lost an hour",
    "template": "choices that lost a template",
    "interaction": "choices that lost an interaction",
    "offer": "moments on the site without an offer",
}
"""What was refused -> what is counted."""

ENDS = {
    "won": "reached the goal",
    "alerted": "wait for a person",
    "stopped": "left it (unsubscribed, no address, …)",
    "closed": "closed by a person",
    "planned": "under way: an e-mail is planned",
    "sending": "under way: an e-mail is being sent",
    "waiting": "under way: an answer may come",
    "visiting": "under way: on the site",
}
"""Status of a run -> words."""


def told(facts: dict[str, Any]) -> str:
    """Return what people read."""
    held_out = facts["arms"][LEARNING]["held_out"]
    drafted = f"Version {facts['draft']} of the rules: " if facts["draft"] else ""
    known = " who are known as leads of this system are," if facts["profiles"] == "real" else ""
    seeds = (
        f"seed {facts['seed']}"
        if facts["seeds"] == 1
        else f"{facts['seeds']} audiences (seeds {facts['seed']} to {facts['seed'] + facts['seeds'] - 1})"
    )
    who = (
        f"{drafted}{facts['visitors']:,} people{known} over {counted(facts['days'], 'days')}, {seeds}; "
        f"{held_out:,} of them held out ({facts['holdout']:.0%}): they get the rules in both arms"
    )
    lines = [
        who,
        *_world(facts),
        presence(facts),
        "",
        f"{'':{WIDE}}{'rules':>10}{'learning':>10}  lift (95 % interval)",
        *(_line(name, facts["measures"][name], ("rules", "learning", "lift")) for name in MEASURES),
        *_beside(facts),
        *_counts(facts),
        "",
        f"Interval of a lift: {facts['method']}.",
        f"Other intervals (95 %): {facts['intervals']}.",
        _verdict(facts),
    ]
    return "\n".join(lines)


def _world(facts: Mapping[str, Any]) -> list[str]:
    if facts["world"] == DEFAULT.name:
        return []
    return [
        "No e-mail and no hour is better than another in this world: whoever explores can only lose."
    ]


def presence(facts: Mapping[str, Any]) -> str:
    """Return what stands for the web that Social looks people up in."""
    is_real = facts["profiles"] == "real"
    if not facts["social"]:
        known = (
            "only what leads are known by says anything of" if is_real else "nothing is known of"
        )
        return f"Social is off: nobody is looked up, and {known} their social presence."
    if not is_real:
        return (
            "Social is on: the presence that it finds is made up, as the people are, and tells "
            "nothing of what they do."
        )
    return f"Social is on{_recalled(facts['recalled'], facts['visitors'])}."


def _recalled(recalled: int, visitors: int) -> str:
    """Return of how many leads it is told what Social found.

    >>> _recalled(50, 50)
    ': of all 50 it is told what it found in earnest; nobody is asked'
    """
    if not recalled:
        return ", and has looked for none of them yet: nobody is asked, and nothing is known"
    whom = f"all {visitors:,}" if recalled == visitors else f"{recalled:,} of them"
    others = "" if recalled == visitors else ", and of the others nothing is known"
    return f": of {whom} it is told what it found in earnest; nobody is asked{others}"


def _line(name: str, lift: Mapping[str, float], keys: tuple[str, str, str]) -> str:
    words, _ = MEASURES[name]
    before, after, apart = keys
    if name == "sends":
        cells = [f"{lift[key]:.3f}" for key in (before, after)]
        change = [f"{lift[key]:+.3f}" for key in (apart, "low", "high")]
        unit = ""
    else:
        cells = [f"{lift[key]:.2%}" for key in (before, after)]
        change = [f"{100 * lift[key]:+.2f}" for key in (apart, "low", "high")]
        unit = " points"
    return f"{words:{WIDE}}{cells[0]:>10}{cells[1]:>10}  {change[0]}{unit} ({change[1]} to {change[2]})"


def _beside(facts: dict[str, Any]) -> Iterator[str]:
    """Give the draft beside the published version, both with learning."""
    if not facts["against_published"]:
        return
    yield ""
    yield f"Beside the published version {facts['published']}, both with learning"
    yield f"{'':{WIDE}}{'published':>10}{'draft':>10}  difference (95 % interval)"
    for name in MEASURES:
        yield _line(name, facts["against_published"][name], ("published", "draft", "difference"))


def _counts(facts: dict[str, Any]) -> Iterator[str]:
    """Give every side's counts, one column for each."""
    arms = facts["arms"]
    yield ""
    yield f"{'':{WIDE}}" + "".join(f"{COLUMNS[arm]:>22}" for arm in arms)
    for words, key in (("expected to reach the goal", "goal"), ("to a person", "reached_person")):
        yield _row(words, [_share(side[key]) for side in arms.values()])
    for path in _names(side["stages"] for side in arms.values()):
        if not any(side["ends"].get(path) for side in arms.values()):
            yield f"Nobody comes onto {path}"
            continue
        yield f"People who reached each stage of {path} (a further audience: 95 %)"
        yield from _people(arms, "stages", path, {})
        yield f"How their runs on {path} stand at the end"
        yield from _people(arms, "ends", path, ENDS)
    yield from _when(arms)
    for what in _names(side["refused"] for side in arms.values()):
        yield f"Refused: {CHOICES.get(what, what)}"
        say = not_offered if what == "offer" else why
        for reason in _names(side["refused"].get(what, {}) for side in arms.values()):
            cells = [f"{side['refused'].get(what, {}).get(reason, 0):,}" for side in arms.values()]
            yield _row(f"  {say(reason)}", cells)


def _people(
    arms: Mapping[str, Any], key: str, path: str, words: Mapping[str, str]
) -> Iterator[str]:
    for name in _names(side[key].get(path, {}) for side in arms.values()):
        cells = [_count(side[key].get(path, {}).get(name)) for side in arms.values()]
        yield _row(f"  {words.get(name, name)}", cells)


def _when(arms: Mapping[str, Any]) -> Iterator[str]:
    """Give e-mails by day and by hour: bars of the draft with learning, figures of all."""
    yield "Marketing e-mails a day"
    days = [[day["sends"] for day in side["sends_by_day"]] for side in arms.values()]
    labels = [day["day"] for day in arms[LEARNING]["sends_by_day"]]
    yield from _bars(labels, days, list(arms).index(LEARNING))
    yield "Marketing e-mails by the hour of the people's own clocks"
    hours = [side["sends_by_hour"] for side in arms.values()]
    yield from _bars([f"{hour:02}:00" for hour in range(len(hours[0]))], hours, 1)


def _bars(labels: list[str], columns: list[list[float]], drawn: int) -> Iterator[str]:
    most = max(columns[drawn]) or 1
    for number, label in enumerate(labels):
        cells = "".join(f"{column[number]:>10,}" for column in columns)
        yield f"  {label:12}{cells}  {'#' * round(BAR * columns[drawn][number] / most)}".rstrip()


def _row(words: str, cells: list[str]) -> str:
    return f"{words:{WIDE}}" + "".join(f"{cell:>22}" for cell in cells)


def _names(sides: Any) -> list[str]:
    return list(dict.fromkeys(name for side in sides for name in side))


def _share(found: Mapping[str, float]) -> str:
    return f"{found['mean']:.2%} ({found['low']:.1%}–{found['high']:.1%})"


def _count(found: Mapping[str, float] | None) -> str:
    return f"{found['mean']:,g} ({found['low']:g}–{found['high']:g})" if found else "–"


def _verdict(facts: dict[str, Any]) -> str:
    goal = facts["measures"]["goal"]
    if goal["low"] > 0.0:
        return "Learning brings more people to the goal on this audience."
    if goal["high"] < 0.0:
        return "Learning brings fewer people to the goal on this audience."
    return (
        "On the goal the two cannot be told apart on this audience: simulate more people or days."
    )
