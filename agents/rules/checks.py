"""Find what no single file shows: names that lead nowhere, stages nobody reaches, limits that clash."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from zoneinfo import available_timezones

from agents.rules.condition_models import NAME
from agents.rules.email_models import OF_ANOTHER_COHORT, Mail, SplitTestModel
from agents.rules.entry_checks import check_entry
from agents.rules.flow_checks import check_flow, check_steps
from agents.rules.hints import there_are
from agents.rules.models import PathFile, Stage, TemplateFile
from agents.rules.parts import OTHER_KINDS
from agents.rules.ruleset import COHORTS, SCORES, RuleSet, name_of, walk
from agents.rules.sense_checks import check_sense
from agents.rules.source import Location, Source
from agents.rules.value_checks import check_values
from messaging.vocabulary.errors import RuleError

DEPTH_MAX = 200
"""Conditions inside each other, through cohorts that ask for cohorts: each is a call within a call."""


COHORT_CHARACTERS_MAX = 8_000
"""Names of all cohorts together, each with two more, those of a flow's questions (`path/step`) among them: a visitor
may be in all of them, and remembers of which they were told."""


def check(rules: RuleSet, *, is_new: bool = True) -> list[RuleError]:
    """Return every error between the parts of a set, by file and line.

    Of what is left of files with errors only the names are looked up: what else is found there might follow from what
    was left out. Of what was taken before (`is_new` is false) it is not asked whether it makes sense: a release that
    finds more must not take down what runs.
    """
    every = rules.with_partial()
    circles = list(_check_cycles(rules)) or list(_check_depth(rules))
    found = [
        *_check_names(every),
        *_check_lengths(rules),
        *_check_conditions(rules, every),
        *(circles or (check_sense(rules) if is_new else ())),
        *(check_values(every) if is_new else ()),
        *_check_scores(rules),
        *_check_templates(rules, every),
        *_check_interactions(rules, every),
    ]
    for name, path in every.paths.items():
        source = every.sources[f"paths/{name}.yaml"]
        found += [*_check_path_names(rules, source, path), *check_steps(rules, source, path)]
    for name, path in rules.paths.items():
        source = rules.sources[f"paths/{name}.yaml"]
        found += [*_check_path(rules, source, path), *check_flow(source, name, path)]
    return sorted(found, key=lambda error: (error.file, error.line))


def _unknown(
    rules: RuleSet, source: Source, at: Location, what: str, name: str
) -> Iterator[RuleError]:
    names = rules.names(what)
    if name not in names and at[0] not in source.stand_ins:
        hint = there_are(name, sorted(names))
        yield source.error(at, f"the {what} {name} does not exist", hint)


def _check_names(rules: RuleSet) -> Iterator[RuleError]:
    for file, source in rules.sources.items():
        if not re.match(NAME, name_of(file)):
            hint = "small letters, digits, - and _, 64 at most"
            yield source.error((), f"a file cannot be called {name_of(file)!r}", hint)


def _check_lengths(rules: RuleSet) -> Iterator[RuleError]:
    over = sum(len(name) + 2 for name in rules.questions) - COHORT_CHARACTERS_MAX
    if over > 0 and COHORTS in rules.sources:
        problem = f"the names of all cohorts and of what flows ask are {over} characters too long"
        hint = f"shorten names or take out cohorts: together {COHORT_CHARACTERS_MAX} at most"
        yield rules.sources[COHORTS].error(("cohorts",), problem, hint)


# ----------------------------------------------------------------------- cohorts and scores


def _check_conditions(rules: RuleSet, every: RuleSet) -> Iterator[RuleError]:
    for name, cohort in every.cohorts.items():
        source = every.sources[COHORTS]
        for at, condition in walk(cohort.when, ("cohorts", name, "when")):
            if condition.cohort is not None:
                place = (*at, "cohort")
                yield from _unknown(rules, source, place, "cohort", condition.cohort)
            if condition.is_since_entry:
                hint = "ask so in a step of a flow, or name a window: within_days"
                place = (*at, condition.operator, "since_entry")
                yield source.error(place, "a cohort is of no run: since_entry has no moment", hint)
            if condition.score is not None:
                place = (*at, "score", "name")
                yield from _unknown(rules, source, place, "score", condition.score.name)


def _check_cycles(rules: RuleSet) -> Iterator[RuleError]:
    asks = {
        name: [c.cohort for _, c in walk(cohort.when, ()) if c.cohort is not None]
        for name, cohort in rules.cohorts.items()
    }
    for name in asks:
        if name in _reached(name, asks):
            problem = f"the cohort {name} asks for itself"
            yield rules.sources[COHORTS].error(("cohorts", name), problem, "break the circle")


def _check_depth(rules: RuleSet) -> Iterator[RuleError]:
    """Find the cohorts that stand on too long a chain of others; there is no circle."""
    asks = {
        name: [
            (each.cohort, len(at))
            for at, each in walk(cohort.when, ())
            if each.cohort is not None and each.cohort in rules.cohorts
        ]
        for name, cohort in rules.cohorts.items()
    }
    depths: dict[str, int] = {}
    waiting = list(asks)
    while (
        waiting
    ):  # those that stand on nothing unknown first: a chain is as long as somebody likes
        ready = [name for name in waiting if all(other in depths for other, _ in asks[name])]
        for name in ready:
            depths[name] = max((depths[o] + inner + 1 for o, inner in asks[name]), default=1)
        waiting = [name for name in waiting if name not in depths]
    deep = [name for name in asks if depths[name] > DEPTH_MAX]
    if deep:
        first = min(deep, key=lambda name: depths[name])
        problem = f"the cohort {first} stands on too long a chain of cohorts and conditions"
        hint = f"at most {DEPTH_MAX} may stand inside each other: ask for fewer at a time"
        yield rules.sources[COHORTS].error(("cohorts", first), problem, hint)


def _reached(start: str, asks: Mapping[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(asks[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += asks.get(name, [])
    return reached


def _check_scores(rules: RuleSet) -> Iterator[RuleError]:
    for name, score in rules.scores.items():
        source, at = rules.sources[SCORES], ("scores", name)
        for kind in score.points:
            if kind not in OTHER_KINDS | {"purchase"} and not kind.startswith("track:"):
                hint = f"track:{kind} for a track call, or {', '.join(sorted(OTHER_KINDS))}"
                yield source.error((*at, "points", kind), f"nothing of kind {kind} happens", hint)
        starts = [band.start for band in score.bands]
        if any(later <= earlier for earlier, later in pairwise(starts)):
            yield source.error((*at, "bands"), "bands must rise", "put the lowest first")
        if score.cap is not None and starts and starts[-1] > score.cap:
            problem = f"nobody reaches the band {score.bands[-1].name}: the cap is {score.cap:g}"
            yield source.error((*at, "bands"), problem, "raise the cap, or begin the band below it")
        if len({band.name for band in score.bands}) < len(score.bands):
            yield source.error((*at, "bands"), "two bands have one name", "rename one")


def _check_templates(rules: RuleSet, every: RuleSet) -> Iterator[RuleError]:
    for name, template in every.templates.items():
        if template.cohort is not None:
            source = every.sources[f"templates/{name}.yaml"]
            yield from _unknown(rules, source, ("cohort",), "cohort", template.cohort)


def _check_interactions(rules: RuleSet, every: RuleSet) -> Iterator[RuleError]:
    for name, interaction in every.interactions.items():
        source = every.sources[f"interactions/{name}.yaml"]
        when = interaction.when
        for key, cohort in (("cohort", when.cohort), ("only", when.only), ("unless", when.unless)):
            if cohort is not None:
                yield from _unknown(rules, source, ("when", key), "cohort", cohort)
        names = [each.name for each in interaction.content.fields or []]
        for index, field in enumerate(names):
            if field in names[:index]:
                at = ("content", "fields", index, "name")
                yield source.error(at, f"two fields are called {field}", "rename one")


# -------------------------------------------------------------------------------------- paths


def _check_path_names(rules: RuleSet, source: Source, path: PathFile) -> Iterator[RuleError]:
    """Give every name of a path that leads nowhere, but for those in a flow's questions."""
    if path.entry.cohort is not None:
        yield from _unknown(rules, source, ("entry", "cohort"), "cohort", path.entry.cohort)
    yield from _unknown(rules, source, ("sender",), "sender", path.sender)
    yield from _unknown(rules, source, ("success", "template"), "template", path.success.template)
    if path.zone not in available_timezones():
        near = difflib.get_close_matches(path.zone, available_timezones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "write it like America/Sao_Paulo"
        yield source.error(("zone",), f"the zone {path.zone} does not exist", hint)
    for index, stage in enumerate(path.stages):
        if stage.on.cohort:
            yield from _unknown(rules, source, ("stages", index, "on"), "cohort", stage.on.cohort)
    for at, _, email in path.emails():
        for index, each in enumerate(email.templates):
            place = (*at, "templates", index)
            yield from _unknown(rules, source, place, "template", each.id)
            if each.cohort is not None:
                yield from _unknown(rules, source, place, "cohort", each.cohort)


def _check_path(rules: RuleSet, source: Source, path: PathFile) -> Iterator[RuleError]:
    yield from check_entry(source, path)
    if path.attempts.after_open > path.attempts.total:
        hint = f"lower it to {path.attempts.total} or less"
        yield source.error(("attempts", "after_open"), "after_open is above total", hint)
    yield from _check_stages(source, path.stages)
    for place, _, email in path.emails():
        yield from _check_email(rules, source, place, email)
        yield from _check_hours(source, place, email, path)
    yield from _check_split_tests(rules, source, path)


def _check_stages(source: Source, stages: list[Stage]) -> Iterator[RuleError]:
    names: set[str] = set()
    causes: set[tuple[str, str]] = set()
    for index, stage in enumerate(stages):
        at: Location = ("stages", index)
        if stage.name in names:
            yield source.error((*at, "name"), f"two stages are called {stage.name}", "rename one")
        cause = (stage.on.what, stage.on.cohort)
        if (stage.on.what == "entry") != (index == 0):
            hint = "the first stage, and no other, is `on: entry`"
            yield source.error((*at, "on"), f"the stage {stage.name} cannot be reached", hint)
        elif cause in causes:
            hint = f"an earlier stage has the same `on: {' '.join(cause).strip()}`"
            yield source.error((*at, "on"), f"the stage {stage.name} cannot be reached", hint)
        names.add(stage.name)
        causes.add(cause)


def _check_email(rules: RuleSet, source: Source, at: Location, email: Mail) -> Iterator[RuleError]:
    listed = {each.id: each for each in reversed(email.templates)}
    for index, each in enumerate(email.templates):
        if listed[each.id] is not each:
            place = (*at, "templates", index)
            yield source.error(place, f"the template {each.id} is listed twice", "delete one")
    for index, name in enumerate(email.defaults):
        place = (*at, "default_templates", index) if email.default_templates else (*at, "templates")
        if name not in listed:
            hint = "add it there, or choose one of: " + ", ".join(listed)
            yield source.error(place, f"the default {name} is not among the templates", hint)
        elif listed[name].cohort or _own_cohort(rules.templates.get(name)):
            hint = "a default must be open to everybody"
            yield source.error(place, f"the default {name} is for one cohort only", hint)
    for index, name in enumerate(email.default_first):
        place = (*at, "default_first", index)
        if name not in listed:
            some = [each for each in listed if listed[each].cohort] or ["a template with a cohort"]
            hint = "add it there, or choose one of: " + ", ".join(some)
            yield source.error(place, f"the default {name} is not among the templates", hint)
        elif name in rules.templates and not (
            listed[name].cohort or _own_cohort(rules.templates[name])
        ):
            hint = "name it in `default_templates`, or give it a cohort"
            yield source.error(place, f"the default {name} is for everybody", hint)
    known = [rules.templates[name] for name in listed if name in rules.templates]
    is_known = len(known) == len(listed) > 1
    if "subject" in email.different and is_known and len({t.subject for t in known}) == 1:
        hint = "give at least one template another subject, or take `subject` out of `different`"
        problem = f"all {len(known)} templates have one subject"
        yield source.error((*at, "different"), problem, hint)


def _own_cohort(template: TemplateFile | None) -> str | None:
    return None if template is None else template.cohort


def _check_hours(source: Source, at: Location, email: Mail, path: PathFile) -> Iterator[RuleError]:
    start, end = path.quiet_hours.start, path.quiet_hours.end
    quiet = {(start + step) % 24 for step in range((end - start) % 24)}
    for index, hour in enumerate(email.default_hours):
        if hour in quiet:
            hint = f"quiet hours are {start} to {end}"
            problem = f"the default hour {hour} lies in the quiet hours"
            yield source.error((*at, "default_hours", index), problem, hint)


# ----------------------------------------------------------------------------- split tests


def _check_split_tests(rules: RuleSet, source: Source, path: PathFile) -> Iterator[RuleError]:
    salts: set[str] = set()
    for place, _, email in path.emails():
        test, at = email.split_test, (*place, "split_test")
        if test is None:
            continue
        yield from _check_variants(rules, source, at, email, test)
        if test.visitors_max < test.visitors_min:
            key = "visitors_max" if "visitors_max" in test.model_fields_set else "visitors_min"
            problem = f"visitors_max ({test.visitors_max}) is below visitors_min"
            yield source.error((*at, key), problem, "raise the one, or lower the other")
        if test.salt in salts:
            problem = f"two split tests have the salt {test.salt}"
            hint = "who gets one's first variant would get the other's: leave it out"
            yield source.error((*at, "salt"), problem, hint)
        if test.salt is not None:
            salts.add(test.salt)


def _check_variants(
    rules: RuleSet, source: Source, at: Location, email: Mail, test: SplitTestModel
) -> Iterator[RuleError]:
    if len(test.variants) == 1:
        hint = "add another of the step's templates"
        yield source.error((*at, "variants"), "a split test of one variant tests nothing", hint)
    listed = {each.id: each for each in email.templates}
    meant_for = {
        name: {listed[name].cohort, _own_cohort(rules.templates.get(name))} - {None}
        for name in test.variants
        if name in listed and name in rules.templates
    }
    first = next(iter(meant_for), "")
    for variant in test.variants:
        place = (*at, "variants", variant)
        if variant not in listed:
            hint = "add it there, or choose one of: " + ", ".join(listed)
            problem = f"the variant {variant} is not among the step's templates"
            yield source.error(place, problem, hint)
        elif variant in meant_for and meant_for[variant] != meant_for[first]:
            hint = "who may get one variant must be able to get all of them, or their shares would not hold; "
            hint += OF_ANOTHER_COHORT
            problem = f"the variant {variant} is not for the same cohort as {first}"
            yield source.error(place, problem, hint)
