"""Tell a path with the people on it: from a version of the rules, sums of the commits, and what is learned."""

from __future__ import annotations

import msgspec

from agents.rules.compiled import CompiledRules, EmailStep, PathRule, StageRule
from agents.runtime.figures import (
    Edges,
    edges_in,
    people_by_version,
    stages_in,
    standing_in,
    ways_in,
)
from learning.serving.next_best import policy_name
from messaging.gateway.console.learned import ArmLine
from messaging.gateway.console.routine import (
    Edge,
    Routine,
    RoutineLine,
    StageLine,
    StageNode,
    VariantLine,
)
from messaging.ports import Store
from scripts.choices import percent
from scripts.counting import counted
from scripts.flow_words import does, leads, ways_of
from scripts.learned import arms_of
from scripts.older import older_lines
from scripts.overview import CALLS, GOING
from scripts.sent import Sent, SentNow
from scripts.visible import shown

ON = {"entry": "begins here", "opened": "an e-mail was opened", "clicked": "a link was clicked"}


async def routine_of(
    store: Store, rules: CompiledRules, name: str, sent: SentNow, published: CompiledRules | None
) -> Routine | None:
    """Return a path with its people, None if these rules have none of this name.

    `published`: the rules that are; where the path is drawn by others, who stands on it by those alone is counted.
    """
    path = rules.paths.get(name)
    if path is None:
        return None
    figures = await store.figures("rules")
    line = routine_line(figures, rules, name, published)
    edges = ways_in(figures, name, path.places)
    mails = {stage.name: stage for stage in path.stages}
    nodes = []
    for each in line.stages:
        place, node = each.name, _node(each)
        if place in path.steps:
            rule = path.steps[place]
            node.on, node.email = does(rule), leads(rule)
        if place in mails:
            arms = await arms_of(store, policy_name(name, place))
            of_place = {of[2]: n for of, n in sent.counts.items() if of[:2] == (name, place)}
            _put_email(node, mails[place], rules, arms, of_place)
        nodes.append(node)
    return Routine(
        name=name,
        version=line.version,
        is_published=line.is_published,
        older=line.older,
        sent_as_of=sent.as_of,
        title=line.title,
        facts=facts_of(path),
        entered=line.entered,
        stages=nodes,
        edges=ways_of(path.steps, edges) if path.steps else _gone(edges),
        is_flow=line.is_flow,
    )


def routine_line(
    figures: dict[str, float], rules: CompiledRules, name: str, published: CompiledRules | None
) -> RoutineLine:
    """Return a path that these rules have, as the list of routines says it; `figures`: those of Rules."""
    path = rules.paths[name]
    is_published = published is not None and rules.version == published.version
    places = {name: published.paths[name].places} if published and name in published.paths else {}
    edges = edges_in(figures, name, path.places)
    stages = _stages(figures, name, path.places, edges)
    if not is_published:
        standing = standing_in(figures)
        for stage in stages:
            place = name, rules.version, stage.name
            stage.going, stage.calls = standing.get(place, (0, 0))
    return RoutineLine(
        name=name,
        version=rules.version,
        is_published=is_published,
        older=older_lines(
            {name: people_by_version(figures).get(name, {})},
            published.version if published is not None else 0,
            places,
        ),
        title=shown(path.title),
        entered=sum(runs for (source, _), runs in edges.items() if not source),
        stages=stages,
        is_flow=bool(path.steps),
    )


def _stages(
    figures: dict[str, float], path: str, places: list[str], edges: Edges
) -> list[StageLine]:
    counts = stages_in(figures).get(path, {})
    return [
        _people(
            place,
            counts.get(place, {}),
            sum(runs for (_, target), runs in edges.items() if target == place),
        )
        for place in places
    ]


def _gone(edges: Edges) -> list[Edge]:
    return [Edge(source=s, target=t, runs=runs) for (s, t), runs in edges.items()]


def _people(name: str, counts: dict[str, int], reached: int) -> StageLine:
    going = sum(counts.get(status, 0) for status in GOING)
    calls = sum(counts.get(status, 0) for status in CALLS)
    won = counts.get("won", 0)
    return StageLine(
        name=name,
        reached=reached,
        going=going,
        calls=calls,
        won=won,
        over=sum(counts.values()) - going - calls - won,
    )


def _node(line: StageLine) -> StageNode:
    return StageNode(
        **msgspec.structs.asdict(line),
        on="",
        is_opportunity=False,
        is_hold=False,
        email=[],
        variants=[],
    )


def _put_email(
    node: StageNode,
    stage: StageRule,
    rules: CompiledRules,
    arms: dict[str, ArmLine],
    sent: dict[str, Sent],
) -> None:
    """Add what is said of a stage, or of a step that sends an e-mail."""
    node.on = node.on or ON.get(stage.on) or f"cohort {stage.on_cohort}"
    node.is_opportunity, node.is_hold = stage.opportunity, stage.hold
    node.email = [*_email(stage.email), *node.email]
    node.variants = [
        _variant(
            template, cohort, stage.email, rules, arms.get(template), sent.get(template, Sent())
        )
        for template, cohort in stage.email.templates
    ]


def _variant(
    template: str,
    cohort: str | None,
    step: EmailStep,
    rules: CompiledRules,
    arm: ArmLine | None,
    sent: Sent,
) -> VariantLine:
    attempts = [str(n) for n, each in enumerate(step.default_templates, 1) if each == template]
    if template in step.default_first:
        attempts = ["1, before all others"]
    rate = weighed = ""
    if arm is not None:
        weighed = f"{arm.successes:,.1f} answers of {arm.exposures:,.1f} sends"
        rate = f"{percent(arm.rate)} ({percent(arm.low)} to {percent(arm.high)})"
    return VariantLine(
        template=template,
        subject=shown(rules.templates[template].subject),
        meant_for=cohort or "",
        default=", ".join(attempts),
        sent=sent.sent,
        bounced=sent.bounced,
        opened=sent.opened,
        clicked=sent.clicked,
        weighed=weighed,
        rate=rate,
    )


def _email(step: EmailStep) -> list[tuple[str, str]]:
    when = (
        "at once"
        if step.timing == "now"
        else f"at the best hour within {counted(step.window_hours, 'hours')}"
    )
    hours = ", ".join(f"{hour}:00" for hour in step.default_hours)
    different = " and ".join(step.different) or "nothing"
    return [
        ("e-mail", step.name),
        ("goes out", when),
        ("hours by the rules", f"{hours} (the first attempt here, the second, …)"),
        ("differs from the last in", different),
    ]


def _channel(channel: str) -> str:
    return "on all channels together" if channel == "total" else f"by {channel}"


def _quiet(path: PathRule) -> str:
    if path.quiet_from == path.quiet_to:
        return "none"
    return f"{path.quiet_from}:00 to {path.quiet_to}:00 in the visitor's zone"


def facts_of(path: PathRule) -> list[tuple[str, str]]:
    """Return what holds for the whole path, in words."""
    caps = "; ".join(
        f"{cap.count:,} {_channel(cap.channel)} in any {counted(cap.hours, 'hours')}"
        for cap in path.caps
    )
    return [
        ("goal", ", ".join(sorted(path.goal_events))),
        ("entered by", f"{path.entry.said}, again {path.reentry.replace('_', ' ')}"),
        (
            "attempts",
            f"{path.attempts_total} in all, {path.attempts_after_open} more after an open without a click",
        ),
        ("answers are waited for", counted(path.response_window_hours, "hours")),
        ("quiet hours", _quiet(path)),
        ("limits", caps or "none"),
        ("afterwards", f"a person is called: {shown(path.alert)}"),
    ]
