"""Hold what a flow asks right after another version was published: Behavior and Rules together, letter by letter."""

from __future__ import annotations

from datetime import timedelta
from textwrap import dedent

import msgspec
import pytest

from agents.behavior_bot.filling import history_of
from agents.protocol.bot import View
from agents.rules_manager.flow import HISTORY_MAX
from config.load import compile_files
from messaging.vocabulary.events import EntryAsked, Record, RulesFilled, RulesPublished
from messaging.vocabulary.ids import position
from messaging.vocabulary.messages import Arrived
from tests.behavior_builders import Ann, a_record
from tests.flow_builders import HEAD, files_of
from tests.rules_builders import MONDAY, PATH, VISITOR
from tests.unit.test_since_entry import Both, asking

READ = "{event: {name: Doc Read, properties: {doc: x}}}"
GOLD = "{trait: {name: plan, equals: gold}}"
BY_API = "entry: {event: Flow Go, api: true}"


def now_asking(question: str) -> str:
    """Return a flow whose first step asks at once."""
    return asking(question).removeprefix("- {name: rest, wait: {hours: 1}}\n")


class Published(Both):
    """Let a visitor live by one version, then publish another whose flow asks something."""

    def __init__(self, question: str) -> None:
        super().__init__("- {name: rest, wait: {hours: 1}}\n", publication=1)
        self.question = question

    def publish(self, interaction: str = "", *, rests: bool = False) -> None:
        """Publish the second version."""
        head = HEAD.replace("entry: {cohort: addressable-lead}", BY_API)
        steps = asking(self.question) if rests else now_asking(self.question)
        files = files_of(steps, head)
        if interaction:
            files["cohorts.yaml"] += f"  has-read: {{when: {READ}}}\n"
            files["interactions/notice.yaml"] = dedent(interaction)
        rules = compile_files(files, 2)
        pinned = {**self.rules.view.pinned, 2: rules}
        view = View(rules, 2, pinned, {}, holdout=0.0, publication=2)
        self.rules.view = self.behavior.view = view

    def tell(self, fact: EntryAsked | RulesFilled | RulesPublished) -> None:
        """Let a fact of our own arrive."""
        self.number += 1
        now = self.rules.now
        body = msgspec.json.encode(fact)
        record = Record(position(2, self.number), f"f{self.number}", 0, now, now, "", body)
        self.carry(self.behavior.take(Arrived(VISITOR, now, record), now))

    def fill(self, *, read: bool, publication: int = 2) -> None:
        """Bring the history: whether doc x was read."""
        lived = Ann(self.behavior.view, VISITOR)
        if read:
            fields = {"event": "Doc Read", "properties": {"doc": "x"}, "anonymousId": "a1"}
            lived.sees(a_record(1, at=MONDAY, taken=MONDAY, type="track", **fields))
        self.tell(history_of(lived.state, VISITOR, VISITOR, publication))

    @property
    def story(self) -> list[str]:
        """Return the kinds of what Rules told of the visitor."""
        return [each.kind for each in self.rules.effects if hasattr(each, "kind")]


def test_who_is_let_in_by_the_api_first_of_all_is_asked_by_what_is_known() -> None:
    both = Published(GOLD)
    both.does("identify", traits={"plan": "gold"})
    both.publish()
    both.tell(EntryAsked(visitor=VISITOR, path=PATH, key=""))
    both.passes(1)
    assert both.tags == ["yes"]


@pytest.mark.parametrize(("read", "tag"), [(True, "yes"), (False, "no")])
def test_a_question_waits_until_the_history_that_it_looks_at_is_there(read: bool, tag: str) -> None:
    both = Published(READ)
    both.publish()
    both.does("track", "Flow Go")
    both.passes(1)
    assert both.tags == []
    assert both.story[-1] == "step.awaits_history"
    both.fill(read=read)
    assert both.tags == [tag]
    assert both.rules.state.undecided == {}
    both.passes(48)
    assert both.tags == [tag]
    assert both.story.count("step.awaits_history") == 1


def test_a_history_that_does_not_come_is_not_waited_for_forever() -> None:
    both = Published(READ)
    both.publish()
    both.does("track", "Flow Go")
    limit = HISTORY_MAX / timedelta(hours=1)
    both.passes(limit - 0.1)
    assert both.tags == []
    both.passes(0.2)
    assert both.tags == ["no"]
    both.fill(read=True)
    assert both.tags == ["no"]


def test_what_is_published_again_meanwhile_does_not_let_a_question_be_answered() -> None:
    both = Published(READ)
    both.publish()
    both.does("track", "Flow Go")
    view = msgspec.structs.replace(both.rules.view, publication=3)
    both.rules.view = both.behavior.view = view
    both.does("track", "Something Else")
    both.fill(read=True)
    assert both.tags == []
    both.fill(read=True, publication=3)
    assert both.tags == ["yes"]


def test_a_run_that_goes_over_to_the_version_is_asked_once_its_history_is_there() -> None:
    both = Published(READ)
    both.does("track", "Form Sent")
    both.publish(rests=True)
    both.tell(RulesPublished(visitor=VISITOR, version=2, action="migrate", by="kim"))
    both.passes(2)
    assert both.run.version == 2
    assert both.tags == []
    both.fill(read=True)
    assert both.tags == ["yes"]


def test_nobody_is_offered_what_their_history_may_keep_from_them() -> None:
    both = Published(GOLD)
    notice = """\
        title: A notice
        type: notice_bar
        when: {cohort: in-cart, unless: has-read}
        minutes: 30
        frequency: {per_session: 1, per_day: 3}
        content: {title: Look, text: Here, dismiss: Close}
    """
    both.publish(notice)
    both.does("track", "Product Added", properties={"product_id": "p1"})
    refused = [each for each in both.rules.effects if getattr(each, "kind", "") == "offer.refused"]
    assert [each.detail["rule"] for each in refused] == ["awaits_history"]
    both.fill(read=True)
    assert both.rules.state.cohorts.count("has-read") == 1
