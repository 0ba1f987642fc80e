"""A paused path plans and sends nothing, and loses nothing; an archived one lets nobody in."""

from __future__ import annotations

import msgspec
import pytest

from agents.runtime.batch import describe
from agents.runtime.views import PAUSE, ViewLoader, ViewSettings, held_paths, held_text
from config.load import compile_files
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import CallWebhook, LogDecision, LogStory, Tell
from messaging.vocabulary.messages import MergedInto, MergeStarted, StateMerged, TraitsSet
from tests.flow_builders import a_flow
from tests.rules_builders import PATH, VISITOR, OneVisitor, a_view

PAUSED = frozenset({PATH})


def pause(one: OneVisitor) -> None:
    """Pause the path."""
    one.view = msgspec.structs.replace(one.view, paused=PAUSED)


def resume(one: OneVisitor) -> None:
    """Let the path go on."""
    one.view = msgspec.structs.replace(one.view, paused=frozenset())


def decisions(one: OneVisitor) -> int:
    """Count what was decided."""
    return sum(isinstance(effect, LogDecision) for effect in one.effects)


def test_what_is_due_waits_and_goes_after_the_pause() -> None:
    one = OneVisitor().enter()
    pause(one)
    one.pass_time(24 * 7)
    assert one.plans == []
    assert (one.run.status, one.run.planned_at) == ("planned", None)
    resume(one)
    one.pass_time(26)
    assert len(one.plans) == 1
    assert [e.kind for e in one.effects if isinstance(e, LogStory)].count("run.held") == 1


def test_who_enters_meanwhile_is_let_in_and_nothing_is_decided_for_them() -> None:
    one = OneVisitor()
    pause(one)
    one.enter()
    one.pass_time(48)
    assert (one.run.status, one.plans, decisions(one)) == ("planned", [], 0)
    resume(one)
    one.pass_time(26)
    assert len(one.plans) == 1


def test_a_window_that_ends_during_a_pause_leads_to_the_next_e_mail_after_it() -> None:
    one = OneVisitor().enter()
    one.pass_time(25)
    assert len(one.plans) == 1
    pause(one)
    one.pass_time(24 * 10)
    assert len(one.plans) == 1
    resume(one)
    one.pass_time(26)
    assert len(one.plans) == 2


def test_who_is_held_while_a_merge_is_awaited_is_not_forgotten() -> None:
    one, younger = OneVisitor().enter(), OneVisitor()
    pause(one)
    one.pass_time(30)
    one.take(MergeStarted(VISITOR, one.now, "b" * 24))
    one.pass_time(24)  # the look again comes while nothing is looked at
    resume(one)
    effects = younger.take(MergedInto(VISITOR, one.now, VISITOR))
    (state,) = [
        e.message.state
        for e in effects
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    ]
    one.take(StateMerged(VISITOR, one.now, "b" * 24, state))
    one.pass_time(30)
    assert len(one.plans) == 1


def test_the_goal_ends_a_run_that_waits() -> None:
    one = OneVisitor().enter()
    pause(one)
    one.pass_time(48)
    one.buy()
    resume(one)
    one.pass_time(24 * 10)
    assert (one.run.status, one.plans) == ("won", [])


def test_an_archived_path_lets_nobody_in_and_whoever_is_on_it_goes_on() -> None:
    late = OneVisitor(a_view(archived=PAUSED)).enter()
    assert late.state.runs == {}
    assert [e.detail["rule"] for e in late.effects if isinstance(e, LogStory)] == ["archived"]
    early = OneVisitor().enter()
    early.view = msgspec.structs.replace(early.view, archived=PAUSED)
    early.pass_time(26)
    assert len(early.plans) == 1


@pytest.mark.parametrize(
    ("document", "paused", "archived"),
    [
        (None, set(), set()),
        ({"paths": "all"}, set(), set()),
        ({"paths": ["b", "a"]}, {"a", "b"}, set()),
        ({"paths": "all", "archived": ["c"]}, set(), {"c"}),
        ({"paths": ["a"], "archived": ["c", "d"]}, {"a"}, {"c", "d"}),
    ],
)
async def test_a_view_says_what_is_held_and_a_replay_finds_it_again(
    document: dict[str, object] | None, paused: set[str], archived: set[str]
) -> None:
    store = MemoryStore(MemoryDatabase())
    loader = ViewLoader(store, ViewSettings(mailbox=lambda address: address), compile_files)
    first = await loader.load()
    if document is not None:
        await store.put_document(*PAUSE, document)
    now = await loader.changed() or first
    assert (now.paused, now.archived) == (paused, archived)
    again = await loader.at(0, {}, describe(1, now))
    assert (again.paused, again.archived) == (paused, archived)
    assert held_paths(held_text(now.paused, now.archived)) == (paused, archived)
    assert ("held=" in describe(1, now)) == bool(paused or archived)


def test_a_flow_that_is_paused_reaches_out_to_nobody_and_takes_each_step_once_after_it() -> None:
    one = OneVisitor(
        a_flow(
            """
- {name: rest, wait: {hours: 2}}
- {name: mark, tag: reached}
- {name: ask, webhook: {url: 'https://crm.example/score'}}
"""
        )
    ).enter()
    pause(one)
    one.pass_time(24)
    assert (one.run.stage, reached_out(one)) == ("mark", [])
    resume(one)
    one.pass_time(1)
    assert (one.run.stage, reached_out(one)) == ("ask", ["TraitsSet", "CallWebhook"])


def reached_out(one: OneVisitor) -> list[str]:
    """Return what a flow wanted of others."""
    told = [e.message if isinstance(e, Tell) else e for e in one.effects]
    return [type(e).__name__ for e in told if isinstance(e, TraitsSet | CallWebhook)]
