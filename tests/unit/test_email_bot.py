"""The Email bot, one message at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from agents.email_bot.bot import EmailBot
from agents.email_bot.state import PAST_MAX, EmailState, unpack
from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.runtime.tables import row_for
from messaging.vocabulary import effects as fx
from messaging.vocabulary import messages as msg
from messaging.vocabulary.ids import send_id
from scripts.story import sentence
from scripts.wording import mail

VISITOR = "a1" * 12
OTHER = "b2" * 12
NOW = datetime(2024, 5, 6, 10, tzinfo=UTC)
BOT = EmailBot()


def a_view(*, template="thanks", suppressed=(), rules=True):
    path = SimpleNamespace(success=SimpleNamespace(template=template), sender="shop", priority=0)
    other = SimpleNamespace(**{**vars(path), "priority": 5})
    compiled = SimpleNamespace(paths={"welcome": path, "win-back": other})
    return View(
        compiled if rules else None,
        3,
        {},
        {},
        suppressed=frozenset(suppressed),
        mailbox=lambda address: f"m:{address}",
    )


def a_plan(send="s1", *, path="welcome", run="1", entered_at=NOW, **more):
    plan = {
        "send_id": send,
        "path": path,
        "run": run,
        "stage": "new",
        "step": "first",
        "attempt": 1,
        "template": "hello",
        "rules_version": 3,
        "entered_at": entered_at,
        "sender": "shop",
        "decision_id": "d1",
        "variables": {"first_name": "Ann"},
    }
    return msg.SendPlan(**(plan | more))


EVERY_SETTING = ["assumed", "opt-in", "double-opt-in"]


class World:
    """Step one visitor's state and keep what came of it."""

    def __init__(self, *, known=True, view=None, visitor=VISITOR):
        self.visitor = visitor
        self.state = EmailState()
        self.view = view or a_view()
        self.now = NOW
        self.wakes = {}
        if known:
            self.identify()

    def take(self, message):
        found = BOT.step(self.state, message, self.now, self.view, Draw)
        for effect in found:
            match effect:
                case fx.WakeAt(key, at):
                    self.wakes[key] = at
                case fx.CancelWake(key):
                    self.wakes.pop(key, None)
        self.state = msgspec.msgpack.decode(
            msgspec.msgpack.encode(self.state), type=EmailState
        )  # as the runtime keeps it
        return found

    def identify(
        self, address="ann@example.com", *, may_email=True, owns=True, zone="UTC", by=None
    ):
        return self.take(
            msg.Identified(
                self.visitor,
                self.now,
                address=address,
                may_email=may_email,
                owns_mailbox=owns,
                zone=zone,
                orders=0,
                user_id="",
                traits={"first_name": "Ann"},
                may_email_by=by if by is not None else EVERY_SETTING if may_email else [],
            )
        )

    def start(self, consent):
        """Go on under a consent setting, as after a start."""
        self.view = msgspec.structs.replace(self.view, consent=consent)

    def request(self, plan=None):
        return self.take(msg.SendRequested(self.visitor, self.now, plan or a_plan()))

    def due(self, send="s1"):
        return self.take(msg.HandOverDue(self.visitor, self.now, send))

    def outcome(self, outcome, send="s1", code=250, reason="END: OK"):
        return self.take(msg.MailOutcome(self.visitor, self.now, send, outcome, code, reason))

    def goal(
        self,
        paths=("welcome",),
        order="o1",
        address="ann@example.com",
        at=None,
        unthanked="",
        **changes,
    ):
        return self.take(
            msg.GoalReached(
                self.visitor,
                at or self.now,
                list(paths),
                order,
                10.0,
                "EUR",
                "",
                address,
                unthanked,
                **changes,
            )
        )

    def respond(self, kind, send="s1", human=1.0):
        return self.take(msg.Responded(self.visitor, self.now, send, kind, human))

    def wake(self, key):
        due = self.wakes.pop(key)
        self.now = max(self.now, due)
        return self.take(msg.Woke(self.visitor, self.now, key, due, ""))

    def handing_over(self, plan=None):
        plan = plan or a_plan()
        self.request(plan)
        self.due(plan.send_id)


def rows(effects):
    return [
        (e.plan.send_id, e.status, e.reason) if e.reason else (e.plan.send_id, e.status)
        for e in effects
        if isinstance(e, fx.PutSend)
    ]


def told(effects, bot):
    return [e.message for e in effects if isinstance(e, fx.Tell) and e.bot == bot]


def of(effects, kind):
    return [e for e in effects if isinstance(e, kind)]


def stories(effects):
    return [e.kind for e in of(effects, fx.LogStory)]


# ------------------------------------------------------------------------------- the usual way


def test_a_requested_send_waits_for_a_session():
    found = World().request()
    assert rows(found) == [("s1", "waiting")]
    assert of(found, fx.QueueSend) == [fx.QueueSend("s1", NOW, "welcome")]


def test_a_free_session_hands_the_send_over():
    world = World()
    world.request()
    found = world.due()
    assert rows(found) == [("s1", "handing over")]
    [act] = of(found, fx.HandOver)
    assert (act.address, act.mailbox, act.at) == ("ann@example.com", "m:ann@example.com", NOW)
    assert act.plan.variables == {"first_name": "Ann"}


def test_what_was_handed_over_is_told_to_rules_behavior_and_sales():
    world = World()
    world.handing_over()
    world.now += timedelta(seconds=2)
    found = world.outcome("handed over")
    [row] = of(found, fx.PutSend)
    assert (row.status, row.handed_over_at, row.mailbox) == (
        "handed over",
        world.now,
        "m:ann@example.com",
    )
    [settled] = told(found, "rules")
    assert (settled.send_id, settled.outcome, settled.path, settled.run, settled.attempt) == (
        "s1",
        "handed over",
        "welcome",
        "1",
        1,
    )
    [sent] = told(found, "behavior")
    assert told(found, "sales") == [sent]
    assert (sent.send_id, sent.template, sent.decision_id) == ("s1", "hello", "d1")
    assert sent.handed_over_at == world.now
    assert not world.state.open
    assert [past.status for past in world.state.past] == ["handed over"]


