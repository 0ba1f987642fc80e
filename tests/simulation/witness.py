"""Look at every commit at the moment it is applied: count what happened, note what may never be true.

Rules
1. It knows the words (messages, rows, statuses) and nothing of how bots decide.
2. A violation is noted and the run goes on: the first one is rarely the clearest.
3. The trace is a hash over all commits in order; the same seed gives the same trace.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from agents.rules_manager.broadcast_rule import name_of
from agents.rules_manager.state import ACTIVE, RulesState, Run
from messaging.ports import Clock, Commit, RowWrite
from messaging.store.memory import MemoryDatabase
from messaging.vocabulary.letters import Letter, decode_letters
from messaging.vocabulary.messages import (
    CohortEntered,
    EngagementRequested,
    Erased,
    GoalReached,
    Identified,
    MailOutcome,
    MergedInto,
    Message,
    Responded,
    RewardSeen,
    SendRequested,
    StateMerged,
    TraitsSet,
)
from messaging.vocabulary.plans import SendPlan
from tests.simulation.flows import FORGOTTEN

FINAL = frozenset(
    {
        "handed over",
        "delivered",
        "bounced",
        "complained",
        "refused",
        "cancelled",
        "given up",
        "uncertain",
    }
)
SETTLED_LATER = {
    "handed over": {"delivered", "bounced", "complained"},
    "uncertain": {"handed over", "delivered", "bounced", "complained"},
    "delivered": {"bounced", "complained"},
}
"""Final statuses that news from outside may still change."""

ENDED_ON_SITE = frozenset({"clicked", "dismissed", "submitted", "withdrawn", "expired", "refused"})

ATTEMPTS_OF_ROUTINE = 4
ATTEMPTS_MAX = {"club": 2, "greeting": 3, "after-order": 1}
"""Attempts of a run, by path; all others are the routine's."""

VIOLATIONS_MAX = 50


def attempts_max(path: str) -> int:
    """Return how many attempts a run of a path may have; a broadcast is one e-mail."""
    if path.startswith(name_of("")):
        return 1
    return ATTEMPTS_MAX.get(path, ATTEMPTS_OF_ROUTINE)


class StoredRules(msgspec.Struct, array_like=True):
    """Read a stored state of the Rules Manager (`agents.runtime.held.Stored`) in one go."""

    version: int
    wakes: msgspec.Raw
    moved: str
    state: RulesState


