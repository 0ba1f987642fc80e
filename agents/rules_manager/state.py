"""Hold what the Rules Manager knows of one visitor: the place on each path, and the touches that count for caps."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agents.rules.basics import ATTEMPTS_MAX, CAPPED_MAX
from agents.rules_manager.counted import with_past
from messaging.vocabulary.plans import Broadcast

TRIES_MAX = ATTEMPTS_MAX
"""Sends kept of one run: four times the routine's budget, so that resumed and merged runs fit."""

TOUCHES_MAX = CAPPED_MAX
"""Touches kept for the caps, newest first to stay: as many as any cap may count."""

ABSORBED_MAX = 32
"""Younger visitors remembered, so that word of a merge that comes after its state is not waited for."""

OFFERED_MAX = 24
SHOWN_MAX = CAPPED_MAX
"""Offers on the site kept for the caps; a day and a session hold a handful."""

VISITS_MAX = 8
"""Visits remembered: who comes more often in a month is alike to a policy."""

SAME_VISIT = timedelta(minutes=30)
"""Ends of visits that are told so close together are one visit's: what comes late moves its end."""

BROADCASTS_MAX = 32
"""Broadcasts remembered; none is told again once so many came after it."""

RUNS_MAX = 24
"""Runs kept for one visitor; the oldest ended run goes first."""

REPLACED_MAX = 4
"""Replaced runs remembered for the answers to their last e-mails; who enters more often within a window is rare."""

COUNTED_MAX = 64
"""Policies remembered of which an era has counted a visitor: stages and types that one visitor meets."""

OPEN_MAX = 8
"""Runs of one path that may be open beside each other (`reentry: every_time` or `keyed`)."""

ENDED = "ended"

BOUNCED = "address bounced"
"""Why a run ends, and a person is called, where its visitor's address does not work."""

ACTIVE = frozenset({"planned", "sending", "waiting", "visiting"})
"""Statuses of a run that goes on. `won`, `alerted`, `closed`, `stopped` and, of a flow, `ended` are its ends."""


NOT_COUNTED = -1
"""Era of a decision by which no visitor counts."""


class Choice(msgspec.Struct, array_like=True):
    """Remember a decision until its reward is known."""

    decision_id: str = ""
    policy: str = ""
    arm: str = ""
    at: datetime | None = None
    open: bool = False
    """True while its reward is not yet joined."""
    holdout: bool = False
    """Of the decision: a merge may change the visitor's, and not how this was chosen."""
    by_rules: bool = False
    """True where what it teaches did not choose: the rules did, held out or not, or a split test."""
    test: str = ""
    """The split test that counts what comes of it, too; empty: none."""
    by_people: bool = False
    """Whether it was a person's: the rules' default, or all there was (`messaging.vocabulary.records`)."""
    weighs: float = 1.0
    """As how many sends it counts, see `RewardSeen`."""
    era: int = NOT_COUNTED
    """The policy's era in which learned is held against held out; none: the visitor does not count by it."""
    answered: bool = False
    """Whether its reward was a yes."""
    inputs: bytes = b""
    """What was known of the visitor, as the policy reads it (`context.inputs_of`), until the answer has come."""
    moved: float = 0.0
    """How likely a human moved the run on by a mere open: what it is worth is known when no click has followed."""
    allowed: list[str] = []
    """Where the policy itself drew among several arms: those, until the answer has come."""
    propensity: float = 0.0
    """With which probability it drew its arm; 0: it did not draw."""

    def forget(self) -> None:
        """Let go of what only the first answer tells the learner."""
        self.inputs, self.allowed, self.propensity = b"", [], 0.0


