"""Hold what a flow asks of what was done since its run began: Behavior and Rules together, letter by letter."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Any

import pytest

from agents.behavior_bot.merge import pack, unpack
from agents.behavior_bot.state import ENTERED_MAX, BehaviorState, note_entered
from agents.rules_manager.state import Run
from config.load import validate_files
from messaging.vocabulary.effects import Effect, Tell
from messaging.vocabulary.messages import Message, RunBegan, RunNoted, StateMerged
from tests.behavior_builders import Ann, a_record
from tests.flow_builders import HEAD, a_flow, files_of
from tests.rules_builders import MONDAY, PATH, VISITOR, OneVisitor

BY_FORM = HEAD.replace("entry: {cohort: addressable-lead}", "entry: {event: Form Sent}").replace(
    "goal:", "reentry: every_time\ngoal:"
)


class Both:
    """Carry letters between the two bots for one visitor, at once."""

    def __init__(self, steps: str, publication: int = 0) -> None:
        view = a_flow(steps, head=BY_FORM)
        view.publication = publication
        self.rules = OneVisitor(view)
        self.rules.notes = False
        self.behavior = Ann(view, VISITOR)
        self.behavior.now = MONDAY
        self.number = 0
        self.held: list[Message] | None = None
        """What Behavior is told, where it does not get it yet."""
        self.does("identify", traits={"email": "lead@example.com", "email_consent": True})

    def does(self, type_: str, name: str = "", path: str = "/", **more: Any) -> None:
        """Let the visitor do something."""
        self.number += 1
        now = self.rules.now
        more |= {"event": name} if name else {"context": {"page": {"path": path}}}
        fields = {"type": type_, "anonymousId": "a1", "userId": "u1"} | more
        self.carry(self.behavior.sees(a_record(self.number, at=now, taken=now, **fields)))

    def passes(self, hours: float) -> None:
        """Let time pass for both."""
        before = len(self.rules.effects)
        self.rules.pass_time(hours)
        self.behavior.now = self.rules.now
        self.carry(self.behavior.wakes_until(self.rules.now))
        self.carry(self.rules.effects[before:])

    def carry(self, effects: list[Effect]) -> None:
        """Carry letters until there is none."""
        letters = deque(each for each in effects if isinstance(each, Tell))
        while letters:
            letter = letters.popleft()
            if letter.bot == "rules":
                letters += [e for e in self.rules.take(letter.message) if isinstance(e, Tell)]
            elif letter.bot == "behavior" and self.held is not None:
                self.held.append(letter.message)
            elif letter.bot == "behavior":
                told = self.behavior.take(letter.message, self.rules.now)
                letters += [e for e in told if isinstance(e, Tell)]

    @property
    def run(self) -> Run:
        """Return the newest run."""
        return list(self.rules.state.runs.values())[-1]

    @property
    def tags(self) -> list[str]:
        """Return the tags that were set, in order."""
        state = self.behavior.state
        found = [(s.at, name[5:]) for name, s in state.traits.items() if name.startswith("tags.")]
        return [name for _, name in sorted(found)]


def asking(question: str) -> str:
    return (
        "- {name: rest, wait: {hours: 1}}\n"
        f"- name: q\n  if: {question}\n  then: [{{name: y, tag: yes}}]\n  else: [{{name: n, tag: no}}]"
    )


FORM = "{event: {name: Form Sent, since_entry: true}}"


def test_what_began_the_run_lies_before_it() -> None:
    both = Both(asking(FORM))
    both.does("track", "Form Sent")
    both.passes(2)
    assert both.tags == ["no"]


def test_what_was_done_since_is_counted() -> None:
    both = Both(
        asking("{event: {name: View, properties: {sku: a}, at_least: 2, since_entry: true}}")
    )
    both.does("track", "View", properties={"sku": "a"})
    both.passes(0.1)
    both.does("track", "Form Sent")
    for sku in ("a", "b", "a"):
        both.passes(0.1)
        both.does("track", "View", properties={"sku": sku})
    both.passes(2)
    assert both.tags == ["yes"]


@pytest.mark.parametrize(
    "question",
    [
        "{not_event: {name: View, since_entry: true}}",
        "{not: {page: {starts_with: /pricing, since_entry: true}}}",
        "{not: {any: [{event: {name: View, since_entry: true}}]}}",
    ],
)
def test_what_was_done_before_is_not(question: str) -> None:
    both = Both(asking(question))
    both.does("track", "View")
    both.does("page", path="/pricing")
    both.passes(0.1)
    both.does("track", "Form Sent")
    both.passes(2)
    assert both.tags == ["yes"]


def test_a_page_is_waited_for() -> None:
    both = Both(
        "- name: q\n  wait_until: {when: {page: {contains: pricing, since_entry: true}}, at_most_hours: 9}\n"
        "  else: [{name: n, tag: no}]\n- {name: y, tag: came}"
    )
    both.does("page", path="/pricing")
    both.passes(0.1)
    both.does("track", "Form Sent")
    both.passes(1)
    assert both.tags == []
    both.does("page", path="/pricing/big")
    assert both.tags == ["came"]


def test_a_second_run_asks_anew() -> None:
    """By what the first one left, Behavior still says yes when the second begins."""
    both = Both(
        f"- name: q\n  if: {FORM}\n  then: [{{name: y, tag: yes}}]\n  else: [{{name: n, tag: no}}]"
    )
    both.does("track", "Form Sent")
    assert both.tags == ["no"]
    both.passes(0.1)
    both.does("track", "Form Sent")
    assert both.tags == ["no"]
    assert f".{PATH}.q" not in both.rules.state.cohorts


def test_nothing_is_decided_before_behavior_knows_when_the_run_began() -> None:
    both = Both(asking(FORM))
    both.does("track", "Form Sent")
    both.held = []
    both.passes(1.5)
    assert (both.run.stage, both.run.status) == ("q", "waiting")
    assert {type(each) for each in both.held} == {RunBegan}
    both.does(
        "track", "Form Sent"
    )  # another run; the first is asked about what came since it began
    both.passes(30)
    asked = [each for each in both.held if isinstance(each, RunBegan)]
    assert len({each.run for each in asked}) < len(asked), "who gets no answer asks again"
    letters, both.held = both.held, None
    both.carry([Tell("behavior", each) for each in letters])
    assert not both.run.active


def test_an_answer_about_another_run_or_a_late_one_changes_nothing() -> None:
    both = Both(asking(FORM))
    both.does("track", "Form Sent")
    number = both.run.run
    both.rules.take(RunNoted(VISITOR, both.rules.now, PATH, number))
    assert both.run.stage == "rest"
    both.passes(2)
    before = both.run.status
    both.rules.take(RunNoted(VISITOR, both.rules.now, PATH, number))
    assert (before, both.run.status) == ("ended", "ended")


def test_of_two_halves_the_later_beginning_is_known_and_the_newest_few_are_kept() -> None:
    ann, bob = Ann(), Ann(visitor="b" * 24)
    note_entered(ann.state, "p", 5.0)
    note_entered(bob.state, "p", 7.0)
    note_entered(bob.state, "q", 3.0)
    ann.take(StateMerged(ann.visitor, ann.now, bob.visitor, pack(bob.state)))
    assert ann.state.entered == {"p": 7.0, "q": 3.0}
    state = BehaviorState()
    for number in range(ENTERED_MAX + 5):
        note_entered(state, f"p{number}", float(number))
    assert list(state.entered.values()) == [float(n) for n in range(5, ENTERED_MAX + 5)]
    assert unpack(pack(state)).entered == state.entered


def test_a_cohort_is_of_no_run() -> None:
    files = files_of("- {name: a, tag: x}")
    files["cohorts.yaml"] += (
        "  eager:\n    when:\n      event:\n        name: View\n        since_entry: true\n"
    )
    (error,) = validate_files(files)
    assert (error.file, error.line) == ("cohorts.yaml", files["cohorts.yaml"].count("\n"))
    assert "a cohort is of no run" in error.problem
    assert "within_days" in error.hint


def test_since_entry_and_a_window_exclude_each_other() -> None:
    steps = asking("{event: {name: View, since_entry: true, within_days: 3}}")
    (error,) = validate_files(files_of(steps))
    assert "since_entry and a window exclude each other" in error.problem


def test_the_time_of_a_run_is_that_of_its_cause() -> None:
    both = Both(asking(FORM))
    both.does("track", "Form Sent")
    entered = both.run.entered_at
    both.passes(2)
    assert both.behavior.state.entered == {PATH: entered.timestamp()}
    assert entered == MONDAY + timedelta(0)