@pytest.mark.parametrize("ended", [False, True])
def test_the_same_request_twice_is_one_send(ended):
    world = World()
    world.handing_over()
    if ended:
        world.outcome("handed over")
    assert world.request() == []


def test_a_second_session_for_the_same_send_hands_nothing_over():
    world = World()
    world.handing_over()
    assert world.due() == []


def test_a_session_for_a_send_that_nobody_knows_does_nothing():
    assert World().due("unknown") == []


def test_an_outcome_that_nobody_waits_for_is_told_and_changes_nothing():
    world = World()
    found = world.outcome("handed over", "unknown")
    assert stories(found) == ["outcome.unexpected"]


# ------------------------------------------------------------------------------------ refusals


def refused(found, reason):
    [row] = of(found, fx.PutSend)
    [settled] = told(found, "rules")
    return (
        (row.status, row.reason) == ("refused", reason)
        and (settled.outcome, settled.reason) == ("refused", reason)
        and stories(found) == ["send.refused"]
    )


def test_a_send_for_a_closed_run_is_refused():
    world = World()
    world.goal()
    assert refused(world.request(), "goal reached")


def test_a_run_entered_after_the_goal_is_open():
    world = World()
    world.goal()
    later = a_plan(entered_at=NOW + timedelta(seconds=1))
    assert rows(world.request(later)) == [("s1", "waiting")]


def test_the_goal_of_one_path_leaves_the_others_open():
    world = World()
    world.goal(["win-back"])
    assert rows(world.request()) == [("s1", "waiting")]


def test_a_send_to_someone_who_left_is_refused():
    world = World()
    world.respond("unsubscribed", "s0")
    assert refused(world.request(), "unsubscribed")


def test_a_send_to_a_mailbox_that_does_not_exist_is_refused():
    world = World()
    world.handing_over(a_plan("s0"))
    world.outcome("bounced", "s0", 550, "RCPT: 5.1.1 unknown")
    assert refused(world.request(), "address bad")


def test_a_suppressed_mailbox_is_refused_when_a_session_is_free():
    world = World(view=a_view(suppressed=["m:ann@example.com"]))
    world.request()
    assert refused(world.due(), "suppressed")


def test_a_mailbox_that_does_not_exist_is_suppressed_for_everybody():
    world = World()
    world.handing_over()
    found = world.outcome("bounced", code=550, reason="RCPT: 5.1.1 unknown")
    assert of(found, fx.Suppress) == [fx.Suppress("m:ann@example.com", "bounced", NOW)]


def test_a_mailbox_that_took_the_mail_or_only_dislikes_us_is_not_suppressed():
    for outcome, code, reason in [
        ("handed over", 250, "END: OK"),
        ("bounced", 554, "END: 5.7.1 looks like spam"),
        ("uncertain", 0, "END: no answer"),
    ]:
        world = World()
        world.handing_over()
        assert not of(world.outcome(outcome, code=code, reason=reason), fx.Suppress)


def test_the_mailbox_that_bounced_is_suppressed_and_not_the_present_one():
    world = World()
    world.handing_over()
    world.identify("ann@home.example")
    found = world.outcome("bounced", code=550, reason="RCPT: 5.1.1 unknown")
    assert [each.mailbox for each in of(found, fx.Suppress)] == ["m:ann@example.com"]


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_the_mailbox_of_a_reported_send_is_suppressed(kind):
    world = World()
    world.handing_over()
    world.outcome("handed over")
    world.identify("ann@home.example")
    found = world.respond(kind)
    assert of(found, fx.Suppress) == [fx.Suppress("m:ann@example.com", kind, NOW)]


@pytest.mark.parametrize("kind", ["bounced", "complained"])
@pytest.mark.parametrize("outcome", ["handed over", "uncertain"])
def test_a_report_that_comes_before_the_outcome_is_not_lost(kind, outcome):
    world = World()
    world.handing_over()
    found = world.respond(kind)
    assert [each.kind for each in told(found, "behavior")] == [kind]
    found = world.outcome(outcome)
    assert [row[:2] for row in rows(found)] == [("s1", "handed over"), ("s1", kind)]
    assert told(found, "rules")[0].outcome == "handed over"


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_behavior_hears_what_a_report_means_for_who_is_written_to_now(kind):
    world = World()
    world.handing_over()
    world.outcome("handed over")
    [heard] = told(world.respond(kind), "behavior")
    assert (heard.kind, heard.send_id, heard.human) == (kind, "s1", 1.0)
    assert heard.address == ("ann@example.com" if kind == "bounced" else "")


def test_a_bounce_from_an_older_address_is_no_news_of_the_present_one():
    world = World()
    world.handing_over()
    world.outcome("handed over")
    world.identify("ann@home.example")
    found = world.respond("bounced")
    assert told(found, "behavior") == []
    assert [(each.kind, each.send_id) for each in told(found, "rules")] == [(msg.RETURNED, "s1")]
    assert not world.state.address_bad
    assert told(world.respond("bounced"), "rules") == [], "it is told once"
    [heard] = told(world.respond("complained"), "behavior")
    assert heard.address == "", "who leaves leaves, wherever they read it"


def test_a_report_on_a_send_that_is_forgotten_goes_by_the_mailbox_it_names():
    world = World()
    message = msg.Responded(VISITOR, NOW, "s9", "bounced", 1.0, mailbox="m:old@example.com")
    found = world.take(message)
    assert of(found, fx.Suppress) == [fx.Suppress("m:old@example.com", "bounced", NOW)]
    assert not world.state.address_bad


def test_who_is_being_erased_leaves_a_mailbox_that_does_not_exist_suppressed():
    world = World()
    world.handing_over()
    BOT.forget(world.state, msg.Erased(VISITOR, NOW), NOW, world.view)
    found = world.outcome("bounced", code=550, reason="RCPT: 5.1.1 unknown")
    assert [each.mailbox for each in of(found, fx.Suppress)] == ["m:ann@example.com"]
    assert of(found, fx.Forget)


