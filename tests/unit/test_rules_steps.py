"""One visitor step by step under a draft: the words of their story, beside what the published rules do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.ids import visitor_id_for
from scripts.folder import Refused
from scripts.rules_steps import Stepped, lines, stepped
from scripts.rules_try import DRAFT
from tests.unit.test_rules_try import PATH, START, events, rules

BOB, ANN = visitor_id_for("u:bob"), visitor_id_for("u:ann")


def told_of(draft: CompiledRules, visitor: str, database: MemoryDatabase | None = None) -> Stepped:
    published = rules(1)
    view = View(published, 1, {1: published}, {}, holdout=0.0, learning=False)
    store = MemoryStore(database or MemoryDatabase())
    return asyncio.run(stepped(store, events(), view, draft, visitor))


def test_the_same_rules_take_the_same_steps_and_each_stands_once():
    told = told_of(rules(DRAFT), BOB)
    assert (told.visitor, told.events) == (BOB, 2)
    assert (told.since, told.until) == (START, START + timedelta(days=3))
    assert {step.side for step in told.steps} == {"both"}
    says = [step.says for step in told.steps]
    assert f"entered path {PATH} (run 1) at stage invited" in says
    assert 'did "Product Added"' in says
    assert says.index("said who they are") < says.index('did "Product Added"')
    times = [step.at for step in told.steps]
    assert times == sorted(times)
    assert next(iter(lines(told))).startswith(f"visitor {BOB}: 2 events from 2026-11-02 09:00")
    assert "the draft and the published rules do the same" in list(lines(told))


def test_what_only_one_side_does_is_marked():
    told = told_of(rules(DRAFT, "in-cart"), BOB)
    entered = [(step.at, step.side) for step in told.steps if "entered path" in step.says]
    assert entered == [(START, "published"), (START + timedelta(hours=1), "draft")]
    assert next(step.by for step in told.steps) == "Visitor"
    text = list(lines(told))
    assert "+ only the draft does so, - only the published rules do" in text
    assert any(line.startswith("- 2026-11-02 09:00:00  Rules Manager: entered") for line in text)
    assert any(line.startswith("+ 2026-11-02 10:00:00  Rules Manager: entered") for line in text)


def test_nobody_else_is_in_it_and_all_ids_of_a_visitor_are():
    """A key that the store has given to somebody, also by a merge, leads to them."""
    assert "Product Added" not in str(told_of(rules(DRAFT), ANN).steps)
    database = MemoryDatabase()
    database.identity |= {"u:bob": (BOB, 1), f"v:{BOB}": (ANN, 1), "u:ann": (ANN, 1)}
    told = told_of(rules(DRAFT), ANN, database)
    assert told.events == 4
    assert "Product Added" in str(told.steps)


def test_who_did_nothing_in_this_time_is_said():
    with pytest.raises(Refused, match="no event of visitor nobody was journaled"):
        told_of(rules(DRAFT), "nobody")


def test_nothing_is_written():
    database = MemoryDatabase()
    told_of(rules(DRAFT), BOB, database)
    assert vars(database) == vars(MemoryDatabase())
