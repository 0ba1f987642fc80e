"""Whatever comes in whatever order: one look-up at a time, nobody who refused, and an end to every asking."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.social_bot.state import SOURCES
from messaging.vocabulary.effects import LookUp
from messaging.vocabulary.messages import LookedUp
from tests.social_builders import Visitor, finding

ADDRESSES = ("ann@example.com", "ann@work.example")
OUTCOMES = ("found", "nobody", "failed", "busy", "refused")


class Looking(RuleBasedStateMachine):
    """Say anything to one visitor's Social."""

    def __init__(self) -> None:
        super().__init__()
        self.ann = Visitor()
        self.said: list[LookUp] = []
        self.may = False

    def _note(self) -> None:
        for look_up in self.ann.look_ups():
            assert self.may, "nobody is asked about who refused"
            assert look_up.mailbox not in self.ann.suppressed
            assert look_up.address == self.ann.state.address
            assert self.ann.wakes, "a look-up whose answer is lost is said again"
            self.said.append(look_up)
        assert len(self.ann.look_ups()) <= 1
        assert len(self.ann.seen()) <= 1

    @rule(address=st.sampled_from(ADDRESSES), may=st.booleans())
    def identified(self, address: str, may: bool) -> None:
        self.may = may
        self.ann.identified(address, may=may)
        self._note()

    @precondition(lambda self: self.said)
    @rule(
        which=st.integers(0, 3),
        outcomes=st.tuples(*(st.sampled_from(OUTCOMES) for _ in SOURCES)),
    )
    def answered(self, which: int, outcomes: tuple[str, ...]) -> None:
        look_up = self.said[-1 - min(which, len(self.said) - 1)]
        said = dict(zip(SOURCES, outcomes, strict=True))
        findings = [finding(source, said[source]) for source in look_up.sources]
        self.ann.take(LookedUp(self.ann.visitor, self.ann.now, look_up.look_up_id, findings))
        self._note()

    @precondition(lambda self: self.ann.wakes)
    @rule()
    def woke(self) -> None:
        self.ann.wakes_up()
        self._note()

    @rule(address=st.sampled_from(ADDRESSES))
    def suppressed(self, address: str) -> None:
        self.ann.suppressed |= {address}

    @rule(hours=st.integers(1, 800))
    def time_passes(self, hours: int) -> None:
        due = min(self.ann.wakes.values(), default=None)
        if due is None or due > self.ann.now + timedelta(hours=hours):
            self.ann.passes(hours=hours)

    @invariant()
    def nothing_is_kept_of_who_refused(self) -> None:
        if not self.may:
            assert self.ann.state.findings == []
            assert self.ann.state.asking is None
            assert not self.ann.wakes

    @invariant()
    def a_source_stands_once(self) -> None:
        names = [each.source for each in self.ann.state.findings]
        assert len(names) == len(set(names))

    def teardown(self) -> None:
        for _ in range(80):
            if not self.ann.wakes:
                return
            self.woke()
        raise AssertionError("it asks for ever")


Looking.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLooking = Looking.TestCase
