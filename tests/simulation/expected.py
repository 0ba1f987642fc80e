"""Name what must occur in a run of many seeds: what never happens proves nothing.

Messages are all there are; the rest is what the routine's table and the ports can do.
"""

from __future__ import annotations

from typing import get_args

from messaging.vocabulary.messages import AnyMessage
from tests.simulation.chaos import PLANNED, PORTS
from tests.simulation.flows import KINDS

EXPECTED: dict[str, tuple[str, ...]] = {
    "faults": (*(kind for shares in PORTS for kind in shares), *PLANNED, "fenced"),
    "messages": tuple(message.__name__ for message in get_args(AnyMessage)),
    "send statuses": (
        "waiting",
        "handing over",
        "handed over",
        "deferred",
        "bounced",
        "refused",
        "cancelled",
        "uncertain",
    ),
    "moves": (
        "run (none) > planned",
        "run planned > sending",
        "run planned > visiting",
        "run planned > won",
        "run sending > waiting",
        "run sending > stopped",
        "run waiting > planned",
        "run waiting > visiting",
        "run waiting > alerted",
        "run waiting > won",
        "run waiting > stopped",
        "run visiting > planned",
        "run visiting > won",
        "run waiting > ended",
        "run alerted > closed",
        "run alerted > won",
        "decision interaction on_site",
        "decision interaction rules",
        "engagement (new) > offered",
        "engagement (new) > refused",
        "engagement offered > shown",
        "engagement offered > withdrawn",
        "engagement offered > expired",
        "engagement shown > clicked",
        "engagement shown > dismissed",
        "engagement shown > submitted",
        "engagement shown > withdrawn",
        "engagement shown > expired",
    ),
    "trainings": (
        "lesson probability/opportunity",
        "lesson probability/customer",
        "example of probability/opportunity got there",
        "example of probability/customer got there",
    ),
    "runtime": ("overlapped_total", "voided_total"),
    "stories": (
        "stage.reached opened",
        "stage.reached visited",
        "response.by_machine",
        "response.late",
        "alert.settled resume",
        "alert.settled change",
        "alert.settled close",
        "visitor.merged",
        "run.stopped unsubscribed",
        "run.stopped address bounced",
        "send.given_back",
        "touch.refused",
        "stage.reached talk",
        "offer.refused cap_day",
        "engagement.late",
        "social.asking again",
        "social.asked found",
        "social.asked nobody",
        "social.asked failed",
        "social.asked busy",
        "social.seen",
        "social.forgotten",
        "probability.moved",
        "form.answered",
        "run.migrated",
        *(f"step.reached {kind}" for kind in KINDS),
        "step.split letter",
        "step.split site",
        "step.waits",
        "step.came_true",
        "step.timed_out",
        "run.ended",
        "run.stopped another version was published",
    ),
}