def test_a_success_mail_to_a_mailbox_that_is_not_there_is_refused():
    """Another visitor's e-mail may have bounced from it, or this one's before they named another for a while."""
    world = World(view=a_view(suppressed=["unless bounced:m:ann@example.com"]))
    world.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    assert rows(world.due(success)) == [(success, "refused", "suppressed")]


def test_a_success_mail_asks_for_no_suppression():
    world = World(view=a_view(suppressed=["m:ann@example.com"]))
    world.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    assert len(of(world.due(success), fx.HandOver)) == 1


def test_a_mailbox_of_another_visitor_is_refused_when_a_session_is_free():
    world = World()
    world.request()
    world.identify(owns=False)
    assert refused(world.due(), "mailbox of another visitor")


def test_a_send_decided_for_another_address_is_given_back():
    """Two visitors with two mailboxes became one after Rules asked the caps of the one mailbox."""
    world = World()
    world.request(a_plan(mailbox="m:ann@example.com"))
    world.identify("ann@home.example")
    found = world.due()
    assert not of(found, fx.HandOver)
    assert of(found, fx.PutSend)[-1].reason == "another address"
    [told] = [each.message for each in of(found, fx.Tell)]
    assert (told.outcome, told.reason) == ("given up", "another address")
    assert not world.state.refused_total, "nothing was withheld"


def test_a_send_decided_for_the_address_in_another_spelling_goes_out():
    view = msgspec.structs.replace(a_view(), mailbox=lambda address: f"m:{address.lower()}")
    world = World(view=view)
    world.request(a_plan(mailbox="m:ann@example.com"))
    world.identify("Ann@Example.com")
    assert of(world.due(), fx.HandOver)


def test_a_send_that_waits_for_its_server_while_the_address_changes_is_given_back():
    world = World()
    world.handing_over(a_plan(mailbox="m:ann@example.com"))
    world.outcome("deferred", code=451, reason="try later")
    world.identify("ann@home.example")
    world.wake("retry:s1")
    found = world.due()
    assert not of(found, fx.HandOver)
    assert of(found, fx.PutSend)[-1].status == "given up"


def test_more_sends_than_any_caps_allow_are_refused():
    world = World()
    for number in range(64):
        world.request(a_plan(f"s{number}"))
    assert refused(world.request(a_plan("s64")), "too many sends are open")


def test_a_template_that_failed_is_a_refusal():
    world = World()
    world.handing_over()
    found = world.outcome("refused", code=0, reason="template: 'x' is undefined")
    assert refused(found, "template: 'x' is undefined")


# ----------------------------------------------------------- held: the word of Behavior may come


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (None, "no address"),
        ({"may_email": False}, "no consent"),
        ({"owns": False}, "mailbox of another visitor"),
    ],
)
def test_a_request_that_overtook_behavior_is_held_and_goes_out_when_the_word_came(facts, reason):
    world = World(known=False)
    if facts is not None:
        world.identify(**facts)
    assert rows(world.request()) == [("s1", "planned", reason)]
    assert world.due() == []
    found = world.identify()
    assert rows(found) == [("s1", "waiting")]
    assert of(found, fx.QueueSend)
    assert not world.wakes


def test_a_request_is_refused_when_no_word_came():
    world = World(known=False)
    world.request()
    assert refused(world.wake("hold:s1"), "no address")


def test_a_held_request_survives_a_fact_that_says_no_and_waits_for_the_next():
    world = World(known=False)
    world.request()
    assert rows(world.identify(may_email=False)) == []
    assert rows(world.identify()) == [("s1", "waiting")]


def test_a_held_request_is_cancelled_by_the_goal():
    world = World(known=False)
    world.request()
    found = world.goal(address="")
    assert ("s1", "cancelled", "goal reached") in rows(found)
    assert "hold:s1" not in world.wakes


# ---------------------------------------------------------------------------------- cancelling


def test_the_goal_cancels_what_waits_and_queues_the_success_mail_in_one_step():
    world = World()
    world.request()
    world.request(a_plan("s2", path="win-back"))
    found = world.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    assert rows(found) == [("s1", "cancelled", "goal reached"), (success, "waiting")]
    [settled] = told(found, "rules")
    assert (settled.send_id, settled.outcome) == ("s1", "cancelled")
    assert list(world.state.open) == ["s2", success]


def test_the_goal_does_not_call_back_what_is_being_handed_over():
    world = World()
    world.handing_over()
    assert "cancelled" not in str(rows(world.goal()))
    assert rows(world.outcome("handed over")) == [("s1", "handed over")]


def test_a_send_deferred_after_the_goal_is_cancelled_instead_of_tried_again():
    world = World()
    world.handing_over()
    world.goal()
    found = world.outcome("deferred", code=451, reason="RCPT: later")
    assert rows(found) == [("s1", "cancelled", "goal reached")]
    assert not world.wakes


def test_the_goal_forgets_the_retry():
    world = World()
    world.handing_over()
    world.outcome("deferred", code=451)
    assert world.wakes
    world.goal()
    assert not world.wakes


def test_an_older_goal_that_comes_late_opens_nothing():
    world = World()
    world.goal()
    world.goal(order="o0", at=NOW - timedelta(days=1))
    assert refused(world.request(), "goal reached")


@pytest.mark.parametrize("kind", ["unsubscribed", "complained"])
def test_who_leaves_gets_nothing_that_still_waits(kind):
    world = World()
    world.request()
    assert rows(world.respond(kind, "s0")) == [("s1", "cancelled", kind)]


def test_consent_withdrawn_cancels_what_waits():
    world = World()
    world.request()
    found = world.identify(may_email=False)
    assert rows(found) == [("s1", "cancelled", "consent withdrawn")]
    assert told(found, "rules")[0].outcome == "cancelled"


# -------------------------------------------------------------------------------- success mail


def test_the_success_mail_is_sent_once_for_an_order():
    world = World()
    world.goal()
    assert world.goal() == []
    assert len(world.state.open) == 1
    world.goal(order="o2")
    assert len(world.state.open) == 2


