"""Find what is wrong with a flow: steps nobody reaches, circles without an end, names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agents.rules.facts import LISTS
from agents.rules.flow import RESERVED, StepRule
from agents.rules.flow_compiler import steps_of
from agents.rules.flow_models import STEPS_MAX, Step, walk_steps
from agents.rules.hints import there_are
from agents.rules.models import PathFile
from agents.rules.ruleset import RuleSet, walk
from agents.rules.source import Location, Source
from messaging.vocabulary.errors import RuleError

ON_LISTS = "who stands on a list is said by `mdma list add` and the API"

Places = Mapping[str, Location]
"""Step -> where it stands in the file."""


def check_steps(rules: RuleSet, source: Source, path: PathFile) -> Iterator[RuleError]:
    """Give every error of a single step of a path's flow, names that lead nowhere among them."""
    for at, step in walk_steps(path.steps, ("steps",)):
        yield from _check_step(rules, source, at, step)


def check_flow(source: Source, name: str, path: PathFile) -> Iterator[RuleError]:
    """Give every error of how a path's steps lead to each other; none for a path of stages."""
    steps = list(walk_steps(path.steps, ("steps",)))
    if not steps:
        return
    if len(steps) > STEPS_MAX:
        problem = f"the flow has {len(steps)} steps, at most {STEPS_MAX} are allowed"
        yield source.error(("steps",), problem, "make two paths of it")
    places: dict[str, Location] = {}
    for at, step in steps:
        if step.name in places:
            yield source.error((*at, "name"), f"two steps are called {step.name}", "rename one")
        places.setdefault(step.name, at)
    lost = [(at, step) for at, step in steps if step.goto is not None and step.goto not in places]
    for at, step in lost:
        hint = there_are(step.goto or "", places)
        yield source.error((*at, "goto"), f"the step {step.goto} does not exist", hint)
    if not lost and len(places) == len(steps):
        flow = steps_of(name, path)
        yield from _check_reached(source, flow, places)
        yield from _check_circles(source, flow, places)
        yield from _check_answers(source, flow, places)


def _check_step(rules: RuleSet, source: Source, at: Location, step: Step) -> Iterator[RuleError]:
    for trait in step.set_trait or {}:
        hint = ON_LISTS if trait.startswith(LISTS) else RESERVED.get(trait)
        if hint is not None:
            place = (*at, "set_trait", trait)
            yield source.error(place, f"the trait {trait} cannot be set", hint)
    if step.offer is not None and step.offer.interaction not in rules.names("interaction"):
        problem = f"the interaction {step.offer.interaction} does not exist"
        hint = there_are(step.offer.interaction, rules.names("interaction"))
        yield source.error((*at, "offer"), problem, hint)
    ways = [way.name for way in step.split.ways] if step.split is not None else []
    for index, way in enumerate(ways):
        if way in ways[:index]:
            place = (*at, "split", "ways", index, "name")
            yield source.error(place, f"two ways are called {way}", "rename one")
    if step.condition is not None:
        yield from _check_condition(rules, source, at, step)


def _check_condition(
    rules: RuleSet, source: Source, at: Location, step: Step
) -> Iterator[RuleError]:
    """Look at what a step asks, as it is done with cohorts."""
    asked = step.condition
    assert asked is not None, f"{step.name} asks nothing"
    place = (*at, "if") if step.if_ is not None else (*at, "wait_until", "when")
    for each, condition in walk(asked, place):
        if condition.cohort is not None and condition.cohort not in rules.names("cohort"):
            problem = f"the cohort {condition.cohort} does not exist"
            hint = there_are(condition.cohort, rules.names("cohort"))
            yield source.error((*each, "cohort"), problem, hint)
        score = condition.score
        if score is not None and score.name not in rules.names("score"):
            problem = f"the score {score.name} does not exist"
            hint = there_are(score.name, rules.names("score"))
            yield source.error((*each, "score", "name"), problem, hint)


def _check_reached(
    source: Source, flow: Mapping[str, StepRule], places: Places
) -> Iterator[RuleError]:
    reached = _reached(flow)
    for name, at in places.items():
        if name not in reached:
            hint = "what stands before it ends the flow, or leads elsewhere: delete it, or move it"
            yield source.error((*at, "name"), f"the step {name} cannot be reached", hint)


def _reached(flow: Mapping[str, StepRule]) -> set[str]:
    """Return the steps that somebody can come to.

    A `goto` with times lets nobody go on below it unless the flow comes back to it: only then is it used up.
    """
    used_up: set[str] = set()
    while True:
        reached = _led_to(flow, next(iter(flow)), used_up)
        more = {
            name
            for name in reached - used_up
            if flow[name].times and name in _led_to(flow, flow[name].following, used_up)
        }
        if not more:
            return reached
        used_up |= more


def _led_to(flow: Mapping[str, StepRule], start: str, used_up: set[str]) -> set[str]:
    """Return the steps that ways from `start` lead to, where only these of the `goto`s are ever used up."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if not name or name in found:
            continue
        found.add(name)
        rule = flow[name]
        is_kept = rule.kind == "goto" and name not in used_up
        waiting += [rule.following] if is_kept else rule.leads_to
    return found


def _check_answers(
    source: Source, flow: Mapping[str, StepRule], places: Places
) -> Iterator[RuleError]:
    """Find every question for an answer to an e-mail that stands where none can have been sent."""
    after: set[str] = {""}
    waiting = [step for rule in flow.values() if rule.kind == "email" for step in rule.leads_to]
    while waiting:
        name = waiting.pop()
        if name not in after:
            after.add(name)
            waiting += flow[name].leads_to
    for name, rule in flow.items():
        if rule.answered and name not in after:
            problem = f"nobody can meet this of {name}: no e-mail of the path was sent before it"
            yield source.error((*places[name], "name"), problem, "ask after an e-mail step")


def _check_circles(
    source: Source, flow: Mapping[str, StepRule], places: Places
) -> Iterator[RuleError]:
    """Find every `goto` that may go round without end: no e-mail on the way, and no `times` on it."""
    for name, rule in flow.items():
        if rule.kind == "goto" and not rule.times and _comes_back(flow, rule.following, name):
            problem = f"the loop of {name} has no budget: nothing on its way ends it"
            hint = "give the goto `times:`, or send an e-mail on the way (attempts.total ends that)"
            yield source.error((*places[name], "goto"), problem, hint)


def _comes_back(flow: Mapping[str, StepRule], start: str, home: str) -> bool:
    """Say whether a way leads from a step to `home` that passes no e-mail and no `goto` with times."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == home:
            return True
        if name in seen or not name:
            continue
        seen.add(name)
        rule = flow[name]
        if rule.kind == "email":
            continue
        # A `goto` with times leads round so often at most; what follows it may be passed again and again.
        waiting += [rule.other] if rule.kind == "goto" and rule.times else rule.leads_to
    return False
