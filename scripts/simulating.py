"""Let all bots meet a synthetic audience in one process, on a clock that jumps.

Rules
1. The bots get Segment calls and the gateway's facts, as bytes; the audience gets mails. Neither sees the other.
2. What is due first happens first: an act of the audience or a wake-up of a bot.
3. A snapshot that the learner publishes is what the next decision is taken by.
4. Probabilities are learned, once a week, where the rules ask for any: all else would be work for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import msgspec

from agents.protocol.bot import View
from agents.rules.compiled import CompiledRules
from agents.rules_manager.state import RulesState
from agents.runtime.inprocess import InProcess, Recall, handed_over
from agents.runtime.lessons import (
    WEEK_ROWS_MAX,
    ReachedAt,
    Row,
    examples_of,
    got_there_at,
    weeks_at,
)
from learning.audience.audience import Act, Audience, Mail, Said
from learning.serving.probability import POLICIES
from messaging.mail.links import urls_in
from messaging.mail.templates import NOW, TemplateFailed, fill
from messaging.ports import MailOutcomeCode, RowWrite
from messaging.vocabulary.effects import HandOver, TrainModel
from messaging.vocabulary.events import Engaged, Record, Unsubscribed
from messaging.vocabulary.ids import (
    anonymous_key,
    own_id,
    partition_of,
    policy_key,
    position,
    visitor_id_for,
)
from messaging.vocabulary.messages import ModelTrained, TrainingScheduled
from messaging.vocabulary.plans import SendPlan
from messaging.vocabulary.records import Snapshot
from scripts.tallying import HOURS, Counts, Tally, in_order, stages_of

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""A Monday. Fixed, so that a seed says everything."""

OWN_LINKS = ("unsubscribe_url", "confirm_url")
"""Variables of templates whose links are never tracked."""

TRAINED_EVERY_HOURS = 7 * 24

Passed = Callable[[datetime], None]
"""Is told of world time as it passes."""


class Fate(msgspec.Struct):
    """Hold what became of one person, as the bots saw it."""

    goal: bool = False
    clicked: bool = False
    sends: int = 0
    unsubscribed: bool = False
    reached_person: bool = False
    """A person was called in, after the last attempt or for another alert."""
    held_out: bool = False