class Try(msgspec.Struct, array_like=True):
    """Remember one e-mail of a run."""

    send_id: str
    attempt: int
    stage: str
    step: str
    template: str
    at: datetime
    """Reserved at; from the hand-over on: handed over at."""
    status: str
    """`reserved`, `handed over`, `uncertain`; what was given back is dropped."""
    hour: int
    """Hour of day in the visitor's zone, so that the next may differ."""
    window_ends: datetime | None = None
    opened: bool = False
    clicked: bool = False
    hour_choice: Choice = msgspec.field(default_factory=Choice)
    template_choice: Choice = msgspec.field(default_factory=Choice)
    left: list[str] = []
    """`unsubscribe`, `complaint`: that the visitor left by it, inside its window."""

    @property
    def awaited(self) -> bool:
        """Say whether something is to be told of its decisions yet, at the end of its window if not before."""
        choices = (self.hour_choice, self.template_choice)
        counts = self.status != "reserved" and any(each.era != NOT_COUNTED for each in choices)
        return counts or any(each.open for each in choices)


class Run(msgspec.Struct, array_like=True):
    """Hold one visitor's way along one path."""

    path: str
    version: int
    """Rules version the run stands on."""
    run: str
    """Number of the entry, as text."""
    entered_at: datetime
    """`at` of the cause that opened it."""
    stage: str
    status: str
    holdout: bool
    attempts: int = 0
    """Marketing e-mails handed over or reserved in this run."""
    in_stage: int = 0
    """Of these, the ones of the present stage."""
    open_limit: int = 0
    """Attempts allowed since an open without a click; 0: no such limit."""
    given_back: int = 0
    """Reservations given back; part of the next send's id."""
    planned_at: datetime | None = None
    not_before: datetime | None = None
    hour_choice: Choice = msgspec.field(default_factory=Choice)
    """Decision behind `planned_at`."""
    plans: int = 0
    """Times a send was planned; part of the decision's id."""
    alert_id: str = ""
    """The alert that waits for a person; empty before it came and after it was settled."""
    alerted_at: datetime | None = None
    tries: list[Try] = []
    visit_over_at: datetime | None = None
    """When the loop goes on after the visit that is under way, by what is known of its end; None: no visit."""
    given_up: int = 0
    """Sends that Email gave up for another reason than their hours."""
    reached: dict[str, datetime] = {}
    """Stage -> `at` of the first cause to be there; the path's first stage is reached by entering."""
    won_at: datetime | None = None
    """`at` of the goal that ended it."""
    alert_kind: str = ""
    """What the alert says of itself, so that it says the same when it is settled."""
    until: datetime | None = None
    """Of a flow: when the wait under way is over; None: the run does not stand at one."""
    came: list[int] = []
    """Of a flow: for each of `reached`, in order, which of these it was reached from; -1: the run began there."""
    gone: dict[str, int] = {}
    """Of a flow: `goto` -> how often it led back."""
    calls: int = 0
    """How often a person was called."""
    broadcast: Broadcast | None = None
    """What it sends, where it is no run of a path but of a broadcast."""
    called_off: bool = False
    """Of a broadcast that was called off while Email had been asked for it: what is given back is not planned again."""
    key: str = ""
    """What tells it from the other runs of its path that may be open beside it; empty: there is one at a time."""
    by_people: str = ""
    """How a person opened it: `let in`, or `resumed`; empty: the rules did."""
    noted: str = ""
    """Whether Behavior knows when it began: `asked` to, `yes`; empty: no step has asked what was done since."""
    stays_by: int = 0
    """The version at whose publication the run was told that it stays on its own; 0: none."""
    window_ends: datetime | None = None
    """Of a planned e-mail whose hour was picked: until when it could be; None: it was not."""
    again: list[tuple[int, int]] = []
    """Of a flow: the ways by which it came to a step where it had been, as places in `reached`, each once."""
    since: datetime | None = None
    """Where a person opened it in place of another: from when on a goal ends it, as it would have ended that one."""
    earlier: list[Try] = []
    """Where a person opened it in place of another: that one's e-mails. They are no attempts; answers count."""

    @property
    def goal_since(self) -> datetime:
        """Return from when on a goal ends the run."""
        return self.since or self.entered_at

    @property
    def emails(self) -> list[Try]:
        """Return the e-mails to which an answer is one to this run."""
        return [*self.tries, *self.earlier]

    def owns(self, attempt: Try) -> bool:
        """Say whether an e-mail is an attempt of this run, and not of the one before it."""
        return any(attempt is each for each in self.tries)

    @property
    def slot(self) -> str:
        """Return the place that the run takes among the visitor's: a newer run of the same one replaces it."""
        return f"{self.path}#{self.key}" if self.key else self.path

    @property
    def active(self) -> bool:
        """Return whether the run goes on."""
        return self.status in ACTIVE

    def last_try(self) -> Try | None:
        """Return the newest e-mail of the run."""
        return self.tries[-1] if self.tries else None

    def find(self, send_id: str) -> Try | None:
        """Return the e-mail with this send id."""
        return next((t for t in self.emails if t.send_id == send_id), None)


