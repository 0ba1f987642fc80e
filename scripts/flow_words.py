"""Say in words what the steps of a flow do, and where they lead."""

from __future__ import annotations

from collections.abc import Mapping

from agents.rules.flow import StepRule
from agents.rules.flow_compiler import WEEKDAYS
from agents.runtime.figures import Edges
from messaging.gateway.console.routine import Edge
from scripts.counting import counted
from scripts.visible import shown

END = "the end"

ANSWERS = {"opened": "its e-mail to be opened", "clicked": "a link to be clicked"}


def does(rule: StepRule) -> str:
    """Return what a step does, in a few words.

    >>> does(StepRule("rest", "wait", "", hours=48)), does(StepRule("up", "goto", "rest", times=2))
    ('waits 48 hours', 'back to rest, 2 times')
    >>> does(StepRule("rest", "wait", "", weekday=1, hour=9))
    'waits until tue 9:00'
    >>> does(StepRule("rest", "wait", "", hours=1)), does(StepRule("up", "goto", "rest", times=1))
    ('waits 1 hour', 'back to rest, 1 time')
    >>> does(StepRule("reads", "wait_until", "", answered="opened", hours=1))
    'waits for its e-mail to be opened, 1 hour at most'
    """
    match rule.kind:
        case "wait":
            return f"waits {_until(rule)}"
        case "wait_until":
            what = ANSWERS.get(rule.answered, "a condition")
            return f"waits for {what}, {counted(rule.hours, 'hours')} at most"
        case "if":
            return f"asks whether it was {rule.answered}" if rule.answered else "asks a condition"
        case "split":
            return f"parts the ways: {', '.join(way.name for way in rule.ways)}"
        case "email":
            return "sends an e-mail"
        case "offer":
            return f"offers {rule.interaction} on the site"
        case "traits":
            return f"sets {', '.join(map(shown, rule.traits))}"
        case "webhook":
            return f"calls {shown(rule.url)}, and waits {counted(rule.hours, 'hours')} at most"
        case "alert":
            return f"calls a person: {shown(rule.title)}"
        case "goto":
            times = f", {counted(rule.times, 'times')}" if rule.times else ""
            return f"back to {rule.following}{times}"
        case _:
            return "ends the flow"


def leads(rule: StepRule) -> list[tuple[str, str]]:
    """Return where a step leads to, as facts: (on what condition, step).

    >>> leads(StepRule("q", "if", "yes", "no"))
    [('yes', 'goes on at yes'), ('no', 'goes on at no')]
    """
    return [
        (said or "then", f"goes on at {target}" if target else f"comes to {END}")
        for said, target in _said(rule)
        if rule.kind != "end"
    ]


def ways_of(steps: Mapping[str, StepRule], gone: Edges) -> list[Edge]:
    """Return every way that may be gone, with the runs that went it; `gone`: way -> runs."""
    first = next(iter(steps))
    possible = {("", first): ""}
    for name, rule in steps.items():
        for said, target in _said(rule):
            if target:
                known = possible.get((name, target), "")
                possible[name, target] = f"{known}, {said}" if known else said
    # A person may have let somebody begin elsewhere; an older version may have had other ways.
    others = {way: "" for way in gone if way not in possible and way[1] in steps}
    return [
        Edge(source=source, target=target, runs=gone.get((source, target), 0), said=said)
        for (source, target), said in {**possible, **others}.items()
    ]


def _said(rule: StepRule) -> list[tuple[str, str]]:
    """Return (on what condition, where to) of a step; an empty target is the end."""
    match rule.kind:
        case "if":
            return [("yes", rule.following), ("no", rule.other)]
        case "wait_until":
            return [("in time", rule.following), ("too late", rule.other)]
        case "webhook":
            return [("answered", rule.following), ("no answer", rule.other)]
        case "split":
            return [(way.name, way.step) for way in rule.ways]
        case "goto" if rule.times:
            return [("again", rule.following), ("enough", rule.other)]
        case _:
            return [("", rule.following)]


def _until(rule: StepRule) -> str:
    if rule.hour is None:
        return counted(rule.hours, "hours")
    day = f"{WEEKDAYS[rule.weekday]} " if rule.weekday is not None else ""
    return f"until {day}{rule.hour}:00"