class Simulated:
    """Run one world: the bots under a view, and an audience.

    Parameters:
        view: rules and settings; its snapshots are filled as the learner publishes them.
        audience: who lives in it.
        recall: what answers Social's look-ups, where the view has Social on.
    """

    def __init__(self, view: View, audience: Audience, recall: Recall | None = None) -> None:
        self.bots = InProcess(view, START, self._hand_over, train=self._trained, recall=recall)
        self.events = 0
        self.moments: list[Row] = []
        """Every lead's moments of every week, as they were kept."""
        self._tally = Tally(self._zone, START)
        self._audience = audience
        self._sends: dict[str, set[str]] = {}
        self._links_of: dict[tuple[int, str], tuple[str, ...]] = {}
        self._unsubscribed: set[str] = set()
        self._alerted: set[str] = set()
        if view.learning and view.rules.probabilities:
            for policy in POLICIES:
                key = policy_key(policy)
                schedule = TrainingScheduled(key, START, policy, TRAINED_EVERY_HOURS)
                self.bots.tell("learner", schedule)

    def run(self, until: datetime, passed: Passed = lambda _: None) -> None:
        """Let everything happen that is due before `until`; may be called again with a later time."""
        while True:
            act_at = self._audience.due() or until
            wake_at = self.bots.due() or until
            if min(act_at, wake_at) >= until:
                break
            if wake_at <= act_at:
                self.bots.advance(wake_at)
            else:
                act = self._audience.next()
                if act is not None:
                    self._do(act)
            self._take_rows()
            passed(self.bots.now)
        self.bots.advance(until)
        self._take_rows()

    def fates(self) -> list[Fate]:
        """Return what became of everybody, by the person's number."""
        return [self._fate(visitor_of(browser)) for browser in self._audience.browsers]

    def counts(self, days: int) -> Counts:
        """Return what a marketer asks of this world, which ran for so many days."""
        tally, rules = self._tally, self.bots.view.rules
        fates = self.fates()
        ends: dict[str, Counter[str]] = {name: Counter() for name in sorted(rules.paths)}
        for _, held in self.bots.everybody("rules"):
            for path, status in runs_of(held.state):
                ends.setdefault(path, Counter())[status] += 1
        return Counts(
            people=len(fates),
            events=self.events,
            messages=self.bots.messages,
            held_out=sum(fate.held_out for fate in fates),
            sends_by_day=tally.sends_by_day(days),
            sends_by_hour=[tally.by_hour[hour] for hour in range(HOURS)],
            templates=in_order(tally.templates),
            stages=stages_of(tally, rules),
            ends={path: in_order(counts) for path, counts in ends.items()},
            refused={what: in_order(counts) for what, counts in sorted(tally.refused.items())},
        )

    def reached_at(self, policy: str) -> ReachedAt:
        """Return what tells when a visitor got where a probability is of."""
        bots = self.bots

        def reached(visitor: str) -> datetime | None:
            held = (bots.states(bot).get(visitor) for bot in ("rules", "sales"))
            in_rules, in_sales = (each.state if each is not None else None for each in held)
            return got_there_at(policy, in_rules, in_sales, bots.view.rules)

        return reached

    def _trained(self, act: TrainModel) -> ModelTrained:
        """Learn a probability from what was kept until now, as the learner's own process does."""
        from learning.training.champion import teach
        from learning.training.lesson import Lesson

        rows: list[Row] = []
        for week in weeks_at(act.at):
            rows += [row for row in self.moments if row["week"] == week][-WEEK_ROWS_MAX:]
        examples = examples_of(rows, self.reached_at(act.policy), act.at)
        taught = teach(Lesson(act.policy, examples, self.bots.view.snapshots.get(act.policy)))
        snapshot = taught.trained.snapshot if taught.trained is not None else None
        return ModelTrained(policy_key(act.policy), act.at, act.policy, snapshot, taught.outcome)

    def _fate(self, visitor: str) -> Fate:
        sales = self.bots.states("sales").get(visitor)
        rules = self.bots.states("rules").get(visitor)
        behavior = self.bots.states("behavior").get(visitor)
        clicks = behavior.state.tallies.get("mail_clicked") if behavior is not None else None
        runs = rules.state.runs.values() if rules is not None else ()
        return Fate(
            goal=sales is not None and bool(sales.state.goals),
            clicked=clicks is not None and clicks.human > 0,
            sends=len(self._sends.get(visitor, ())),
            unsubscribed=visitor in self._unsubscribed,
            reached_person=visitor in self._alerted,
            held_out=any(run.holdout for run in runs),
        )

    def _do(self, act: Act) -> None:
        if act.look is None:
            self._feed(act)
            return
        self.bots.advance(act.at)
        self._audience.answer(act, self._standing(visitor_of(act.look.browser), act.at))

    def _standing(self, visitor: str, at: datetime) -> list[dict[str, Any]]:
        """Return what stands open for a visitor, as the gateway tells it."""
        held = self.bots.states("engagement").get(visitor)
        return (
            []
            if held is None
            else [
                {
                    "id": offer.plan.engagement_id,
                    "type": offer.plan.interaction_type,
                    "trigger": offer.trigger,
                    "name": offer.plan.interaction,
                    "content": offer.content,
                }
                for offer in held.state.offers
                if offer.plan.expires_at > at
            ]
        )

    def _feed(self, act: Act) -> None:
        self.events += 1
        if isinstance(act.fact, Unsubscribed):
            self._unsubscribed.add(act.fact.visitor)
        self.bots.feed([record_of(act, self.events)])

    def _hand_over(self, visitor: str, act: HandOver) -> MailOutcomeCode:
        plan = act.plan
        mail = Mail(
            address=act.address,
            at=self.bots.now,
            template=plan.template,
            send_id=plan.send_id,
            visitor=visitor,
            mailbox=act.mailbox,
            links=self._links(plan),
            marketing=plan.marketing,
        )
        self._audience.deliver(mail)
        return handed_over(visitor, act)

    def _links(self, plan: SendPlan) -> tuple[str, ...]:
        """Return the links of an e-mail; of a template they are found once, by whoever gets it first."""
        key = (plan.rules_version, plan.template)
        found = self._links_of.get(key)
        if found is None:
            rules = self.bots.view.pinned[plan.rules_version]
            found = self._links_of[key] = links_of(rules, plan)
        return found

    def _take_rows(self) -> None:
        """Note what the rows say, and let go of them: a simulated quarter writes a million."""
        for row in self.bots.rows:
            self._take_row(row)
        self.bots.rows.clear()

    def _zone(self, visitor: str) -> str:
        held = self.bots.states("rules").get(visitor)
        return held.state.zone if held is not None else ""

    def _take_row(self, row: RowWrite) -> None:
        self._tally.take(row)
        fields: dict[str, Any] = row.fields
        match row.table:
            case "snapshots":
                told = {name: value for name, value in fields.items() if name != "at"}
                snapshot = msgspec.convert(told, Snapshot)
                self.bots.view.snapshots[snapshot.policy] = snapshot
            case "sends" if fields["status"] == "handed over" and not fields["success"]:
                self._sends.setdefault(fields["visitor"], set()).add(row.id)
            case "moments":
                self.moments.append(fields)
            case "alerts" if fields["visitor"]:  # a policy's is about nobody
                self._alerted.add(fields["visitor"])
            case _:
                pass


