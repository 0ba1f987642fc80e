"""Say what a made-up person does with what the shop offers while they are there.

Rules
1. An offer is answered once; which answer follows from the chance that is given, not from when it is seen.
2. One thing is shown at a time, as `sdk.js` does it: what waits for nothing at once, an exit offer to who leaves.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import msgspec

from learning.audience.chance import Chance

LIKES_TO_ANSWER = {
    "opinion_form": 0.6,
    "chat_invitation": 0.5,
    "notice_bar": 0.4,
    "exit_offer": 0.35,
}
"""Type of what the shop offers -> the chance that it is taken up."""
OVERLOOKS = 0.2
"""Chance that it is neither taken up nor closed."""


class Answer(msgspec.Struct, frozen=True):
    """Hold what is done with an offer that was shown; `response` is empty for who overlooks it."""

    offer: str
    response: str
    answers: dict[str, str] = {}


def seen_of(
    offers: list[dict[str, Any]], *, leaving: bool, passed: Container[str] = ()
) -> dict[str, Any] | None:
    """Return the one of the offers that comes on the screen, None if none does.

    Args:
        offers: as the gateway lists them.
        leaving: they are about to leave.
        passed: ids of what they have seen before.
    """
    waits_for = "exit" if leaving else "now"
    fresh = (each for each in offers if each["id"] not in passed)
    return next((each for each in fresh if each["trigger"] == waits_for), None)


def answer_to(shown: dict[str, Any], chance: Chance, *, is_sure: bool = False) -> Answer:
    """Return what somebody does with an offer on the screen; who `is_sure` takes it up."""
    if is_sure or chance.happens(LIKES_TO_ANSWER.get(shown["type"], 0.0)):
        if shown["type"] != "opinion_form":
            return Answer(shown["id"], "clicked")
        return Answer(shown["id"], "submitted", _opinion(shown["content"]["fields"], chance))
    return Answer(shown["id"], "" if chance.happens(OVERLOOKS) else "dismissed")


def _opinion(fields: list[dict[str, Any]], chance: Chance) -> dict[str, str]:
    """Return answers to the questions that are answered by a choice."""
    return {
        field["name"]: field["options"][chance.below(len(field["options"]))]
        for field in fields
        if field.get("options")
    }
