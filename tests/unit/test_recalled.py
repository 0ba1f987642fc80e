"""A try segments by what Social found in earnest, and asks nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.protocol.bot import View
from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from agents.social_bot.state import SocialState
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import LookUp
from messaging.vocabulary.ids import visitor_id_for
from messaging.vocabulary.plans import Finding
from scripts.recalled import what_was_found
from scripts.rules_steps import stepped
from scripts.rules_try import DRAFT, tried
from tests.unit.test_rules_try import START, events, rules

ANN = visitor_id_for("u:ann")
FINDINGS = [
    Finding("gravatar", ["gravatar.example"], START, "found", "", "professional"),
    Finding("activitypub", ["example.com"], START, "nobody"),
]


class Social(MemoryStore):
    """Know what was found of Ann, and of one who went on as somebody else."""

    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        codec = Codec(WIRING["social"].make())
        known = Held(SocialState(address="ann@example.com", findings=FINDINGS), {}, "", b"")
        moved = Held(SocialState(address="old@example.com", findings=FINDINGS), {}, ANN, b"")
        self.bodies = {ANN: codec.encode(known), "f" * 24: codec.encode(moved)}

    async def visitors(self, bot: str, after: str, limit: int) -> list[str]:
        return sorted(v for v in self.bodies if bot == "social" and v > after)[:limit]

    async def load(self, bot: str, visitors: list[str]) -> dict[str, bytes]:
        return {visitor: self.bodies[visitor] for visitor in visitors} if bot == "social" else {}


def a_view(*, social: bool = True) -> View:
    published = rules(1)
    return View(published, 1, {1: published}, {}, holdout=0.0, learning=False, social=social)


def asked_of(address: str, *sources: str) -> LookUp:
    return LookUp("l", address, address, list(sources), START)


async def test_what_stands_is_recalled_by_address_and_source_and_nothing_of_who_moved_on() -> None:
    recall = await what_was_found(Social())
    assert recall(asked_of("ann@example.com", "gravatar", "activitypub")) == FINDINGS
    assert recall(asked_of("ann@example.com", "activitypub")) == FINDINGS[1:]
    assert recall(asked_of("old@example.com", "gravatar")) == []
    assert recall(asked_of("bob@example.com", "gravatar")) == []


@pytest.mark.parametrize(("social", "found"), [(True, 1), (False, 0)])
def test_both_sides_of_a_try_know_who_has_a_profile(*, social: bool, found: int) -> None:
    view = a_view(social=social)
    told: Any = asyncio.run(tried(Social(), events(), view, rules(DRAFT), lambda *_: None))
    for side in (told.published, told.draft):
        assert (side.cohorts["presence-found"], side.cohorts["at-work"]) == (found, found)


def test_one_visitor_step_by_step_is_segmented_alike() -> None:
    with_, without = (
        asyncio.run(stepped(Social(), events(), a_view(social=on), rules(DRAFT), ANN)).steps
        for on in (True, False)
    )
    assert {step.side for step in with_} == {"both"}
    assert [step.says for step in with_] != [step.says for step in without]
