"""Count who does the work of marketing, by kind of task: the machine, or people.

Rules
1. Both counts stand there, never a ratio alone: a share hides how much there was to do.
2. A task is a person's when a person did it for that visitor and step: put them on a list, imported them, let them in
   (also by the API), ordered a broadcast, settled an alert; or left the machine nothing to choose (one template, a
   fixed time, the rules' default). The bots count so, where the work is done (`agents.rules_manager.working`,
   Behavior's figures).
3. What a person cannot do here has no share: it would be the machine's by construction.
"""

from __future__ import annotations

from typing import Any

from messaging.gateway.told import TaskNow

Pair = tuple[int, int]
"""What the machine did, and what people did."""

STRATEGY, SCORE = "Set the strategy", "Score"
ALONE = frozenset({STRATEGY, SCORE})
"""Tasks that only one of the two can do."""


def tasks(facts: dict[str, Any]) -> list[TaskNow]:
    """Return each kind of task with both counts; `facts`: see `agents.runtime.looking`."""
    counts, acts = facts["counts"], facts["acts"]
    work = counts["work"]
    changed, settled = acts.get("alert.changed", 0), facts["by_people"]
    offers = sum(counts["engagements"].values())
    mailed = _pair(work, "send")
    # What is no marketing (thanks, confirmations) is in the ledger and no work of Rules'.
    sent = counts["sends"]["handed over"] - mailed[1]
    rows: tuple[tuple[str, str, Pair], ...] = (
        (STRATEGY, "versions published", (0, acts.get("rules.published", 0))),
        (
            "Segment",
            "people in a cohort, on a list, imported, set to a stage",
            _plus(_pair(work, "segment"), (0, changed)),
        ),
        (SCORE, "scores kept of people", _pair(work, "score")),
        ("Choose whom", "runs of a path begun, broadcasts planned", _pair(work, "whom")),
        (
            "Choose what",
            "templates of marketing e-mails, offers on the site",
            _plus(_pair(work, "what"), _pair(work, "offer")),
        ),
        ("Choose when", "hours of marketing e-mails", _pair(work, "when")),
        (
            "Send",
            "e-mails handed over, offers made",
            (max(0, sent) + offers, mailed[1] + acts.get("template.tested", 0)),
        ),
        (
            "Follow up",
            "e-mails after the first, or after a person resumed",
            _pair(work, "follow_up"),
        ),
        (
            "Hand over",
            "alerts: open or settled by itself; settled by a person",
            (max(0, counts["alerts"] - settled), settled),
        ),
    )
    return [
        TaskNow(name=n, counted=c, machine=m, people=p, shared=n not in ALONE)
        for n, c, (m, p) in rows
    ]


def both(told: list[TaskNow]) -> Pair:
    """Return what the machine and what people did of all tasks that both can do."""
    shared = [task for task in told if task.shared]
    return sum(task.machine for task in shared), sum(task.people for task in shared)


def _pair(work: dict[str, dict[str, int]], task: str) -> Pair:
    done = work.get(task, {})
    return done.get("machine", 0), done.get("people", 0)


def _plus(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]