class Touch(msgspec.Struct, array_like=True):
    """Count one touch against the caps."""

    at: datetime
    """Reserved at; from the hand-over on: handed over at, or the last moment it may be if that is uncertain."""
    channel: str
    send_id: str
    open: bool = False
    """True from the reservation until its send has an end: it may go out at any moment, so it counts as now."""


class Visit(msgspec.Struct, array_like=True):
    """Remember a visit to the site that is over."""

    ended_at: datetime
    pages: int


class Offered(msgspec.Struct, array_like=True):
    """Count one interaction offered on the site against the caps."""

    interaction: str
    type: str
    cohort: str
    """Who leaves it loses the offer."""
    at: datetime
    """Reserved at; once it was seen: shown at."""
    expires_at: datetime
    priority: int = 0
    status: str = "shown"
    """`open`, `withdrawing` (Engagement was asked to), `shown` or `ended` (it was seen); `merging`: another visitor's,
    unseen when the two became one, so that Engagement takes it back unless it is seen before."""
    choice: Choice = msgspec.field(default_factory=Choice)
    answered: bool = False
    """Whether it ended by an answer."""

    @property
    def unseen(self) -> bool:
        """Return whether it was not on a screen yet, as far as is known: it may be at any moment."""
        return self.status in ("open", "withdrawing", "merging")


