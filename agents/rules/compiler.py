"""Turn a checked set of files into the form that bots use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from agents.rules import compiled
from agents.rules.compiled import (
    BORN,
    PURCHASE_EVENTS,
    TIME,
    CompiledCohort,
    CompiledRules,
    index_by_kind,
    index_by_need,
)
from agents.rules.conditions import compile_condition
from agents.rules.email_models import Mail
from agents.rules.entries import entry_rule, event_entries
from agents.rules.facts import LISTS
from agents.rules.flow import is_hidden, path_of
from agents.rules.flow_compiler import steps_of
from agents.rules.flow_models import walk_steps
from agents.rules.interaction_models import InteractionFile
from agents.rules.keeping import kept_by, kept_for
from agents.rules.models import Cohort, PathFile, Score, Stage
from agents.rules.naming import counted_as
from agents.rules.nobody import Nobody
from agents.rules.parts import DEPTHS, SESSION, Around, Part, bound_kind, rarest_need
from agents.rules.reach import reach_of
from agents.rules.ruleset import RuleSet, walk
from agents.rules.visits import entered_by_its_end
from agents.rules.watches import index_by_event
from learning.serving import split_test
from messaging.vocabulary.ids import derive, short_hash
from messaging.vocabulary.records import SplitTest

HAND_OVER_HOURS = 24
"""An e-mail is handed over within a day of the choice of its template; its response window begins then."""

ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def compile_rules(rules: RuleSet, version: int) -> CompiledRules:
    """Return the compiled form of a set in which `agents.rules.checks.check` found nothing."""
    scores = {name: _score(name, score) for name, score in rules.scores.items()}
    questions = rules.questions
    cohorts, around = _cohorts(rules, scores)
    keeps = kept_for(around.watches, around.pages, around.turning, around.keeping, scores)
    touched = index_by_kind(cohorts)
    paths = {name: _path(name, path) for name, path in rules.paths.items()}
    templates = {name: compiled_template(name, rules) for name in rules.templates}
    goal_events = frozenset[str]().union(*(path.goal_events for path in paths.values()))
    return CompiledRules(
        version=version,
        cohorts=cohorts,
        scores=scores,
        paths=paths,
        templates=templates,
        senders={
            name: compiled.Sender(name=each.name, address=each.address, url=each.url)
            for name, each in rules.senders.items()
        },
        purchase_events=PURCHASE_EVENTS,
        goal_events=goal_events,
        spoken=compiled.spoken_in(templates.values()),
        touched=touched,
        asked=index_by_need(touched),
        order={name: number for number, name in enumerate(cohorts)},
        interactions={n: _interaction(n, each) for n, each in rules.interactions.items()},
        probabilities=_probabilities(questions),
        watched=index_by_event(around.watches.values()),
        turning=frozenset(around.turning),
        on_session=frozenset(c.name for kind in (SESSION, DEPTHS) for c in touched.get(kind, ())),
        visits_end=entered_by_its_end(questions),
        entries=event_entries(rules.paths),
        keeps_cart="cart" in around.keeping,
        pages=tuple(around.pages.items()),
        bounds=_bounds(around, touched),
        keeps=keeps,
        counted=PURCHASE_EVENTS
        | {counted_as(event) for event in goal_events}
        | {kind.removeprefix("track:") for kind in touched if kind.startswith("track:")},
    )


def compiled_template(name: str, rules: RuleSet) -> compiled.Template:
    """Return one template whose body was made."""
    each = rules.templates[name]
    return compiled.Template(
        id=name,
        subject=each.subject,
        preheader=each.preheader,
        html=rules.bodies[name],
        text=each.text,
        cohort=each.cohort,
        names=rules.spoken.get(name, ()),
    )


def _bounds(
    around: Around, touched: dict[str, list[CompiledCohort]]
) -> dict[str, list[tuple[float, list[CompiledCohort]]]]:
    found: dict[str, list[tuple[float, list[CompiledCohort]]]] = {}
    for name, bound in sorted(around.bounds):
        found.setdefault(name, []).append((bound, touched.get(bound_kind(name, bound), [])))
    return found


def _probabilities(questions: Mapping[str, Cohort]) -> tuple[str, ...]:
    asked = {
        condition.probability.of
        for cohort in questions.values()
        for _, condition in walk(cohort.when, ())
        if condition.probability is not None
    }
    return tuple(sorted(asked))


def _cohorts(
    rules: RuleSet, scores: dict[str, compiled.ScoreRule]
) -> tuple[dict[str, CompiledCohort], Around]:
    questions = rules.questions
    parts: dict[str, Part] = {}

    def part_of(name: str) -> Part:
        if name not in parts:
            inside = replace(around, path=path_of(name)) if is_hidden(name) else around
            parts[name] = compile_condition(questions[name].when, inside)
        return parts[name]

    around = Around(scores=scores, purchase_events=PURCHASE_EVENTS, cohort=part_of)
    return {name: _cohort(name, part_of(name), rules) for name in questions}, around


def _said(name: str, rules: RuleSet) -> str:
    """Return a hash of what a cohort asks for, the cohorts and scores it names included."""
    when = rules.questions[name].when
    parts = [when.model_dump_json(exclude_none=True)]
    for _, condition in walk(when, ()):
        if condition.cohort is not None:
            parts.append(_said(condition.cohort, rules))
        if condition.score is not None:
            parts.append(rules.scores[condition.score.name].model_dump_json(exclude_none=True))
    return derive("cohort", *parts)


def _cohort(name: str, part: Part, rules: RuleSet) -> CompiledCohort:
    kinds = set(part.kinds)
    if part.until is not None:
        kinds.add(TIME)
    if part.test(Nobody(), ANY_TIME):  # what depends on the time or the id says so itself
        kinds.add(BORN)
    keeps = kept_by(part.kinds)
    return CompiledCohort(
        name,
        part.test,
        part.until,
        frozenset(kinds),
        tuple(sorted(rarest_need(part))),
        keeps,
        said=_said(name, rules),
        reach_hours=reach_of(name, rules) if keeps else 0.0,
        lists=_lists(part),
    )


def _lists(part: Part) -> tuple[str, ...]:
    prefix = f"trait:{LISTS}"
    return tuple(
        sorted(kind.removeprefix("trait:") for kind in part.kinds if kind.startswith(prefix))
    )


def _score(name: str, score: Score) -> compiled.ScoreRule:
    return compiled.ScoreRule(
        name=name,
        half_life_days=score.half_life_days,
        cap=score.cap,
        bands=[(band.start, band.name) for band in score.bands],
        points_by_kind=dict(score.points),
    )


def _interaction(name: str, file: InteractionFile) -> compiled.InteractionRule:
    return compiled.InteractionRule(
        name=name,
        type=file.type,
        cohort=file.when.cohort,
        only=file.when.only or "",
        unless=file.when.unless or "",
        trigger=file.trigger,
        priority=file.priority,
        minutes=file.minutes,
        per_session=file.frequency.per_session,
        per_day=file.frequency.per_day,
        content=file.content.model_dump(exclude_none=True),
    )


def _path(name: str, path: PathFile) -> compiled.PathRule:
    return compiled.PathRule(
        name=name,
        title=path.title,
        priority=path.priority,
        worth=path.worth,
        goal_events=frozenset(path.goal),
        entry=entry_rule(name, path),
        reentry=path.reentry,
        zone=path.zone,
        quiet_from=path.quiet_hours.start,
        quiet_to=path.quiet_hours.end,
        caps=[compiled.Cap(cap.channel, cap.count, cap.hours) for cap in path.caps],
        attempts_total=path.attempts.total,
        attempts_after_open=path.attempts.after_open,
        response_window_hours=path.response_window_hours,
        after_visit_hours=path.after_visit_hours,
        alert=path.alert.title,
        success=compiled.SuccessRule(path.success.template),
        sender=path.sender,
        stages=[_stage(name, path, each) for each in path.stages] or _mailing(name, path),
        steps=steps_of(name, path),
    )


def _stage(name: str, path: PathFile, stage: Stage) -> compiled.StageRule:
    return compiled.StageRule(
        name=stage.name,
        on=stage.on.what,
        on_cohort=stage.on.cohort,
        opportunity=stage.opportunity,
        hold=stage.hold,
        email=_email(
            stage.email.name, stage.email, split_test_of(name, path, stage.name, stage.email)
        ),
    )


def _mailing(name: str, path: PathFile) -> list[compiled.StageRule]:
    """Return a flow's e-mails as stages, so that they are planned, capped, drawn and counted as a loop's are."""
    return [
        compiled.StageRule(
            name=step.name,
            on="step",
            on_cohort="",
            opportunity=False,
            hold=False,
            email=_email(step.name, step.email, split_test_of(name, path, step.name, step.email)),
        )
        for _, step in walk_steps(path.steps, ())
        if step.email is not None
    ]


def _email(name: str, email: Mail, test: SplitTest | None) -> compiled.EmailStep:
    return compiled.EmailStep(
        name=name,
        timing=email.timing,
        window_hours=email.window_hours,
        templates=[(each.id, each.cohort) for each in email.templates],
        default_templates=list(email.defaults),
        default_first=list(email.default_first),
        default_hours=list(email.default_hours),
        different=list(email.different),
        on_uncertain=email.on_uncertain,
        split_test=test,
    )


def split_test_of(name: str, path: PathFile, stage: str, email: Mail) -> SplitTest | None:
    """Return what a path of this name tests with the e-mail of a stage or step, None if nothing."""
    test = email.split_test
    if test is None:
        return None
    place = f"{name}/{stage}/{test.name}"
    salt = test.salt or place
    whole = math.fsum(test.variants.values())
    written = ",".join(f"{variant}={share!r}" for variant, share in test.variants.items())
    return SplitTest(
        policy=split_test.policy_name(place, short_hash("split test", f"{salt}:{written}")),
        variants=[(variant, share / whole) for variant, share in test.variants.items()],
        salt=salt,
        visitors_min=test.visitors_min,
        visitors_max=test.visitors_max,
        then=test.then,
        known_after_hours=path.response_window_hours + HAND_OVER_HOURS,
    )
