"""The Email bot under every order of messages: goal and unsubscribe win, each send ends once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.email_bot.bot import EmailBot
from agents.email_bot.state import EmailState
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from messaging.vocabulary import effects as fx
from messaging.vocabulary import messages as msg

BOT = EmailBot()
VISITOR = "a1" * 12
START = datetime(2024, 5, 6, 10, tzinfo=UTC)
FINAL = {"handed over", "bounced", "uncertain", "refused", "cancelled", "given up"}
PATH = SimpleNamespace(success=SimpleNamespace(template="thanks"), sender="shop", priority=0)
RULES = SimpleNamespace(paths={"a": PATH, "b": PATH})


class Post:
    """Play the runtime for one visitor: line, sessions and wake-ups, and check each step."""

    def __init__(self):
        self.state = EmailState()
        self.now = START
        self.queue = []
        self.at_smtp = []
        self.wakes = {}
        self.left = False
        self.goals = {}
        self.requested = {}
        self.finals = Counter()
        self.settled = Counter()
        self.handed = Counter()
        self.suppressed = frozenset()

    def take(self, message):
        view = View(RULES, 1, {}, {}, suppressed=self.suppressed)
        before = msgspec.msgpack.encode(self.state)
        copy = msgspec.msgpack.decode(before, type=EmailState)
        found = BOT.step(self.state, message, self.now, view, Draw)
        again = BOT.step(copy, message, self.now, view, Draw)
        assert found == again, "the same inputs give the same step"
        self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=EmailState)
        for effect in found:
            self._check(effect)

    def _check(self, effect):
        match effect:
            case fx.QueueSend(send):
                self.queue.append(send)
            case fx.HandOver(plan):
                assert self.state.open[plan.send_id].status == "handing over"
                if not plan.success:
                    assert not self.left, "nothing after the unsubscribe"
                    goal = self.goals.get(plan.path)
                    assert goal is None or plan.entered_at > goal, "nothing after the goal"
                    assert self.state.may_email
                self.handed[plan.send_id] += 1
                self.at_smtp.append(plan.send_id)
            case fx.WakeAt(key, at):
                assert at > self.now
                self.wakes[key] = at
            case fx.CancelWake(key):
                self.wakes.pop(key, None)
            case (
                fx.PutSend(plan, status, left=True)
                | fx.PutSend(plan, status, opened=True)
                | fx.PutSend(plan, status, clicked=True)
            ):
                # By which e-mail somebody left, and what people answered, is noted in its row; how it ended stays.
                assert self.finals[plan.send_id] == 1
                assert status == "handed over"
            case fx.PutSend(plan, status):
                assert plan.send_id not in self.finals or status == "handed over"
                if status in FINAL:
                    self.finals[plan.send_id] += 1
            case fx.Tell("rules", msg.SendSettled(send_id=send)):
                self.settled[send] += 1

    def request(self, number, path, minutes_ago):
        plan = msg.SendPlan(
            send_id=f"s{number}",
            path=path,
            run="1",
            stage="new",
            step="first",
            attempt=1,
            template="hello",
            rules_version=1,
            entered_at=self.now - timedelta(minutes=minutes_ago),
            sender="shop",
        )
        self.requested.setdefault(plan.send_id, plan)
        self.take(msg.SendRequested(VISITOR, self.now, self.requested[plan.send_id]))

    def identify(self, *, may_email):
        by = ["assumed", "opt-in", "double-opt-in"] if may_email else []
        told = (VISITOR, self.now, "a@b.c", may_email, True, "UTC", 0, "", {})
        self.take(msg.Identified(*told, may_email_by=by))

    def goal(self, path, order):
        self.goals[path] = self.now
        self.take(msg.GoalReached(VISITOR, self.now, [path], order, 1.0, "EUR", "", "a@b.c"))

    def leave(self):
        self.left = True
        self.take(msg.Responded(VISITOR, self.now, "s0", "unsubscribed", 1.0))

    def give_session(self):
        if self.queue:
            self.take(msg.HandOverDue(VISITOR, self.now, self.queue.pop(0)))

    def answer(self, outcome):
        if self.at_smtp:
            send = self.at_smtp.pop(0)
            code = {"handed over": 250, "bounced": 554, "deferred": 451}.get(outcome, 0)
            self.take(msg.MailOutcome(VISITOR, self.now, send, outcome, code, "END: words"))

    def wake(self):
        if self.wakes:
            key, due = min(self.wakes.items(), key=lambda item: (item[1], item[0]))
            del self.wakes[key]
            self.now = max(self.now, due)
            self.take(msg.Woke(VISITOR, self.now, key, due, ""))

    def run_dry(self):
        """Stop all faults: every send must come to its end."""
        for _ in range(200):
            if not (self.queue or self.at_smtp or self.wakes):
                break
            self.give_session()
            self.answer("handed over")
            if not self.queue and not self.at_smtp:
                self.wake()
        assert not self.state.open
        for send in self.requested:
            assert self.finals[send] == 1, "each send ends in exactly one final status"
            assert self.settled[send] == 1, "Rules hears of each end once"
            assert self.handed[send] <= 8
        assert all(count == 1 for count in self.finals.values())


ACTIONS = st.one_of(
    st.tuples(st.just("request"), st.integers(0, 5), st.sampled_from("ab"), st.integers(-5, 60)),
    st.tuples(st.just("goal"), st.sampled_from("ab"), st.sampled_from(["o1", "o2"])),
    st.tuples(st.just("leave")),
    st.tuples(st.just("identify"), st.booleans()),
    st.tuples(st.just("give_session")),
    st.tuples(
        st.just("answer"),
        st.sampled_from(["handed over", "bounced", "deferred", "uncertain", "refused"]),
    ),
    st.tuples(st.just("wake")),
    st.tuples(st.just("pass_time"), st.integers(1, 120)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
@example([("request", 0, "a", 0), ("give_session",), ("answer", "handed over"), ("leave",)])
def test_whatever_the_order_goal_and_unsubscribe_win_and_each_send_ends_once(actions):
    post = Post()
    post.identify(may_email=True)
    for name, *values in actions:
        if name == "pass_time":
            post.now += timedelta(minutes=values[0])
        elif name == "identify":
            post.identify(may_email=values[0])
        else:
            getattr(post, name)(*values)
    post.run_dry()


def test_goal_request_session_and_outcome_in_every_order():
    """The four messages of a purchase that crosses an e-mail: 24 orders, with and without an unsubscribe."""
    for outcome in ("handed over", "bounced", "deferred", "uncertain", "refused"):
        for order in permutations(("goal", "request", "session", "outcome", "leave")):
            post = Post()
            post.identify(may_email=True)
            for name in order:
                match name:
                    case "goal":
                        post.goal("a", "o1")
                    case "request":
                        post.request(1, "a", 30)
                    case "session":
                        post.give_session()
                    case "outcome":
                        post.answer(outcome)
                    case "leave":
                        post.leave()
            post.run_dry()
            before = order.index("goal") < order.index("request")
            if before or order.index("leave") < order.index("request"):
                assert post.handed["s1"] == 0


def test_a_state_survives_a_merge_at_any_moment_without_a_second_hand_over():
    """The younger's send is at SMTP, deferred, waiting or done when the two become one."""
    for steps in range(5):
        post = Post()
        post.identify(may_email=True)
        script = [
            lambda p: p.request(1, "a", 30),
            lambda p: p.give_session(),
            lambda p: p.answer("deferred"),
            lambda p: p.wake(),
        ]
        for act in script[:steps]:
            act(post)
        view = View(RULES, 1, {}, {})
        found = BOT.step(
            post.state, msg.MergedInto(VISITOR, post.now, "b2" * 12), post.now, view, Draw
        )
        [handed_on] = [e.message for e in found if isinstance(e, fx.Tell) and e.bot == "email"]
        cancelled = [e for e in found if isinstance(e, fx.PutSend) and e.status == "cancelled"]
        older = Post()
        older.take(handed_on)
        at_smtp = steps == 2
        assert len(cancelled) == int(steps > 0 and not at_smtp)
        assert len(older.state.open) == int(at_smtp)
        assert older.handed == {}