def test_a_mail_that_waits_for_hours_of_another_zone_is_given_back():
    world = World()
    world.identify(zone="UTC")
    world.request(a_plan(until=NOW + timedelta(hours=8)))
    assert world.identify(zone="UTC") == []
    effects = world.identify(zone="Pacific/Auckland")
    [settled] = [e.message for e in effects if isinstance(e, fx.Tell) and e.bot == "rules"]
    assert (settled.outcome, settled.reason) == ("given up", "quiet_hours")
    assert not world.state.open


def test_nobody_is_thanked_for_an_order_of_the_past_also_when_it_is_told_again():
    world = World()
    effects = world.goal(unthanked="it is of the past")
    assert [e.kind for e in effects if isinstance(e, fx.LogStory)] == ["success.refused"]
    assert world.goal() == []
    assert not world.state.open


def test_the_success_mail_carries_the_order_and_what_is_known_of_the_visitor():
    world = World()
    [row] = of(world.goal(), fx.PutSend)
    assert row.plan.success
    assert (row.plan.template, row.plan.sender, row.plan.rules_version) == ("thanks", "shop", 3)
    assert row.plan.variables == {
        "first_name": "Ann",
        "order_id": "o1",
        "order_value": 10.0,
        "order_currency": "EUR",
    }


def test_the_success_mail_names_no_order_by_an_id_that_the_site_did_not_give():
    """The message's own id stands for it inside: nobody outside knows an order by that."""
    [row] = of(World().goal(is_unnamed=True), fx.PutSend)
    assert (row.plan.variables["order_id"], row.plan.run) == ("", "o1")
    fields = row_for(row, VISITOR, "", NOW).fields
    assert mail(fields) == "success e-mail thanks for an order"
    [refused] = of(World().goal(unthanked="it is of the past", is_unnamed=True), fx.LogStory)
    said = sentence({"kind": f"story: {refused.kind}", "detail": refused.detail})
    assert said == "no success e-mail for an order: it is of the past"


def test_the_success_mail_goes_to_the_address_of_the_order_if_none_is_known():
    world = World(known=False)
    world.goal(address="buyer@example.com")
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    [act] = of(world.due(success), fx.HandOver)
    assert act.address == "buyer@example.com"


def test_a_purchase_of_a_guest_waits_for_an_address():
    world = World(known=False)
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    assert rows(world.goal(address="")) == [(success, "planned", "no address")]
    assert world.goal(address="") == []
    world.now += timedelta(hours=40)
    found = world.identify("late@example.com", may_email=False)
    assert rows(found) == [(success, "waiting")]
    [act] = of(world.due(success), fx.HandOver)
    assert act.address == "late@example.com"


def test_what_is_held_says_until_when_it_waits():
    """`planned` alone would look as if it went out some time."""
    world = World(known=False)
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    [held] = of(world.goal(address=""), fx.PutSend)
    assert (held.status, held.until) == ("planned", world.now + timedelta(hours=48))
    fields = row_for(held, VISITOR, "email-0/1/1", world.now).fields
    assert (fields["reason"], fields["until"]) == ("no address", held.until)
    world.now += timedelta(hours=40)
    [queued] = of(world.identify("late@example.com", may_email=False), fx.PutSend)
    assert (queued.plan.send_id, queued.status, queued.until) == (success, "waiting", None)
    assert "until" not in row_for(queued, VISITOR, "email-0/2/1", world.now).fields


def test_a_success_mail_is_refused_when_no_address_came():
    world = World(known=False)
    world.goal(address="")
    found = world.wake(f"hold:{send_id(VISITOR, 'welcome', 'o1', 'success', 0)}")
    assert stories(found) == ["success.refused"]
    assert [row[1:] for row in rows(found)] == [("refused", "no address")]
    assert world.goal(address="") == []


def test_only_a_few_purchases_without_an_address_wait_for_one():
    world = World(known=False)
    found = [rows(world.goal(order=f"o{number}", address=""))[0][1] for number in range(12)]
    assert found == ["planned"] * 8 + ["refused"] * 4


def test_the_success_mail_is_no_affair_of_rules_and_sales():
    world = World()
    world.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    world.due(success)
    found = world.outcome("handed over", success)
    assert told(found, "rules") == told(found, "sales") == []
    assert len(told(found, "behavior")) == 1


def test_the_success_mail_asks_for_no_consent():
    world = World()
    world.respond("unsubscribed")
    world.identify(may_email=False)
    assert [row[1] for row in rows(world.goal())] == ["waiting"]


def test_a_path_without_a_success_template_sends_none():
    assert rows(World(view=a_view(template="")).goal()) == []


@pytest.mark.parametrize("view", [a_view(rules=False), a_view()])
def test_a_goal_of_an_unknown_path_is_told(view):
    assert stories(World(view=view).goal(["gone"])) == ["success.refused"]


# -------------------------------------------------------------------------------- uncertain


def test_an_uncertain_send_counts_as_sent_and_never_goes_out_again():
    world = World()
    world.handing_over()
    found = world.outcome("uncertain", code=0, reason="END: TimeoutError")
    assert rows(found) == [("s1", "uncertain", "END: TimeoutError")]
    assert told(found, "rules")[0].outcome == "uncertain"
    assert told(found, "behavior")
    assert told(found, "sales")
    assert not of(found, fx.PutAlert)
    assert not world.state.open


@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_an_answer_settles_an_uncertain_send(kind):
    world = World()
    world.handing_over()
    world.outcome("uncertain", code=0)
    assert rows(world.respond(kind)) == [("s1", "handed over", kind)]
    assert rows(world.respond(kind)) == []


def test_an_answer_before_the_outcome_settles_it_too():
    world = World()
    world.handing_over()
    assert world.respond("opened") == []
    assert rows(world.outcome("uncertain", code=0))[0][1] == "handed over"


def an_uncertain_success():
    """Return a world, its success e-mail whose outcome is uncertain, and the alert about it."""
    world = World()
    world.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    world.due(success)
    [alert] = of(world.outcome("uncertain", success, 0), fx.PutAlert)
    return world, success, alert


