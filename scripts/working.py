"""Count who does the work of marketing, by kind of task: the machine, or people.

Rules
1. Both counts stand there, never a ratio alone: a share hides how much there was to do.
2. A task is a person's when a person did it for somebody (settled an alert, sent by hand) or decided it for all
   (published rules). What the machine did by rules that a person wrote is the machine's.
"""

from __future__ import annotations

from typing import Any

from messaging.gateway.told import TaskNow


def tasks(facts: dict[str, Any]) -> list[TaskNow]:
    """Return each kind of task with both counts; `facts`: see `agents.runtime.looking`."""
    counts, kinds, acts = facts["counts"], facts["kinds"], facts["acts"]
    begun = sum(counts["runs"].values())
    again = min(begun, acts.get("alert.resumed", 0) + acts.get("alert.changed", 0))
    offers = sum(counts["engagements"].values())
    people = counts["people"]["people"]
    what = kinds.get("template", 0) + kinds.get("interaction", 0)
    rows = (
        ("Set the strategy", "versions published", 0, acts.get("rules.published", 0)),
        ("Segment", "people sorted into cohorts", people, 0),
        ("Score", "people scored", people, 0),
        ("Choose whom", "runs of a path begun", begun - again, again),
        ("Choose what", "templates and offers picked", what, 0),
        ("Choose when", "hours picked", kinds.get("send_hour", 0), 0),
        (
            "Send",
            "e-mails handed over, offers made",
            counts["sends"]["handed over"] + offers,
            acts.get("template.tested", 0),
        ),
        ("Follow up", "e-mails after the first", counts["follow_ups"], 0),
        ("Hand over", "alerts raised, alerts answered", counts["alerts"], facts["by_people"]),
    )
    return [TaskNow(name=n, counted=c, machine=int(m), people=int(p)) for n, c, m, p in rows]
