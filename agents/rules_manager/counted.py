"""Say as what a run is counted, while it is the newest of its place and for good.

Rules
1. A run that another takes the place of stays counted: a path that is entered again and again has all its entries and
   all its goals, not those of the newest runs alone. Where people stand is told by the newest.
2. A run that a person opened in place of another, by resuming it, is that one going on: it is counted, and not both.
3. Of what is kept of a visitor's past runs there are at most `PAST_MAX` names; beyond it only those there count on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.rules_manager.state import Run

PAST_MAX = 48
"""Names under which one visitor's past runs are counted: eight a path, for the paths of the busiest."""

ARMS = "arms/"


def counts_of(run: Run, *, in_arms: bool) -> Counter[str]:
    """Return as what a run is counted wherever it stands.

    `arms/<path>/<rules or learning>/<entered or won>`, and `ways/<path>/<n>|<stage>|…` (see `way_of`). A flow's runs
    have no `ways`: `steps/<path>/<from>|<to>` for the way by which each step was first reached, `again/…` for the
    others that were gone, each once a run.
    """
    found: Counter[str] = Counter()
    if in_arms:
        arm = f"{ARMS}{run.path}/{'rules' if run.holdout else 'learning'}"
        found[f"{arm}/entered"] += 1
        if run.status == "won":
            found[f"{arm}/won"] += 1
    if run.came:
        for source, target in edges_of(run):
            found[f"steps/{run.path}/{source}|{target}"] += 1
        for source, target in returns_of(run):
            found[f"again/{run.path}/{source}|{target}"] += 1
    else:
        found[f"ways/{run.path}/{way_of(run)}"] += 1
    return found


def with_past(past: dict[str, int], run: Run, *, in_arms: bool) -> dict[str, int]:
    """Return the counts of past runs with one more: `past/<path>/<status>/<stage>`, and those of `counts_of`."""
    if run.broadcast is not None:
        return past
    status = "closed" if run.status == "alerted" else run.status
    return together(
        past,
        Counter({f"past/{run.path}/{status}/{run.stage}": 1}) + counts_of(run, in_arms=in_arms),
    )


def together(past: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Return both counts as one, within their bound."""
    found = dict(past)
    for name, count in more.items():
        if name in found or len(found) < PAST_MAX:
            found[name] = found.get(name, 0) + count
    return found


def without_arms(past: dict[str, int]) -> dict[str, int]:
    """Return the counts of one who was on both sides of the holdout: they are in no arm."""
    return {name: count for name, count in past.items() if not name.startswith(ARMS)}


def edges_of(run: Run) -> list[tuple[str, str]]:
    """Return by which ways a flow's run first came to its steps; from an empty name: it began there."""
    steps = list(run.reached)
    return [
        (steps[source] if source >= 0 else "", step)
        for step, source in zip(steps, run.came, strict=True)
    ]


def returns_of(run: Run) -> list[tuple[str, str]]:
    """Return by which other ways a flow's run came to steps where it had been."""
    steps = list(run.reached)
    return [(steps[source], steps[target]) for source, target in run.again]


def way_of(run: Run) -> str:
    """Return the stages that a run reached until it stood where it stands, by time, after how many it began with.

    Which of them were a step forward is told by the path's order, which a reader has (`agents.runtime.figures`).
    """
    stages = sorted(run.reached, key=run.reached.__getitem__)
    until = stages.index(run.stage) + 1 if run.stage in run.reached else 0
    begun = sum(run.reached[stage] <= run.entered_at for stage in stages[:until])
    return "|".join([str(begun), *stages[:until]])