class RulesState(msgspec.Struct, array_like=True):
    """Hold everything for one visitor."""

    visitor: str
    known: bool = False
    may_email: bool = False
    owns_mailbox: bool = True
    zone: str = ""
    orders: int = 0
    traits: dict[str, str] = {}
    cohorts: list[str] = []
    runs: dict[str, Run] = {}
    """Slot (`Run.slot`) -> the latest run on it: the path's name, with a key where runs are open beside each other."""
    entries: dict[str, int] = {}
    """Path -> how many runs were opened."""
    goals: dict[str, datetime] = {}
    """Path -> latest time its goal was reached."""
    touches: list[Touch] = []
    refused: int = 0
    """Touches refused so far, by any rule."""
    awaiting: list[str] = []
    """Younger visitors found to be this one, whose states are on their way: nothing is sent until then."""
    absorbed: list[str] = []
    """Younger visitors whose states have come, the newest last."""
    offered: dict[str, Offered] = {}
    """Engagement id -> what is open on the site, or was seen of late."""
    offers: int = 0
    """How many were ever offered; part of the next one's id."""
    visit_at: datetime | None = None
    """When the newest session on the site began."""
    room_for: str = ""
    """Cohort for which an offer was asked back; it is offered once that is known to have ended unseen."""
    room_at: datetime | None = None
    """`at` of the cause that waits for room."""
    mixed: bool = False
    """True after a merge of one who is held out with one who is not: left out of the lift."""
    merged_at: datetime | None = None
    """When the newest younger visitor's state came: what Behavior makes of the two may be on its way."""
    broadcasts: list[str] = []
    """The newest broadcasts that came to this visitor: each comes once."""
    may_show: bool = True
    """Whether the visitor may be spoken to on the site."""
    may_show_said_at: datetime | None = None
    """`at` of Behavior's newest word on that; None: none came, and they may."""
    work: dict[str, int] = {}
    """`<task>/<machine or people>` -> pieces of work done for this visitor (`agents.rules_manager.working`)."""
    shown: list[datetime] = []
    """When what was offered on the site was seen first, the newest so many: caps on all channels together count it."""
    hours_week: int = 0
    """The week before which `hours` lie."""
    hours: bytes = b""
    """In which hours the visitor was there, as Behavior packs it (`learning.serving.presence`)."""
    counted: dict[int, int] = {}
    """Policy (by a short hash) -> the era in which a decision of this visitor counts for it (`guarding`)."""
    visits: list[Visit] = []
    """The newest visits that are over, by their ends."""
    undecided: dict[str, datetime] = {}
    """Cohort that nobody can decide yet, as the past that it looks at is on its way -> until when it is waited for."""
    replaced: list[Run] = []
    """What is left of runs whose place another took: e-mails to which an answer may come. Nothing goes on here."""
    mailbox: str = ""
    """Keyed hash of the address as Behavior told of it last: the caps that were asked are those of its mailbox."""
    bounced: bool = False
    """Whether the address does not work: a person is told, since the visitor may well have agreed."""
    kept_off: dict[str, bool] = {}
    """Path whose cohort was entered while the visitor might not be written to -> whether a person had a hand in it."""
    past: dict[str, int] = {}
    """As what the runs were counted whose place another took (`counted`)."""

    @property
    def not_agreed(self) -> str:
        """Return the rule by which this visitor gets no marketing e-mail; empty: they have agreed to it."""
        if not self.may_email:
            return BOUNCED if self.bounced else "consent"
        return "" if self.owns_mailbox else "mailbox_of_another_visitor"

    def is_undecided(self, cohort: str, now: datetime) -> bool:
        """Say whether that a visitor is not in a cohort says nothing yet: their past is on its way."""
        until = self.undecided.get(cohort)
        return until is not None and now < until

    def note_visits(self, visits: list[Visit]) -> None:
        """Remember visits that are over, each once, the newest so many."""
        found: list[Visit] = []
        for visit in sorted([*self.visits, *visits], key=lambda each: (each.ended_at, each.pages)):
            if found and visit.ended_at - found[-1].ended_at < SAME_VISIT:
                found.pop()  # its end moved
            found.append(visit)
        self.visits = found[-VISITS_MAX:]

    def runs_on(self, path: str) -> list[Run]:
        """Return the runs of one path, in the order in which they were opened."""
        return [run for run in self.runs.values() if run.path == path]

    def put_run(self, run: Run, *, goes_on: bool = False) -> None:
        """Put a run in its place; beyond the bound the oldest that has ended is let go.

        `goes_on`: it is the one before it in this place, resumed.
        """
        before = self.runs.pop(run.slot, run)
        self.runs[run.slot] = run
        if before is not run:
            self._replace(before, is_over=not goes_on)
        ended = [each for each in self.runs.values() if not each.active and each is not run]
        if len(self.runs) > RUNS_MAX and ended:
            self._replace(self.runs.pop(min(ended, key=_worth_keeping).slot))

    def _replace(self, run: Run, *, is_over: bool = True) -> None:
        """Keep of a run that is let go what is still waited for, and as what it was counted."""
        if is_over:
            self.past = with_past(self.past, run, in_arms=not self.mixed)
        left = Run(run.path, run.version, run.run, run.entered_at, run.stage, ENDED, run.holdout)
        left.key, left.won_at, left.tries = run.key, run.won_at, run.emails
        self.keep_replaced([*self.replaced, left])

    def keep_replaced(self, runs: list[Run]) -> None:
        """Keep of replaced runs the e-mails that are waited for; of too many runs the newest."""
        for run in runs:
            run.tries = [each for each in run.tries if each.awaited]
        self.replaced = [run for run in runs if run.tries][-REPLACED_MAX:]

    def waiting_for(self) -> list[Run]:
        """Return all runs to whose e-mails an answer may come, those in a place before replaced ones."""
        return [*self.runs.values(), *self.replaced]


def _worth_keeping(run: Run) -> tuple[bool, bool, datetime]:
    return run.broadcast is None, bool(run.alert_id), run.entered_at