def test_an_uncertain_success_mail_calls_a_person_until_an_answer_settles_it():
    world, success, alert = an_uncertain_success()
    assert (alert.kind, alert.status, alert.run) == ("uncertain success mail", "open", "o1")
    world.now += timedelta(hours=1)
    [closed] = of(world.respond("opened", success), fx.PutAlert)
    assert (closed.alert_id, closed.status) == (alert.alert_id, "closed")
    assert (closed.kind, closed.at) == (alert.kind, alert.at)
    assert (closed.by, closed.settled_at) == ("answer", world.now)


def test_a_person_can_close_the_alert_about_an_uncertain_success_mail_once():
    world, success, alert = an_uncertain_success()
    world.now += timedelta(hours=1)
    answer = msg.AlertAnswered(
        visitor=VISITOR,
        at=world.now,
        alert_id=alert.alert_id,
        path=alert.path,
        run=alert.run,
        action="close",
        by="eve",
        stage="",
    )
    found = world.take(answer)
    [closed] = of(found, fx.PutAlert)
    assert (closed.alert_id, closed.kind, closed.at) == (alert.alert_id, alert.kind, alert.at)
    assert (closed.status, closed.by, closed.settled_at) == ("closed", "eve", world.now)
    assert stories(found) == ["alert.settled"]
    assert stories(world.take(answer)) == ["alert.stale"]
    later = world.respond("opened", success)
    assert rows(later) == [(success, "handed over", "opened")]
    assert of(later, fx.PutAlert) == [], "who closed it stays who closed it"


def a_lost_success(outcome, code, reason):
    """Return a world, its success e-mail, and what came of the last answer to it."""
    world = World()
    world.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    world.due(success)
    found = world.outcome(outcome, success, code, reason)
    while world.wakes:
        assert of(found, fx.PutAlert) == [], "it is still tried"
        world.wake(f"retry:{success}")
        world.due(success)
        found = world.outcome(outcome, success, code, reason)
    return world, success, found


LOST = [
    ("bounced", 554, "END: 5.7.1 spam", "did not arrive: 554 END: 5.7.1 spam"),
    ("deferred", 530, "MAIL: 5.7.0 log in", "did not arrive: 8 tries: MAIL: 5.7.0 log in"),
]


@pytest.mark.parametrize(("outcome", "code", "reason", "line"), LOST)
def test_a_success_mail_that_no_server_took_calls_a_person_who_closes_the_alert_once(
    outcome, code, reason, line
):
    world, success, found = a_lost_success(outcome, code, reason)
    [alert] = of(found, fx.PutAlert)
    assert (alert.kind, alert.status, alert.run) == (fx.UNCERTAIN_SUCCESS, "open", "o1")
    assert alert.history == [{"at": world.now, "send_id": success, "reason": line}]
    answer = msg.AlertAnswered(
        VISITOR, world.now, alert.alert_id, alert.path, alert.run, "close", "eve", ""
    )
    [closed] = of(world.take(answer), fx.PutAlert)
    assert (closed.alert_id, closed.status, closed.by) == (alert.alert_id, "closed", "eve")
    assert closed.history[0]["reason"] == rows(found)[0][1], "not uncertain: it surely did not"
    assert stories(world.take(answer)) == ["alert.stale"]


def test_a_success_mail_to_no_mailbox_and_a_lost_marketing_mail_call_nobody_here():
    *_, found = a_lost_success("bounced", 550, "RCPT: 5.1.1 unknown")
    assert of(found, fx.PutAlert) == []
    world = World()
    world.handing_over()
    assert of(world.outcome("bounced", "s1", 554, "END: 5.7.1 spam"), fx.PutAlert) == []


def test_an_alert_that_a_bounce_has_settled_is_not_closed_by_a_person_as_well():
    world, success, alert = an_uncertain_success()
    [closed] = of(world.respond("bounced", success), fx.PutAlert)
    assert closed.history[0]["reason"] == "uncertain"
    answer = msg.AlertAnswered(
        VISITOR, world.now, alert.alert_id, alert.path, alert.run, "close", "eve", ""
    )
    assert stories(world.take(answer)) == ["alert.stale"]


def test_a_send_may_go_out_again_if_the_marketer_says_so_and_is_counted_apart():
    world = World()
    world.handing_over(a_plan(on_uncertain="resend"))
    found = world.outcome("uncertain", code=0)
    assert rows(found)[0][:2] == ("s1", "waiting")
    assert stories(found) == ["send.resent"]
    assert told(found, "rules") == []
    assert world.state.resent_total == 1
    world.due()
    assert told(world.outcome("handed over"), "rules")[0].outcome == "handed over"


def test_a_resend_ends_after_a_few_tries_and_at_the_goal():
    world = World()
    world.handing_over(a_plan(on_uncertain="resend"))
    for _ in range(2):
        world.outcome("uncertain", code=0)
        world.due()
    assert rows(world.outcome("uncertain", code=0))[0][1] == "uncertain"
    world.handing_over(a_plan("s2", on_uncertain="resend"))
    world.goal()
    assert rows(world.outcome("uncertain", "s2", 0))[0][1] == "uncertain"


def test_a_resend_is_not_needed_once_the_first_was_opened():
    world = World()
    world.handing_over(a_plan(on_uncertain="resend"))
    world.outcome("uncertain", code=0)
    found = world.respond("opened")
    assert rows(found) == [("s1", "handed over", "opened")]
    assert told(found, "rules")[0].outcome == "handed over"
    assert world.due() == []


# --------------------------------------------------------------------------------- deferred


def test_a_deferred_send_is_tried_again_later_and_later_and_then_given_up():
    world = World()
    world.handing_over()
    waits = []
    began = world.now
    for _ in range(7):
        found = world.outcome("deferred", code=451, reason="RCPT: later")
        assert [each.tried_since for each in found if isinstance(each, fx.PutSend)] == [began]
        assert rows(found) == [("s1", "deferred", "RCPT: later")]
        waits.append((world.wakes["retry:s1"] - world.now) / timedelta(minutes=1))
        assert rows(world.wake("retry:s1")) == [("s1", "waiting")]
        world.due()
    assert waits == [5, 10, 20, 40, 80, 160, 320]
    found = world.outcome("deferred", code=451, reason="RCPT: later")
    assert rows(found) == [("s1", "given up", "8 tries: RCPT: later")]
    assert told(found, "rules")[0].outcome == "given up"