def runs_of(state: RulesState) -> Iterator[tuple[str, str]]:
    """Yield path and status of each run of a visitor, also of those whose place another took."""
    for name, count in state.past.items():
        kind, path, status, _ = (*name.split("/", 3), "", "", "")[:4]
        if kind == "past":
            yield from repeat((path, status), count)
    for run in state.runs.values():
        if run.broadcast is None:
            yield run.path, run.status


def visitor_of(browser: str) -> str:
    """Return the visitor whose first word came from this browser."""
    return visitor_id_for(anonymous_key(browser))


def links_of(rules: CompiledRules, plan: SendPlan) -> tuple[str, ...]:
    """Return the addresses to which an e-mail's links lead, each once, but for the one to unsubscribe.

    There are none of an e-mail that cannot be filled: it would not go out.
    """
    sender = rules.senders.get(plan.sender)
    known = plan.variables | dict.fromkeys(OWN_LINKS, "")
    known |= {"postal_address": "", NOW: START}
    if sender is not None:
        known |= {"shop_url": sender.url, "shop_name": sender.name}
    try:
        return urls_in(fill(rules.templates[plan.template].html, known, html=True))
    except TemplateFailed:
        return ()


def record_of(act: Act, number: int) -> Record:
    """Return an act as the gateway journals it."""
    if act.fact is not None:
        raw, visitor = msgspec.json.encode(act.fact), act.fact.visitor
    elif act.said is not None:
        fact = engaged(act.said)
        message_id = own_id("engaged", fact.engagement_id, fact.response)
        return _record(message_id, fact.visitor, act.at, msgspec.json.encode(fact), number)
    else:
        assert act.call is not None, "an act is a call or a fact"
        call = act.call | {"messageId": act.message_id, "timestamp": act.at.isoformat()}
        raw, visitor = msgspec.json.encode(call), visitor_of(str(call["anonymousId"]))
    return _record(act.message_id, visitor, act.at, raw, number)


def _record(message_id: str, visitor: str, at: datetime, raw: bytes, number: int) -> Record:
    return Record(position(1, number), message_id, partition_of(visitor), at, at, "", raw)


def engaged(said: Said) -> Engaged:
    """Return what the gateway makes of a browser's word on an offer."""
    return Engaged(
        visitor=visitor_of(said.browser),
        engagement_id=said.offer,
        response=said.response,
        interaction=said.name,
        interaction_type=said.type,
        tab=f"tab of {said.browser}",
        answers=dict(said.answers),
    )


def end_of(days: int) -> datetime:
    """Return the world time at which so many days are over."""
    return START + timedelta(days=days)
