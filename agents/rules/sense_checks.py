"""Find what holds for nobody: conditions, branches of flows, offers and templates that nobody can come to.

Rules
1. Steps that follow each other at once are asked about one moment: what an `if` asked holds for the `if` right below
   it. A wait, an e-mail, a changed trait or a `goto` from elsewhere ends that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agents.rules.atoms import Origin
from agents.rules.condition_models import Condition
from agents.rules.contradictions import NEVER, contradiction, rules_out
from agents.rules.flow_models import Step, branches, walk_steps
from agents.rules.models import PathFile
from agents.rules.ruleset import COHORTS, RuleSet
from agents.rules.satisfying import Around
from agents.rules.source import Location, Source
from messaging.vocabulary.errors import RuleError

HINT = "take one of them out, or put them under `any`"
ALONE = "ask for less: nothing can be like this"


def _hint(said: str) -> str:
    """Return what to do about what nobody can meet; one condition alone has no other to be put beside."""
    return ALONE if said.endswith(NEVER) and "; and " not in said else HINT


def check_sense(rules: RuleSet) -> Iterator[RuleError]:
    """Give what nobody can meet or come to; no cohort may ask for itself."""
    around = Around(rules.cohorts, rules.scores)
    for name, cohort in rules.cohorts.items():
        found = contradiction(cohort.when, ("cohorts", name, "when"), around)
        if found is not None:
            problem = f"nobody can meet this of {name}: {found[1]}"
            yield rules.sources[COHORTS].error(found[0], problem, _hint(found[1]))
    for name, path in rules.paths.items():
        source = rules.sources[f"paths/{name}.yaml"]
        yield from _check_flow(source, path, around)
        yield from _check_templates(rules, source, path, around)
    yield from _check_interactions(rules, around)


# -------------------------------------------------------------------------------------- flows


def _check_flow(source: Source, path: PathFile, around: Around) -> Iterator[RuleError]:
    targets = {step.goto for _, step in walk_steps(path.steps, ()) if step.goto is not None}

    def check(steps: Sequence[Step], at: Location, beside: list[Origin]) -> Iterator[RuleError]:
        for index, step in enumerate(steps):
            beside = [] if step.name in targets else beside
            place = (*at, index)
            asked = _asked(step, place)
            if asked is not None:
                yield from _check_question(source, step, asked, beside, around)
            for where, inner in branches(step, place):
                yield from check(inner, where, _holds_there(step, where, asked, beside))
            beside = beside if step.alert is not None else []

    yield from check(path.steps, ("steps",), [])


def _asked(step: Step, at: Location) -> Origin | None:
    """Return what a step asks, and where that stands."""
    if step.condition is None:
        return None
    place = (*at, "if") if step.if_ is not None else (*at, "wait_until", "when")
    return Origin(place, step.condition, wanted=True)


def _check_question(
    source: Source, step: Step, asked: Origin, beside: list[Origin], around: Around
) -> Iterator[RuleError]:
    found = contradiction(asked.condition, asked.at, around, beside)
    if found is not None:
        yield source.error(
            found[0], f"nobody can meet this of {step.name}: {found[1]}", _hint(found[1])
        )
        return
    ruled_out = Origin(asked.at, asked.condition, wanted=False)
    problem = rules_out([*beside, ruled_out], around) if step.otherwise else ""
    if problem:
        at = (*asked.at[: -1 if step.if_ is not None else -2], "else")
        problem = f"the steps under else of {step.name} cannot be reached: {problem}"
        yield source.error(at, problem, "everybody who comes here meets the condition")


def _holds_there(
    step: Step, where: Location, asked: Origin | None, beside: list[Origin]
) -> list[Origin]:
    """Return what holds of whoever begins with a branch of a step."""
    if step.split is not None:
        return beside
    if asked is None:
        return []
    answer = Origin(asked.at, asked.condition, wanted=where[-1] == "then")
    return [*beside, answer] if step.if_ is not None else [answer]


# ---------------------------------------------------------------------------- offers, templates


def _member(rules: RuleSet, cohort: str | None, at: Location, *, wanted: bool) -> list[Origin]:
    """Return that somebody is in a cohort, or out of it; nothing where none is named, or one that does not exist."""
    if cohort is None or cohort not in rules.cohorts:
        return []
    return [Origin(at, Condition.model_validate({"cohort": cohort}), wanted)]


def _check_interactions(rules: RuleSet, around: Around) -> Iterator[RuleError]:
    for name, interaction in rules.interactions.items():
        source, when = rules.sources[f"interactions/{name}.yaml"], interaction.when
        asked = [
            *_member(rules, when.cohort, ("when", "cohort"), wanted=True),
            *_member(rules, when.only, ("when", "only"), wanted=True),
            *_member(rules, when.unless, ("when", "unless"), wanted=False),
        ]
        problem = rules_out(asked, around) if len(asked) > 1 else ""
        if problem:
            hint = "choose cohorts that somebody can be in, and out of, at once"
            yield source.error(asked[-1].at, f"nobody is offered {name}: {problem}", hint)


def _check_templates(
    rules: RuleSet, source: Source, path: PathFile, around: Around
) -> Iterator[RuleError]:
    for place, _, email in path.emails():
        for index, each in enumerate(email.templates):
            at = (*place, "templates", index)
            template = rules.templates.get(each.id)
            own = template.cohort if template is not None else None
            asked = [
                *_member(rules, own, at, wanted=True),
                *_member(rules, each.cohort, at, wanted=True),
            ]
            problem = rules_out(asked, around) if len(asked) > 1 else ""
            if problem:
                hint = f"the template's own cohort is {own}: name a part of it here, or none"
                yield source.error(at, f"nobody gets {each.id} here: {problem}", hint)
