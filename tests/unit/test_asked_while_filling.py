"""Hold what a flow asks right after another version was published: Behavior and Rules together, letter by letter."""

from __future__ import annotations

from textwrap import dedent

import msgspec

from agents.behavior_bot.filling import history_of
from agents.protocol.bot import View
from config.load import compile_files
from messaging.vocabulary.events import EntryAsked, Record, RulesFilled
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

    def publish(self, interaction: str = "") -> None:
        """Publish the second version."""
        head = HEAD.replace("entry: {cohort: addressable-lead}", BY_API)
        files = files_of(now_asking(self.question), head)
        if interaction:
            files["interactions/notice.yaml"] = dedent(interaction)
        rules = compile_files(files, 2)
        pinned = {**self.rules.view.pinned, 2: rules}
        view = View(rules, 2, pinned, {}, holdout=0.0, publication=2)
        self.rules.view = self.behavior.view = view

    def tell(self, fact: EntryAsked | RulesFilled) -> None:
        """Let a fact of our own arrive."""
        self.number += 1
        now = self.rules.now
        body = msgspec.json.encode(fact)
        record = Record(position(2, self.number), f"f{self.number}", 0, now, now, "", body)
        self.carry(self.behavior.take(Arrived(VISITOR, now, record), now))

    def fill(self, *, read: bool) -> None:
        """Bring the history: whether doc x was read."""
        lived = Ann(self.behavior.view, VISITOR)
        if read:
            fields = {"event": "Doc Read", "properties": {"doc": "x"}, "anonymousId": "a1"}
            lived.sees(a_record(1, at=MONDAY, taken=MONDAY, type="track", **fields))
        self.tell(history_of(lived.state, VISITOR, VISITOR, 2))

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