def test_a_send_is_not_tried_for_more_than_two_days():
    world = World()
    world.handing_over()
    world.outcome("deferred", code=451)
    world.now += timedelta(hours=48)
    world.wake("retry:s1")
    world.due()
    assert rows(world.outcome("deferred", code=451))[0][1] == "given up"


def test_a_retry_for_someone_who_left_is_cancelled():
    world = World()
    world.handing_over()
    world.outcome("deferred", code=451)
    world.state.unsubscribed = True
    assert rows(world.wake("retry:s1")) == [("s1", "cancelled", "unsubscribed")]


# ----------------------------------------------------------------------------------- bounces


def test_a_bounce_marks_the_address_and_is_told():
    world = World()
    world.request(a_plan("s2"))
    world.handing_over()
    found = world.outcome("bounced", code=550, reason="RCPT: 5.1.1 unknown")
    assert rows(found) == [
        ("s1", "bounced", "550 RCPT: 5.1.1 unknown"),
        ("s2", "cancelled", "address bad"),
    ]
    assert [m.outcome for m in told(found, "rules")] == ["bounced", "cancelled"]
    [bounced] = told(found, "behavior")
    assert (bounced.kind, bounced.human, bounced.send_id) == ("bounced", 1.0, "s1")
    assert world.state.address_bad


def test_the_echo_of_our_own_bounce_changes_nothing():
    world = World()
    world.handing_over()
    world.outcome("bounced", code=554, reason="END: 5.7.1 blocked")
    assert world.respond("bounced") == []
    assert not world.state.address_bad


def test_a_bounce_about_the_sender_does_not_mark_the_address():
    world = World()
    world.handing_over()
    found = world.outcome("bounced", code=550, reason="END: 5.7.1 blocked")
    assert rows(found)[0][1] == "bounced"
    assert told(found, "behavior") == []
    assert not world.state.address_bad
    [settled] = told(found, "rules")
    assert settled.outcome == "given up", "Rules tries again, or calls a person"
    assert settled.reason == "550 END: 5.7.1 blocked"


def test_a_bounce_reported_later_settles_a_send_and_marks_the_address():
    world = World()
    world.handing_over()
    world.outcome("handed over")
    assert rows(world.respond("bounced")) == [("s1", "bounced", "was handed over")]
    assert world.state.address_bad


def test_a_bounce_of_an_older_address_says_nothing_about_the_new_one():
    world = World()
    world.handing_over()
    world.outcome("handed over")
    world.identify("new@example.com")
    world.respond("bounced")
    assert not world.state.address_bad


def test_an_address_that_changed_while_the_old_one_was_tried_is_not_bad():
    world = World()
    world.handing_over()
    world.identify("new@example.com")
    found = world.outcome("bounced", code=550, reason="RCPT: 5.1.1 unknown")
    assert not world.state.address_bad
    assert of(found, fx.PutSend)[0].mailbox == "m:ann@example.com"
    assert of(found, fx.PutSend)[0].status == "bounced"
    assert [m.outcome for m in told(found, "rules")] == ["given up"]  # it tries the new one
    assert [m.address for m in told(found, "behavior")] == ["ann@example.com"]


def test_a_new_address_is_good_until_it_bounces():
    world = World()
    world.state.address_bad = True
    world.identify("ANN@example.com ")
    assert world.state.address_bad
    world.identify("new@example.com")
    assert not world.state.address_bad


# ------------------------------------------------------------------------------------ merging


def merged(world, into=OTHER):
    found = world.take(msg.MergedInto(VISITOR, world.now, into))
    [handed_on] = told(found, "email")
    assert found[-1] == fx.Moved(into)
    return found, handed_on


def test_the_younger_visitors_marketing_is_cancelled():
    world = World()
    world.request()
    world.handing_over(a_plan("s2"))
    found, handed_on = merged(world)
    assert rows(found) == [("s1", "cancelled", "merged")]
    assert [m.outcome for m in told(found, "rules")] == ["cancelled"]
    assert list(unpack(handed_on.state).open) == ["s2"]
    assert not world.state.open


def test_the_outcome_of_a_send_under_way_finds_the_older_visitor():
    younger, older = World(), World(known=False)
    younger.handing_over()
    _, handed_on = merged(younger)
    found = older.take(handed_on)
    assert rows(found) == [("s1", "handing over", "merged")]
    assert rows(older.outcome("handed over")) == [("s1", "handed over")]


def test_a_goal_an_unsubscribe_and_a_bounce_of_either_hold_for_both():
    younger, older = World(), World()
    older.request()
    younger.goal()
    younger.respond("unsubscribed")
    younger.state.address_bad = True
    _, handed_on = merged(younger)
    found = older.take(handed_on)
    assert ("s1", "cancelled", "goal reached") in rows(found)
    assert older.state.unsubscribed
    assert older.state.address_bad
    assert refused(older.request(a_plan("s9")), "goal reached")


def test_a_success_mail_that_waits_goes_out_for_the_older_visitor():
    younger, older = World(), World(known=False)
    younger.goal()
    _, handed_on = merged(younger)
    found = older.take(handed_on)
    [row] = of(found, fx.PutSend)
    assert row.status == "waiting"
    [act] = of(older.due(row.plan.send_id), fx.HandOver)
    assert act.address == "ann@example.com"


def test_a_guests_purchase_is_thanked_for_at_the_older_visitors_address():
    younger, older = World(known=False), World(visitor=OTHER)
    younger.goal(address="")
    _, handed_on = merged(younger)
    older.take(handed_on)
    [waiting] = older.state.open.values()
    assert waiting.status == "waiting"
    [act] = of(older.due(waiting.plan.send_id), fx.HandOver)
    assert act.address == "ann@example.com"