class Witness:
    """Hold what was seen of one run."""

    def __init__(self, database: MemoryDatabase, clock: Clock, shards: dict[str, int]) -> None:
        self._database = database
        self._clock = clock
        self._shards = shards
        self._stored = msgspec.msgpack.Decoder(StoredRules)
        self._hash = hashlib.blake2b(digest_size=8)
        self._letters: dict[tuple[str, str, int], list[Letter]] = {}
        self.trace: list[str] | None = None
        self.violations: list[str] = []
        self.logged: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.traits_told = 0
        """`TraitsSet` of the Rules Manager: Behavior sends one on where its visitor proved to be another one."""
        self.statuses: Counter[str] = Counter()
        self.moves: Counter[str] = Counter()
        self.stories: Counter[str] = Counter()
        self.trainings: Counter[str] = Counter()
        self.plans: dict[str, SendPlan] = {}
        self.sends: dict[str, dict[str, Any]] = {}
        """Send id -> its newest ledger row."""
        self.history: dict[str, list[tuple[datetime, str]]] = {}
        """Send id -> (when, status)."""
        self.closed: dict[tuple[str, str], datetime] = {}
        self.left: set[str] = set()
        self.erased: set[str] = set()
        """Visitors whose erasure Email took."""
        self.merged: dict[str, str] = {}
        """Younger visitor -> older."""
        self.merged_at: dict[str, datetime] = {}
        self.runs: dict[tuple[str, str, str], str] = {}
        """(visitor, path, run) -> status."""
        self.alerts: dict[str, list[str]] = {}
        self.outcomes: Counter[str] = Counter()
        self._tries: dict[tuple[str, str, str], set[str]] = {}
        self._asked_by: dict[str, str] = {}
        self.mailbox_of: dict[str, str] = {}
        """Visitor -> mailbox their newest send goes to."""
        self.offers: dict[str, dict[str, Any]] = {}
        """Engagement id -> its newest row."""
        self._offered_by: dict[str, datetime] = {}
        """Engagement id -> `at` of what caused it."""
        self.visits: dict[str, set[datetime]] = {}
        """Visitor -> when the sessions began in which Behavior told of a cohort."""
        self._may_look_up: dict[str, bool] = {}
        """Visitor -> what Social was told last."""
        self._goals: dict[str, datetime] = {}
        """Visitor -> latest goal that Engagement took."""
        self.on_decisions: Callable[[Commit], None] = lambda commit: None
        self.taken_back: dict[str, bool] = {}
        """`policy@version` -> whether that snapshot takes its policy back."""
        self.answered: dict[str, bytes] = {}
        """Decision on a template -> what the learner was told of the lead, with the answer."""
        self.on_offer: Callable[[str], None] = lambda engagement_id: None
        self.on_request: Callable[[str, str], None] = lambda visitor, send_id: None

    def broken(self, rule: str, what: str) -> None:
        """Note a violation."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"{rule}: {what} [{self._clock.now():%m-%d %H:%M:%S}]")

    def digest(self) -> str:
        """Return the hash of everything that was committed."""
        return self._hash.hexdigest()

    def committed(self, commit: Commit) -> None:
        """Look at a batch that was written just now."""
        now = self._clock.now()
        self._note(commit, now)
        for out in commit.outbox:
            letters = decode_letters(out.body)
            self._letters[commit.shard, out.to, out.number] = letters
            for letter in letters:
                self._sent(letter.message, commit.bot, now)
        record = commit.record
        self.messages["Arrived"] += len(record.visitors)
        self.messages["Woke"] += len(record.wakes)
        local = decode_letters(record.local) if record.local else []
        for letter in local:
            self.messages[type(letter.message).__name__] += 1
            if isinstance(letter.message, MailOutcome):
                self.outcomes[letter.message.outcome] += 1
        if commit.bot == "social":
            self._look_ups(commit)
        if commit.bot in ("email", "engagement", "social"):
            self._take_in(commit)
        for row in commit.rows:
            self._row(row, now)
        if commit.bot == "rules":
            self.on_decisions(commit)
            for write in commit.states:
                self._run_states(write.visitor, write.body)

    def _note(self, commit: Commit, now: datetime) -> None:
        line = f"{now.isoformat()} {commit.shard} e{commit.epoch} b{commit.batch}"
        noted = [line.encode()]
        for write in commit.states:
            noted += write.visitor.encode(), write.body
        for out in commit.outbox:
            noted += out.to.encode(), out.body
        noted += [f"{row.table}{row.id}".encode() for row in commit.rows]
        self._hash.update(b"".join(noted))
        if self.trace is not None:
            record = commit.record
            rows = [
                f"{r.table}:{r.fields.get('status') or r.fields.get('kind')}" for r in commit.rows
            ]
            to = [f"{out.to}#{out.number}x{out.count}" for out in commit.outbox]
            self.trace.append(
                f"{line} in={record.inputs} wakes={len(record.wakes)} out={to} rows={rows} "
                f"{self._hash.copy().hexdigest()}"
            )

    # What Email took before it handed over

    def _take_in(self, commit: Commit) -> None:
        for stream, first, last in commit.record.inputs:
            for number in range(first, last + 1):
                for letter in self._letters.get((stream, commit.shard, number), ()):
                    if commit.bot == "email":
                        self._told(letter)
                    elif commit.bot == "engagement":
                        self._told_engagement(letter)
                    elif isinstance(letter.message, Identified):
                        self._may_look_up[letter.message.visitor] = letter.message.may_look_up

    def _look_ups(self, commit: Commit) -> None:
        """Look at who is to be asked about: nobody who had refused before, and nobody who is suppressed."""
        agreed = {
            letter.message.visitor
            for stream, first, last in commit.record.inputs
            for number in range(first, last + 1)
            for letter in self._letters.get((stream, commit.shard, number), ())
            if isinstance(letter.message, Identified) and letter.message.may_look_up
        }
        for row in commit.rows:
            if row.fields.get("kind") != "social.asking":
                continue
            visitor = row.fields["visitor"]
            if visitor not in agreed and not self._may_look_up.get(visitor):
                self.broken("asked about though refused", visitor)
        for mailbox in commit.guards:
            if mailbox in self._database.suppressed:
                self.broken("asked about though suppressed", mailbox)

    def _sent(self, message: Message, by: str, now: datetime) -> None:
        self.messages[type(message).__name__] += 1
        match message:
            case TraitsSet():
                self.traits_told += by == "rules"
            case SendRequested():
                self.plans[message.plan.send_id] = message.plan
                self._asked_by[message.plan.send_id] = message.visitor
                self.on_request(message.visitor, message.plan.send_id)
            case EngagementRequested():
                self._offered_by[message.plan.engagement_id] = message.at
            case CohortEntered():
                if message.visit_at is not None:
                    self.visits.setdefault(message.visitor, set()).add(message.visit_at)
            case RewardSeen():
                self._answered(message)
            case MergedInto():
                self.merged[message.visitor] = message.into
                self.merged_at.setdefault(message.visitor, now)
            case _:
                pass

    def _told_engagement(self, letter: Letter) -> None:
        message = letter.message
        if isinstance(message, GoalReached):
            before = self._goals.get(message.visitor, message.at)
            self._goals[message.visitor] = max(before, message.at)

    def _told(self, letter: Letter) -> None:
        message = letter.message
        match message:
            case GoalReached():
                for path in message.paths:
                    self._close(message.visitor, path, message.at)
            case Responded(kind="unsubscribed" | "complained"):
                self.left.add(message.visitor)
            case StateMerged():
                for (visitor, path), at in list(self.closed.items()):
                    if visitor == message.younger:
                        self._close(message.visitor, path, at)
                if message.younger in self.left:
                    self.left.add(message.visitor)
            case Erased():
                self.erased.add(message.visitor)
            case _:
                pass

    def _answered(self, message: RewardSeen) -> None:
        if message.policy.startswith("next_best/") and message.reward.kind == "response":
            self.answered[message.reward.decision_id] = message.inputs

    def _close(self, visitor: str, path: str, at: datetime) -> None:
        before = self.closed.get((visitor, path))
        self.closed[visitor, path] = at if before is None else max(before, at)

    def root(self, visitor: str) -> str:
        """Return who a visitor is in the end."""
        seen = set()
        while visitor in self.merged and visitor not in seen:
            seen.add(visitor)
            visitor = self.merged[visitor]
        return visitor

    # Rows

    def _row(self, row: RowWrite, now: datetime) -> None:
        fields = row.fields
        match row.table:
            case "sends":
                self._send_row(row.id, fields, now)
            case "engagements":
                self._engagement_row(row.id, fields)
            case "decisions":
                self._decision_row(row.id, fields)
            case "story":
                self._story_row(fields)
            case "rewards":
                self.moves[f"reward {fields['kind']}"] += 1
            case "alerts":
                self.alerts.setdefault(row.id, []).append(fields["status"])
            case _:
                pass

    def _send_row(self, send: str, fields: dict[str, Any], now: datetime) -> None:
        status = fields["status"]
        earlier = self.sends.get(send, {})
        before = earlier.get("status", "")
        self.sends[send] = fields
        if fields["mailbox"]:
            self.mailbox_of[fields["visitor"]] = fields["mailbox"]
        self.history.setdefault(send, []).append((now, status))
        if status != before:
            self.statuses[status] += 1
            self.moves[f"send {before or '(new)'} > {status}"] += 1
        if before in FINAL and status != before and status not in SETTLED_LATER.get(before, set()):
            self.broken("send ended twice", f"{send}: {before} > {status}")
        if status == "handing over" != before and fields["success"]:
            reason, _ = self._database.suppressed.get(fields["mailbox"], ("", now))
            if reason == "bounced":
                self.broken("thanked though there is no such mailbox", send)
        if status != "handing over" or fields["success"] or fields["confirms"]:
            return
        visitor = fields["visitor"]
        if before == status and visitor != earlier["visitor"] and earlier["visitor"] in self.merged:
            return  # a merge carries what is on its way already; the server counts what arrives
        if before == "handing over":
            self.broken("handed over twice", send)
        if fields["mailbox"] in self._database.suppressed:
            self.broken("handed over though suppressed", send)
        if visitor in self.erased:
            self.broken("handed over after the erasure", f"{send} of {visitor}")
        if visitor in self.left:
            self.broken("handed over after the unsubscribe", f"{send} of {visitor}")
        plan = self.plans.get(send)
        closed = self.closed.get((visitor, fields["path"]))
        if plan is None:
            self.broken("handed over without a request", send)
        elif closed is not None and closed >= plan.entered_at:
            self.broken("handed over after the goal", f"{send} of {visitor}")

    def _engagement_row(self, id_: str, fields: dict[str, Any]) -> None:
        status, visitor = fields["status"], fields["visitor"]
        before = self.offers.get(id_, {}).get("status", "")
        self.offers[id_] = fields
        if status != before:
            self.moves[f"engagement {before or '(new)'} > {status}"] += 1
        if before in ENDED_ON_SITE and status != before:
            self.broken("engagement ended twice", f"{id_}: {before} > {status}")
        goal, caused_at = self._goals.get(visitor), self._offered_by.get(id_)
        if caused_at is None:
            self.broken("offered without a request", id_)
        elif status not in ENDED_ON_SITE and goal is not None and caused_at <= goal:
            self.broken("open after the goal", f"{id_} of {visitor}")
        if status == "offered":
            self.on_offer(id_)

    def _decision_row(self, decision: str, fields: dict[str, Any]) -> None:
        candidates = [tuple(each) for each in fields["candidates"]]
        allowed = [arm for arm, refused in candidates if not refused]
        chances = fields["probabilities"]
        whole = math.isclose(sum(chances), 1.0, abs_tol=1e-6)
        drawn = [p for arm, p in zip(allowed, chances, strict=False) if arm == fields["arm"]]
        honest = whole and len(chances) == len(allowed) and len(drawn) == 1 and 0 < drawn[0] <= 1.0
        if not honest:
            self.broken("propensity", f"{decision}: {fields['arm']} of {chances}")
        self.moves[f"decision {fields['kind']} {fields['policy'].split('/')[0]}"] += 1
        self.moves["decision by what is known of a lead"] += bool(fields["because"])

    def _story_row(self, fields: dict[str, Any]) -> None:
        kind, detail = fields["kind"], fields["detail"]
        self.stories[kind] += 1
        for name in ("rule", "action", "outcome"):
            if name in detail:
                self.stories[f"{kind} {detail[name]}"] += 1
        if kind == "social.asking" and detail["times"] > 1:
            self.stories["social.asking again"] += 1
        if kind == "stage.reached":
            self.stories[f"{kind} {detail['stage']}"] += 1
        if kind == "step.reached":
            self.stories[f"{kind} {detail['does']}"] += 1
            if detail["stage"] == FORGOTTEN:
                self.broken("a trait that a step set is not known", fields["visitor"])
        if kind == "step.split":
            self.stories[f"{kind} {detail['way']}"] += 1
        if kind.startswith("run.") and "reason" in detail:
            self.stories[f"{kind} {detail['reason']}"] += 1

    # Runs

    def _run_states(self, visitor: str, body: bytes) -> None:
        stored = self._stored.decode(body)
        if stored.moved:
            return
        state = stored.state
        for run in state.runs.values():
            key = (visitor, run.path, run.run)
            before = self.runs.get(key, "(none)")
            if before != run.status:
                self.runs[key] = run.status
                self.moves[f"run {before} > {run.status}"] += 1
                if run.status in ACTIVE and before not in ACTIVE and before != "(none)":
                    what = f"{visitor} {run.path} {run.run}: {before} > {run.status}"
                    self.broken("an ended run goes on", what)
            self._attempts_within(visitor, run)
        places = [run.slot for run in state.runs.values()]
        if len(set(places)) < len(places):
            self.broken("two runs of one path", f"{visitor}: {places}")

    def _attempts_within(self, visitor: str, run: Run) -> None:
        """Attempts may add up over the limit in a merge; no further one may be made then."""
        key = (visitor, run.path, run.run)
        made = {attempt.send_id for attempt in run.tries}
        before = self._tries.get(key, set())
        self._tries[key] = made | before
        most = attempts_max(run.path)
        for send in made - before:
            # A send that was another visitor's came by the merge.
            plan = self.plans.get(send)
            is_own = plan is not None and self._asked_by.get(send) == visitor
            if is_own and run.attempts > most:
                self.broken("attempts", f"{run.attempts} in {run.path} {run.run} of {visitor}")
