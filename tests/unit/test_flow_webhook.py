"""A step calls a webhook once each time a run comes to it, waits for what becomes of it, and branches."""

from __future__ import annotations

import msgspec

from agents.rules_manager.state import Run
from agents.runtime.tables import row_for
from config.load import validate_files
from messaging.vocabulary.effects import CallWebhook, Tell
from messaging.vocabulary.events import Record, WebhookAnswered
from messaging.vocabulary.ids import derive, position
from messaging.vocabulary.messages import (
    CohortEntered,
    MergedInto,
    StateMerged,
    WebhookSettled,
)
from tests.behavior_builders import ANN, START, Ann, a_view_of, an_identify, told
from tests.flow_builders import on
from tests.rules_builders import PATH, VISITOR, OneVisitor
from tests.unit.test_rules_entries import FILE, files_with

CALL = """
- name: ask
  webhook: {url: 'https://crm.example/score', at_most_hours: 6}
  else: [{name: nobody, tag: unreachable}, {name: over, end: true}]
- {name: mark, tag: asked}
"""


def calls(one: OneVisitor) -> list[CallWebhook]:
    """Return what is to be called."""
    return [effect for effect in one.effects if isinstance(effect, CallWebhook)]


def settle(one: OneVisitor, call: CallWebhook, outcome: str = "answered") -> None:
    """Tell what became of a call."""
    one.take(
        WebhookSettled(
            VISITOR, one.now, call.call_id, call.path, call.run, call.step, outcome, "status 500"
        )
    )


def test_an_answer_leads_on_and_none_leads_to_the_else() -> None:
    answered = on(CALL)
    (call,) = calls(answered)
    assert (call.url, call.path, call.step) == ("https://crm.example/score", PATH, "ask")
    assert call.data["visitor_id"] == VISITOR
    settle(answered, call)
    assert list(answered.run.reached) == ["ask", "mark"]
    failed = on(CALL)
    settle(failed, calls(failed)[0], "failed")
    assert list(failed.run.reached) == ["ask", "nobody", "over"]


def test_what_is_not_answered_in_time_leads_to_the_else_and_a_late_answer_changes_nothing() -> None:
    one = on(CALL)
    one.pass_time(7)
    assert list(one.run.reached) == ["ask", "nobody", "over"]
    settle(one, calls(one)[0])
    assert list(one.run.reached) == ["ask", "nobody", "over"]


def test_an_answer_to_another_call_is_not_taken_for_this_one() -> None:
    one = on(
        """
- {name: ask, webhook: {url: 'https://crm.example/score', at_most_hours: 6}}
- {name: again, goto: ask, times: 1}
- {name: mark, tag: asked}
"""
    )
    one.pass_time(7)
    first, second = calls(one)
    assert first.call_id != second.call_id
    settle(one, first)
    assert one.run.status == "waiting"
    settle(one, second)
    assert (one.run.stage, len(calls(one))) == ("mark", 2)


def test_the_call_of_somebody_who_was_taken_in_is_still_waited_for_and_not_made_again() -> None:
    younger, older = on(CALL), OneVisitor(on(CALL).view)
    older.identify()
    (state,) = [
        e.message.state
        for e in younger.take(MergedInto(VISITOR, younger.now, VISITOR))
        if isinstance(e, Tell) and isinstance(e.message, StateMerged)
    ]
    older.take(StateMerged(VISITOR, older.now, VISITOR, state))
    assert calls(older) == []
    settle(older, calls(younger)[0])
    assert older.run.stage == "mark"


def test_a_call_is_queued_as_a_row_with_its_batch() -> None:
    (call,) = calls(on(CALL))
    row = row_for(call, VISITOR, "rules-0:1", START)
    assert (row.table, row.id, row.mode) == ("webhooks", call.call_id, "insert")
    assert (row.fields["status"], row.fields["visitor"]) == ("waiting", VISITOR)


def test_an_answer_becomes_traits_before_rules_hear_of_it_and_never_an_address_or_consent() -> None:
    ann = Ann(a_view_of([{"trait": {"name": "plan", "equals": "gold"}}]))
    ann.sees(an_identify(1, "1", email="ann@example.com"))
    fact = WebhookAnswered(
        visitor=ANN,
        call_id="c1",
        path=PATH,
        run="1",
        step="ask",
        outcome="answered",
        traits={"plan": "gold", "email": "eve@example.com", "email_consent": True},
    )
    record = Record(position(1, 2), "m2", 0, START, START, "", msgspec.json.encode(fact))
    effects = ann.sees(record)
    assert ann.state.address == "ann@example.com"
    assert ann.state.consents == {}
    kinds = [type(e.message) for e in effects if isinstance(e, Tell)]
    assert kinds.index(CohortEntered) < kinds.index(WebhookSettled)
    (settled,) = told(effects, WebhookSettled, "rules")
    assert (settled.call_id, settled.outcome) == ("c1", "answered")


def test_a_wrong_webhook_is_told_by_its_line() -> None:
    files = files_with("event: Signed Up")
    head = files[FILE][: files[FILE].index("stages:")]
    for webhook, problem in (
        ("{url: 'ftp://crm.example'}", "is not allowed"),
        ("{url: 'https://user:pass@crm.example'}", "is not allowed"),
        ("{url: 'https://crm.example', at_most_hours: 0}", "greater than or equal to 1"),
        ("{}", "url is missing"),
    ):
        steps = f"steps:\n  - name: ask\n    webhook: {webhook}\n"
        errors = validate_files({**files, FILE: head + steps})
        assert any(problem in str(error) for error in errors), [str(e) for e in errors]
        assert all(error.line for error in errors)
    good = "steps:\n  - name: ask\n    webhook: {url: 'https://crm.example/a'}\n"
    assert validate_files({**files, FILE: head + good}) == []


def test_of_two_runs_at_one_step_each_goes_by_its_own_answer() -> None:
    one = on(CALL)
    first = one.run
    second = msgspec.convert(msgspec.to_builtins(first), Run)
    second.key = second.run = "order-2"
    one.state.put_run(second)
    (call,) = calls(one)
    other = derive("webhook", VISITOR, PATH, second.run, "ask", "1")
    settle(one, msgspec.structs.replace(call, call_id=other, run=second.run), "failed")
    assert (list(first.reached), list(second.reached)) == (["ask"], ["ask", "nobody", "over"])
    settle(one, call)
    assert list(first.reached) == ["ask", "mark"]