@pytest.mark.parametrize("guest_is_older", [True, False])
@pytest.mark.parametrize("outcome", ["handed over", ""])
def test_a_purchase_told_by_browser_and_server_is_thanked_for_once(guest_is_older, outcome):
    """The browser tells of it before it says who buys, the server with the address, of another visitor as yet."""
    younger = World(known=guest_is_older)
    older = World(known=not guest_is_older, visitor=OTHER)
    guest, customer = (older, younger) if guest_is_older else (younger, older)
    guest.goal(address="")
    customer.goal()
    sent = send_id(customer.visitor, "welcome", "o1", "success", 0)
    customer.due(sent)
    if outcome:
        customer.outcome(outcome, sent)
    older.take(msg.MergeStarted(OTHER, older.now, VISITOR))
    if guest_is_older:
        assert rows(older.identify()) == []  # it overtakes the younger's state
    _, handed_on = merged(younger)
    older.take(handed_on)
    assert not any(send.status in ("planned", "waiting") for send in older.state.open.values())


def test_nobody_is_thanked_while_a_younger_visitors_state_is_on_its_way():
    older = World(visitor=OTHER)
    older.take(msg.MergeStarted(OTHER, older.now, VISITOR))
    success = send_id(OTHER, "welcome", "o1", "success", 0)
    assert rows(older.goal()) == [(success, "planned", "merging")]
    _, handed_on = merged(World())
    assert rows(older.take(handed_on)) == [(success, "waiting")]
    older.take(msg.MergeStarted(OTHER, older.now, VISITOR))  # word of it may come last
    assert not older.state.awaiting


def test_who_waits_for_a_state_that_never_comes_is_thanked_in_the_end():
    older = World(visitor=OTHER)
    older.take(msg.MergeStarted(OTHER, older.now, VISITOR))
    older.goal()
    success = send_id(OTHER, "welcome", "o1", "success", 0)
    assert rows(older.wake(f"hold:{success}")) == [(success, "waiting")]


def test_who_could_not_be_thanked_by_one_half_is_thanked_by_the_other():
    younger, older = World(), World(known=False, visitor=OTHER)
    older.goal(address="")
    older.wake(f"hold:{send_id(OTHER, 'welcome', 'o1', 'success', 0)}")
    younger.goal()
    _, handed_on = merged(younger)
    found = older.take(handed_on)
    assert [row[1] for row in rows(found)] == ["waiting"]


def test_a_guests_purchase_waits_on_after_a_merge_with_another_guest():
    younger, older = World(known=False), World(known=False, visitor=OTHER)
    younger.goal(address="")
    _, handed_on = merged(younger)
    older.take(handed_on)
    [held] = older.state.open.values()
    found = older.wake(f"hold:{held.plan.send_id}")
    assert [row[1:] for row in rows(found)] == [("refused", "no address")]


def test_a_deferred_success_mail_is_tried_again_by_the_older_visitor():
    younger, older = World(), World()
    younger.goal()
    success = send_id(VISITOR, "welcome", "o1", "success", 0)
    younger.due(success)
    younger.outcome("deferred", success, 451)
    _, handed_on = merged(younger)
    older.take(handed_on)
    assert rows(older.wake(f"retry:{success}")) == [(success, "waiting")]


def test_one_order_known_to_both_gets_one_success_mail():
    younger, older = World(), World(visitor=OTHER)
    younger.goal()
    older.handing_over(a_plan("elsewhere"))
    older.goal()
    _, handed_on = merged(younger)
    found = older.take(handed_on)
    assert [row[1] for row in rows(found)] == ["cancelled"]
    assert sum(send.plan.success for send in older.state.open.values()) == 1
    assert older.goal() == []


def test_consent_of_the_younger_is_not_the_olders():
    younger, older = World(), World(known=False)
    older.identify("other@example.com", may_email=False)
    _, handed_on = merged(younger)
    older.take(handed_on)
    assert not older.state.may_email
    assert older.state.address == "other@example.com"


def test_a_trigger_for_a_merged_visitor_ends_with_a_refusal_and_all_else_follows():
    found = BOT.ends_at_tombstone(msg.SendRequested(VISITOR, NOW, a_plan()), OTHER, NOW, a_view())
    assert refused(found, "merged")
    outcome = msg.MailOutcome(VISITOR, NOW, "s1", "handed over", 250, "")
    assert BOT.ends_at_tombstone(outcome, OTHER, NOW, a_view()) is None


# --------------------------------------------------------------------------------------- other


def test_the_state_stays_small():
    world = World()
    for number in range(200):
        world.handing_over(a_plan(f"s{number}"))
        world.outcome("handed over", f"s{number}")
        world.goal([f"path{number}", "welcome"], order=f"o{number}", at=NOW - timedelta(days=1))
        for open_send in list(world.state.open):
            world.due(open_send)
            world.outcome("handed over", open_send)
    assert len(world.state.past) == PAST_MAX
    assert len(world.state.closed) == 64
    assert len(world.state.orders) == 32
    assert len(msgspec.msgpack.encode(world.state)) < 10_000


def test_a_message_for_another_bot_is_an_error():
    with pytest.raises(AssertionError, match="CohortEntered"):
        World().take(msg.CohortEntered(VISITOR, NOW, "leads"))


def test_a_state_of_an_unknown_version_is_an_error():
    with pytest.raises(AssertionError, match="version 9"):
        BOT.upgrade(9, b"")


def test_the_ledger_says_by_which_mail_somebody_left_and_where_it_went_once():
    world = World()
    world.request()
    world.due()
    world.outcome("handed over")
    world.now = later = NOW + timedelta(days=2)
    [put] = [e for e in world.respond("unsubscribed", "s1") if isinstance(e, fx.PutSend)]
    assert (put.status, put.left, put.domain) == ("handed over", True, "example.com")
    assert put.at < later, "when it was handed over stays what it was"
    assert not [e for e in world.respond("unsubscribed", "s1") if isinstance(e, fx.PutSend)]
    [put] = [e for e in world.respond("complained", "s1") if isinstance(e, fx.PutSend)]
    assert (put.status, put.left, put.domain) == ("complained", True, "example.com")


