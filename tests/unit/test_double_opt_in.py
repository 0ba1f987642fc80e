"""Double opt-in: an address is written to only once its owner has said yes."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from agents.behavior_bot import confirming
from agents.behavior_bot.knowing import may_email
from agents.behavior_bot.state import BehaviorState, Confirming, Stamped
from agents.email_bot.bot import EmailBot
from agents.email_bot.state import HANDING_OVER, EmailState
from agents.email_bot.turn import Turn
from agents.protocol.draw import Draw
from messaging.vocabulary.effects import HandOver, LogStory, PutSend, QueueSend, Tell
from messaging.vocabulary.messages import (
    CohortEntered,
    ConfirmationWanted,
    HandOverDue,
    Identified,
    MailOutcome,
    Responded,
)
from tests.behavior_builders import ANN, MINUTE, START, Ann, a_record, a_view, an_identify, told

DAY = timedelta(days=1)
VIEW = a_view(consent="double-opt-in", mailbox=lambda address: f"m:{address}")


def a_lead(number: int, address: str = "ann@example.com", *, yes: bool = True, **more: object):
    traits = {"email_consent": yes}
    return an_identify(number, "u1", email=address, traits=traits, **more)


def a_yes(number: int, address: str = "ann@example.com", **more: object):
    event = {"visitor": ANN, "send_id": "s1", "mailbox": f"m:{address}"}
    return a_record(number, type="address_confirmed", **event, **more)


def asked(effects) -> list[tuple[str, int]]:
    wanted = told(effects, ConfirmationWanted, "email")
    return [(each.address, each.number) for each in wanted]


def test_consent_alone_brings_one_question_and_no_path() -> None:
    ann = Ann(VIEW)
    effects = ann.sees(a_lead(1))
    assert asked(effects) == [("ann@example.com", 1)]
    assert not told(effects, Identified)[0].may_email
    assert "addressable-lead" not in [each.cohort for each in told(effects, CohortEntered)]
    assert not asked(ann.sees(a_lead(2)))


def test_the_owners_yes_opens_the_path_at_once_and_once() -> None:
    ann = Ann(VIEW)
    ann.sees(a_lead(1))
    effects = ann.sees(a_yes(2))
    assert told(effects, Identified, "email")[0].may_email
    assert "addressable-lead" in [each.cohort for each in told(effects, CohortEntered)]
    assert any(isinstance(e, LogStory) and e.kind == "address.confirmed" for e in effects)
    assert not ann.sees(a_yes(3))
    assert not asked(ann.sees(a_lead(4)))


def test_under_the_other_settings_nobody_is_asked() -> None:
    for consent in ("opt-in", "assumed"):
        assert not asked(Ann(a_view(consent=consent)).sees(a_lead(1)))


def test_without_consent_nobody_is_asked() -> None:
    ann = Ann(VIEW)
    assert not asked(ann.sees(an_identify(1, "u1", email="ann@example.com")))
    assert not asked(ann.sees(a_lead(2, yes=False)))


def test_another_address_is_confirmed_anew() -> None:
    ann = Ann(VIEW)
    ann.sees(a_lead(1), a_yes(2))
    effects = ann.sees(a_lead(3, "ann@work.example"))
    assert not told(effects, Identified, "email")[0].may_email
    assert asked(effects) == [("ann@work.example", 2)]
    assert not ann.sees(a_yes(4))  # the yes for the old one
    assert not may_email(ann.state, "double-opt-in")
    ann.sees(a_yes(5, "ann@work.example"))
    assert may_email(ann.state, "double-opt-in")


def test_consent_taken_back_and_given_again_is_confirmed_anew() -> None:
    ann = Ann(VIEW)
    ann.sees(a_lead(1), a_yes(2), a_lead(3, yes=False))
    assert not may_email(ann.state, "double-opt-in")
    ann.now = START + 2 * DAY
    effects = ann.sees(a_lead(4, at=ann.now))
    assert asked(effects) == [("ann@example.com", 2)]
    assert not may_email(ann.state, "double-opt-in")


def test_an_address_is_asked_about_twice_at_most_a_day_apart() -> None:
    ann = Ann(VIEW)
    total = []
    for number in range(1, 10):
        ann.now = START + number * 13 * 60 * MINUTE
        total += asked(ann.sees(a_lead(number, at=ann.now)))
    assert total == [("ann@example.com", 1), ("ann@example.com", 2)]


def test_a_form_is_no_way_to_flood_mailboxes() -> None:
    ann = Ann(VIEW)
    total = []
    for number in range(1, 30):
        total += asked(ann.sees(a_lead(number, f"victim{number}@example.com")))
    assert len(total) == confirming.ASKS_MAX


def test_who_left_or_shares_a_mailbox_is_not_asked() -> None:
    left = Ann(VIEW)
    left.sees(an_identify(1, "u1", email="ann@example.com"))
    left.sees(a_record(2, type="unsubscribed", visitor=ANN, send_id="s1"))
    assert not asked(left.sees(a_lead(3)))
    assert not asked(Ann(VIEW).sees(a_lead(1), member=True))


def test_a_merge_keeps_the_yes_for_the_present_address() -> None:
    state = BehaviorState(email=Stamped("a@example.com", 1.0, 1))
    state.confirming = Confirming("a@example.com", 9.0, 2, again=2)
    confirming.merge(state, Confirming("a@example.com", 3.0, 1, confirmed_at=4.0, again=1))
    assert (state.confirming.confirmed_at, state.confirming.asks) == (4.0, 3)
    confirming.merge(state, None)
    confirming.merge(state, Confirming("b@example.com", 20.0, 1, confirmed_at=21.0, again=1))
    assert state.confirming.address == "a@example.com"


class Post:
    """Step Email for one visitor."""

    def __init__(self, **changes: object) -> None:
        self.state = EmailState(address="ann@example.com", owns_mailbox=True)
        self.view = a_view(mailbox=lambda address: f"m:{address}", **changes)

    def take(self, message):
        return EmailBot().step(self.state, message, START, self.view, Draw)

    def wanted(self, address="ann@example.com", number=1):
        return self.take(ConfirmationWanted(ANN, START, address, number))


def ledger(effects) -> list[tuple[str, str]]:
    return [(each.status, each.reason) for each in effects if isinstance(each, PutSend)]


def test_the_question_needs_no_consent_and_counts_as_no_touch() -> None:
    post = Post()
    effects = post.wanted()
    assert ledger(effects) == [("waiting", "")]
    assert any(isinstance(each, QueueSend) for each in effects)
    [send] = post.state.open
    due = post.take(HandOverDue(ANN, START, send))
    [act] = [each for each in due if isinstance(each, HandOver)]
    assert (act.address, act.plan.template, act.plan.marketing) == (
        "ann@example.com",
        "confirm-address",
        False,
    )
    done = post.take(MailOutcome(ANN, START, send, "handed over", 250, "ok"))
    assert {each.bot for each in done if isinstance(each, Tell)} == {"behavior"}
    assert not post.wanted()  # the same question, told again


def test_it_goes_to_the_address_that_was_asked_about() -> None:
    post = Post()
    post.wanted("ann@work.example")
    [send] = post.state.open.values()
    turn = Turn(post.state, ANN, at=START, now=START, view=post.view)
    assert turn.address_of(send) == "ann@work.example"


def test_nobody_who_left_is_asked_not_even_by_another_visitors_record() -> None:
    left = Post()
    left.take(Responded(ANN, START, "s0", "unsubscribed", 1.0))
    assert ledger(left.wanted()) == [("refused", "unsubscribed")]
    known = Post(suppressed=frozenset({"m:ann@example.com"}))
    known.wanted()
    [send] = known.state.open
    assert ledger(known.take(HandOverDue(ANN, START, send))) == [("refused", "suppressed")]


def test_an_uncertain_question_is_not_repeated_and_alerts_nobody() -> None:
    post = Post()
    post.wanted()
    [send] = post.state.open
    post.take(HandOverDue(ANN, START, send))
    assert post.state.open[send].status == HANDING_OVER
    effects = post.take(MailOutcome(ANN, START, send, "uncertain", 0, "lost"))
    assert ledger(effects) == [("uncertain", "lost")]
    assert not [each for each in effects if type(each).__name__ == "PutAlert"]


def test_rules_without_the_template_say_so() -> None:
    effects = Post(rules=SimpleNamespace(paths={}, templates={})).wanted()
    [line] = effects
    assert line.kind == "confirmation.refused"
