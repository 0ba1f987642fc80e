"""Build small rules, views and runs for tests of the Rules Manager: one path, as the routine has it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.protocol.bot import View
from agents.protocol.draw import Draw
from agents.rules.compiled import (
    Cap,
    CompiledRules,
    EmailStep,
    EntryRule,
    PathRule,
    Sender,
    StageRule,
    SuccessRule,
    Template,
)
from agents.rules_manager.bot import RulesBot
from agents.rules_manager.state import RulesState, Run
from messaging.vocabulary.effects import CancelWake, Effect, PutAlert, Tell, WakeAt
from messaging.vocabulary.ids import visitor_id_for
from messaging.vocabulary.messages import (
    CohortEntered,
    GoalReached,
    Identified,
    Message,
    Responded,
    RunBegan,
    RunNoted,
    SendRequested,
    SendSettled,
    SessionEnded,
    Woke,
)
from messaging.vocabulary.plans import SendPlan

MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
VISITOR = visitor_id_for("u:1")
PATH = "to-customer"
HOUR = timedelta(hours=1)


def an_email_step(name: str, **changes: Any) -> EmailStep:
    """Return an e-mail step with four templates."""
    templates = [f"{name}-{letter}" for letter in "abcd"]
    fields: dict[str, Any] = {
        "name": name,
        "timing": "window",
        "window_hours": 24,
        "templates": [(template, None) for template in templates],
        "default_templates": templates,
        "default_first": [],
        "default_hours": [10, 18, 12, 15],
        "different": ["subject", "hour"],
        "on_uncertain": "list",
    }
    return EmailStep(**(fields | changes))


def a_stage(name: str, on: str, cohort: str = "", **changes: Any) -> StageRule:
    """Return a stage; `changes` go to its e-mail step."""
    hold = changes.pop("hold", False)
    return StageRule(name, on, cohort, hold, hold, an_email_step(f"{name}-mail", **changes))


def some_rules(version: int = 1, **changes: Any) -> CompiledRules:
    """Return rules with one path; `changes` go to every e-mail step."""
    stages = [
        a_stage("invited", "entry", **changes),
        a_stage("opened", "opened", **changes),
        a_stage("visited", "clicked", **changes),
        a_stage("cart", "cohort", "in-cart", hold=True, **changes),
    ]
    path = PathRule(
        name=PATH,
        title="A first purchase",
        priority=0,
        worth=1.0,
        goal_events=frozenset({"Order Completed"}),
        entry=EntryRule("addressable-lead"),
        reentry="never",
        zone="UTC",
        quiet_from=21,
        quiet_to=8,
        caps=[Cap("email", 1, 20), Cap("email", 4, 14 * 24)],
        attempts_total=4,
        attempts_after_open=2,
        response_window_hours=72,
        after_visit_hours=24,
        alert="Nobody answers",
        success=SuccessRule("thank-you"),
        sender="shop",
        stages=stages,
    )
    names = [t for stage in stages for t, _ in stage.email.templates] + ["thank-you"]
    return CompiledRules(
        version=version,
        cohorts={},
        scores={},
        paths={PATH: path},
        templates={name: Template(name, name, "", name, name) for name in names},
        senders={"shop": Sender("Shop", "shop@example.com")},
        purchase_events=frozenset({"Order Completed"}),
        goal_events=frozenset({"Order Completed"}),
        touched={"track:*": []},
    )


def a_view(rules: CompiledRules | None = None, **changes: Any) -> View:
    """Return a view without any snapshot and without a holdout."""
    rules = rules or some_rules()
    fields: dict[str, Any] = {"holdout": 0.0} | changes
    return View(rules, rules.version, {rules.version: rules}, {}, **fields)


class OneVisitor:
    """Drive the Rules Manager for one visitor on a clock that jumps; sends settle as told."""

    def __init__(self, view: View | None = None, at: datetime = MONDAY) -> None:
        self.view = view or a_view()
        self.bot = RulesBot()
        self.state: RulesState = self.bot.fresh(VISITOR)
        self.now = at
        self.wakes: dict[str, datetime] = {}
        self.effects: list[Effect] = []
        self.plans: list[SendPlan] = []
        self.sent_at: list[datetime] = []
        self.alerts: list[PutAlert] = []
        self.outcome = "handed over"
        self.notes = True
        """Whether Behavior answers at once that it knows when a run began."""

    @property
    def run(self) -> Run:
        """Return the visitor's run."""
        return self.state.runs[PATH]

    def take(self, message: Message) -> list[Effect]:
        """Step one message, and settle the sends it asks for."""
        effects = self.bot.step(self.state, message, self.now, self.view, Draw)
        self.effects += effects
        settle = []
        for effect in effects:
            match effect:
                case WakeAt(key=key, at=at):
                    self.wakes[key] = at
                case CancelWake(key=key):
                    self.wakes.pop(key, None)
                case PutAlert():
                    self.alerts.append(effect)
                case Tell(message=SendRequested(plan=plan)):
                    self.plans.append(plan)
                    self.sent_at.append(self.now)
                    settle.append(plan)
        for effect in effects:
            if isinstance(effect, Tell) and isinstance(effect.message, RunBegan) and self.notes:
                began = effect.message
                self.take(RunNoted(VISITOR, self.now, began.path, began.run))
        if self.outcome:
            for plan in settle:
                self.settle(plan, self.outcome)
        return effects

    def settle(self, plan: SendPlan, outcome: str, reason: str = "") -> None:
        """Tell what became of a send."""
        self.take(
            SendSettled(
                visitor=VISITOR,
                at=self.now,
                send_id=plan.send_id,
                path=plan.path,
                run=plan.run,
                attempt=plan.attempt,
                outcome=outcome,
                reason=reason,
            )
        )

    def identify(
        self,
        *,
        may_email: bool = True,
        zone: str = "UTC",
        owns: bool = True,
        address: str = "lead@example.com",
        bounced: bool = False,
    ) -> None:
        """Tell that the visitor is known by e-mail."""
        self.take(
            Identified(
                visitor=VISITOR,
                at=self.now,
                address=address,
                may_email=may_email,
                owns_mailbox=owns,
                zone=zone,
                orders=0,
                user_id="1",
                traits={},
                bounced=bounced,
            )
        )

    def enter(self) -> OneVisitor:
        """Let the visitor enter the path."""
        self.identify()
        self.take(CohortEntered(visitor=VISITOR, at=self.now, cohort="addressable-lead"))
        return self

    def answer(self, kind: str, send: int = -1, human: float = 1.0) -> None:
        """Answer the last (or another) send."""
        send_id = self.plans[send].send_id
        self.take(Responded(visitor=VISITOR, at=self.now, send_id=send_id, kind=kind, human=human))

    def end_session(self) -> None:
        """End the visitor's session now."""
        self.take(SessionEnded(visitor=VISITOR, at=self.now, ended_at=self.now, depth=3))

    def buy(self, at: datetime | None = None, credited: str = "") -> None:
        """Reach the goal."""
        self.take(
            GoalReached(
                visitor=VISITOR,
                at=at or self.now,
                paths=[PATH],
                order_id="o1",
                value=20.0,
                currency="EUR",
                credited=credited,
                address="lead@example.com",
            )
        )

    def pass_time(self, hours: float) -> None:
        """Let world time pass, firing what comes due on the way."""
        until = self.now + hours * HOUR
        while True:
            due = sorted((at, key) for key, at in self.wakes.items() if at <= until)
            if not due:
                break
            at, key = due[0]
            del self.wakes[key]
            self.now = max(self.now, at)
            self.take(Woke(visitor=VISITOR, at=self.now, key=key, due=at, note=""))
        self.now = until

    def stories(self) -> Iterable[str]:
        """Return the kinds of the story's lines."""
        return [e.kind for e in self.effects if type(e).__name__ == "LogStory"]  # type: ignore[union-attr]