def test_the_ledger_says_what_people_answered_to_a_mail_once_and_nothing_of_machines():
    world = World()
    world.request()
    world.due()
    world.outcome("handed over")
    puts = []
    for kind, human in (("opened", 0.0), ("opened", 1.0), ("opened", 1.0), ("clicked", 1.0)):
        world.now += timedelta(hours=1)
        puts += [e for e in world.respond(kind, "s1", human) if isinstance(e, fx.PutSend)]
    assert [(put.opened, put.clicked) for put in puts] == [(True, False), (True, True)]
    assert {(put.status, put.at) for put in puts} == {("handed over", puts[0].at)}
    [put] = [e for e in world.respond("complained", "s1") if isinstance(e, fx.PutSend)]
    assert (put.status, put.opened, put.clicked) == ("complained", True, True)
    assert not [e for e in world.respond("opened", "s9") if isinstance(e, fx.PutSend)]


def test_of_a_mail_that_never_went_out_nobody_is_said_to_have_left():
    world = World()
    world.request()
    assert not [e for e in world.respond("unsubscribed", "s9") if getattr(e, "left", False)]


def test_an_order_that_is_the_goal_of_two_paths_is_thanked_for_once_by_the_more_important_one():
    world = World()
    found = world.goal(("welcome", "win-back"))
    assert [e.plan.path for e in of(found, fx.PutSend)] == ["win-back"]
    assert not of(world.goal(("welcome", "win-back")), fx.PutSend), "told again, not thanked again"
    assert not of(world.goal(("welcome",)), fx.PutSend), "nor where a version has one path less"


def test_goals_that_share_an_orders_id_are_thanked_for_each():
    """An order is paid, and delivered later: shops tell both by its id."""
    world = World()
    of_goal = {"visitor": VISITOR, "at": NOW, "value": 0.0, "currency": "", "credited": ""}
    bought = msg.GoalReached(
        paths=["welcome"], order_id="o1", address="ann@example.com", goal="o1", **of_goal
    )
    delivered = msg.GoalReached(
        paths=["win-back"],
        order_id="o1",
        address="ann@example.com",
        goal="Order Delivered:o1",
        **of_goal,
    )
    found = [effect for each in (bought, delivered, delivered) for effect in world.take(each)]
    assert [e.plan.path for e in of(found, fx.PutSend)] == ["welcome", "win-back"]


@pytest.mark.parametrize("is_out", [True, False])
def test_two_goals_of_one_path_that_share_an_orders_id_are_one_success_email(is_out):
    """Its id is made of path and order: a second one would go out under the Message-ID of the first."""
    world = World()
    of_goal = {"visitor": VISITOR, "at": NOW, "value": 0.0, "currency": "", "credited": ""}
    first, second = (
        msg.GoalReached(
            paths=["welcome"], order_id="o1", address="ann@example.com", goal=goal, **of_goal
        )
        for goal in ("Trial Started:o1", "o1")
    )
    world.take(first)
    [send] = world.state.open
    world.due(send)
    if is_out:
        world.outcome("handed over", send)
    found = world.take(second)
    assert not of(found, fx.PutSend) + of(found, fx.QueueSend)
    assert ("welcome", "o1") in world.state.orders


# ------------------------------------------------------------------------------- a stricter consent setting


def written_by_assumption():
    """Return somebody who never said a word, with an e-mail in the line; then opt-in comes into force."""
    world = World(view=msgspec.structs.replace(a_view(), consent="assumed"))
    world.identify(by=["assumed"])
    world.request()
    world.start("opt-in")
    return world


def test_nothing_goes_out_against_the_consent_setting_in_force():
    world = written_by_assumption()
    found = world.due()
    assert rows(found) == [("s1", "planned", "no consent")]
    assert not of(found, fx.HandOver)
    assert rows(world.request(a_plan("s2"))) == [("s2", "planned", "no consent")]
    world.identify(may_email=False, by=["assumed"])
    assert rows(world.wake("hold:s1")) == [("s1", "refused", "no consent")]


@pytest.mark.parametrize("lifted_by", ["a yes", "the setting of before"])
def test_what_a_stricter_consent_setting_held_up_goes_on_when_it_may(lifted_by):
    world = written_by_assumption()
    world.due()
    if lifted_by == "a yes":
        found = world.identify(by=["assumed", "opt-in"])
    else:
        world.start("assumed")
        found = world.identify(by=["assumed"])
    assert rows(found) == [("s1", "waiting")]
    assert of(world.due(), fx.HandOver)


@pytest.mark.parametrize("yes", [True, False])
def test_whoever_said_yes_is_written_to_under_every_setting_that_takes_a_yes(yes):
    world = World()
    world.identify(by=["assumed", "opt-in"] if yes else ["assumed"])
    world.start("opt-in")
    world.request()
    assert bool(of(world.due(), fx.HandOver)) is yes


def test_a_retry_is_not_tried_against_the_consent_setting_in_force():
    world = World(view=msgspec.structs.replace(a_view(), consent="assumed"))
    world.identify(by=["assumed"])
    world.handing_over()
    world.outcome("deferred", code=451, reason="later")
    world.start("opt-in")
    assert rows(world.wake("retry:s1")) == [("s1", "cancelled", "no consent")]


def test_a_state_of_layout_1_waits_for_what_is_told_anew():
    """What it was told of one setting may not hold of the one in force: the first pass after the upgrade says it."""
    world = World()
    world.identify(by=EVERY_SETTING)
    world.request()
    world.state.may_email_by = None
    found = world.due()
    assert rows(found) == [("s1", "planned", "no consent")]
    world.now += timedelta(hours=40)
    assert rows(world.identify(by=EVERY_SETTING)) == [("s1", "waiting")]
    assert of(world.due(), fx.HandOver)


def test_a_state_of_layout_1_is_read():
    fields = msgspec.to_builtins(World().state)
    body = msgspec.msgpack.encode(fields[:-1])
    state = BOT.upgrade(1, body)
    assert state.may_email_by is None
    assert state == msgspec.structs.replace(World().state, may_email_by=None)
