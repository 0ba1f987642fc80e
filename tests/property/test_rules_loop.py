"""Hold the Rules Manager to the routine's numbers, whatever a visitor does and however their sends fare."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from messaging.vocabulary.effects import PutAlert
from messaging.vocabulary.messages import AlertAnswered, CohortEntered, SessionEnded
from tests.rules_builders import HOUR, MONDAY, PATH, VISITOR, OneVisitor

IDLE = timedelta(minutes=30)
DAY = timedelta(days=1)
VISITS = ("clicked", "cart", "browses")
ACTS = (*VISITS, "opened", "machine", "buys", "leaves", "resumes", "changes", "closes", "is down")
DOWN = 13 * HOUR
"""How long the system is down at times: longer than it takes from a planned hour into the quiet ones."""
LATE = timedelta(minutes=10)
"""An uncertain e-mail may arrive so long after it was called uncertain."""
OUTCOMES = ("handed over", "uncertain", "given up", "refused", "bounced")


class Life:
    """Let a visitor act and time pass; remember what the routine's numbers are about."""

    def __init__(self, zone: str, outcomes: list[str]) -> None:
        self.lead = OneVisitor(at=MONDAY)
        self.lead.outcome = ""
        self.lead.identify(zone=zone)
        self.zone = ZoneInfo(zone)
        self.outcomes = outcomes
        self.went: list[tuple[datetime, str, int]] = []
        """(when, run, attempt) of each e-mail that counts."""
        self.arrived: list[datetime] = []
        """When each of them came, at the latest."""
        self.visit: datetime | None = None
        """Last activity of the session under way."""
        self.held: list[tuple[datetime, datetime]] = []
        """(from, to): the visitor is to be left alone."""
        self.over: datetime | None = None
        """When they bought or left."""
        self.opened: list[tuple[str, int]] = []
        """(run, e-mails of it that had gone) at each human open without a click."""
        self.clicked: set[str] = set()
        self._settled = 0

    def enter(self) -> None:
        """Enter the path; nobody does who bought or left, by its cohort."""
        if self.over is None:
            self.lead.take(CohortEntered(VISITOR, self.lead.now, "addressable-lead"))

    def pass_time(self, hours: float) -> None:
        """Let time pass; end the session on the way, settle sends as they are asked for."""
        until = self.lead.now + hours * HOUR
        while self.visit is not None and self.visit + IDLE <= until:
            ends, last = max(self.visit + IDLE, self.lead.now), self.visit
            self._pass_until(ends)
            self.visit = None
            self.lead.take(SessionEnded(VISITOR, ends, last, 1))
        self._pass_until(until)

    def _pass_until(self, until: datetime) -> None:
        lead = self.lead
        while True:
            self._settle()
            step = max(lead.now, min([until, *lead.wakes.values()]))
            lead.pass_time((step - lead.now) / HOUR)
            if lead.now == until and all(at > until for at in lead.wakes.values()):
                break
        self._settle()

    def _settle(self) -> None:
        while self._settled < len(self.lead.plans):
            plan = self.lead.plans[self._settled]
            self._settled += 1
            outcome = self.outcomes[self._settled % len(self.outcomes)]
            if outcome in ("handed over", "uncertain"):
                self.went.append((self.lead.now, plan.run, plan.attempt))
                self.arrived.append(self.lead.now + LATE * (outcome == "uncertain"))
            self.lead.settle(plan, outcome, outcome)

    def act(self, act: str) -> None:
        """Do something."""
        lead = self.lead
        run = lead.state.runs.get(PATH)
        sends = [t for t in run.tries if t.status != "reserved"] if run is not None else []
        if act == "is down":
            lead.now += DOWN  # what came due meanwhile fires late
        elif act in VISITS:
            self._visits(act, is_clicking=bool(sends))
        elif act in ("opened", "machine") and sends:
            assert run is not None
            last = sends[-1]
            index = [plan.send_id for plan in lead.plans].index(last.send_id)
            if act == "opened" and run.active and not last.opened:
                self.opened.append((run.run, last.attempt))
            lead.answer("opened", index, human=1.0 if act == "opened" else 0.0)
        elif act == "buys":
            self.over = self.over or lead.now
            lead.buy()
        elif act == "leaves":
            self.over = self.over or lead.now
            lead.identify(may_email=False)
        elif run is not None and run.alert_id:
            action = {"resumes": "resume", "changes": "change", "closes": "close"}.get(act)
            if action is not None:
                stage = "opened" if action == "change" else ""
                ids = (run.alert_id, PATH, run.run)
                lead.take(AlertAnswered(VISITOR, lead.now, *ids, action, "eve", stage))

    def _visits(self, act: str, *, is_clicking: bool) -> None:
        lead = self.lead
        if act == "clicked" and not is_clicking:
            return
        self.visit = lead.now
        if act == "browses":
            return
        run = lead.state.runs.get(PATH)
        if act == "clicked":
            assert run is not None
            last = [t for t in run.tries if t.status != "reserved"][-1]
            index = [plan.send_id for plan in lead.plans].index(last.send_id)
            if run.active and not last.clicked:
                self.clicked.add(run.run)
                self.held.append((lead.now, lead.now + DAY))
            lead.answer("clicked", index)
        else:
            if run is not None and run.active and run.stage != "cart":
                self.held.append((lead.now, lead.now + DAY))
            lead.take(CohortEntered(VISITOR, lead.now, "in-cart"))


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Draw a life of some weeks, and the quiet months after it."""
    zone = draw(st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]))
    fares = st.sampled_from(OUTCOMES[:1] * 24 + OUTCOMES)
    life = Life(zone, draw(st.lists(fares, min_size=1, max_size=5)))
    # What ends a life is rare in it, or there would be little to see.
    acts = st.sampled_from(ACTS + ("opened", "is down") * 4 + VISITS * 2)
    steps = st.tuples(st.integers(0, 100), acts)
    entry = draw(st.integers(0, 2))
    for number, (hours, act) in enumerate(draw(st.lists(steps, max_size=9))):
        if number == entry:
            life.enter()
        life.pass_time(hours)
        life.act(act)
    if PATH not in life.lead.state.runs:
        life.enter()  # the life was too short for it
    life.pass_time(100 * 24)
    return life


@given(lives())
def test_no_run_has_more_attempts_than_its_budget(life: Life) -> None:
    for run in {run for _, run, _ in life.went}:
        attempts = [attempt for _, each, attempt in life.went if each == run]
        assert attempts == list(range(1, len(attempts) + 1))
        assert len(attempts) <= 4
        for opened_in, gone in life.opened:
            if opened_in == run and run not in life.clicked:
                assert len(attempts) <= gone + 2


@given(lives())
def test_no_mail_breaks_a_cap_or_comes_in_the_quiet_hours(life: Life) -> None:
    times = [at for at, _, _ in life.went]
    assert all(8 <= at.astimezone(life.zone).hour < 21 for at in times)
    for came in (times, life.arrived):
        assert all(b - a >= 20 * HOUR for a, b in zip(came, times[1:], strict=False))
        assert all(b - a >= 14 * DAY for a, b in zip(came, times[4:], strict=False))


@given(lives())
def test_nothing_goes_to_whoever_bought_or_left_nor_to_a_visitor_who_is_left_alone(
    life: Life,
) -> None:
    for at, _, _ in life.went:
        assert life.over is None or at <= life.over
        assert not any(start < at < end for start, end in life.held)


@given(lives())
def test_every_run_ends_and_calls_a_person_once_at_most(life: Life) -> None:
    assert not any(run.active for run in life.lead.state.runs.values())
    alerts = [e for e in life.lead.effects if isinstance(e, PutAlert) and e.status == "open"]
    assert len({alert.alert_id for alert in alerts}) == len(alerts)
    assert not [key for key in life.lead.wakes if not key.startswith("window")]
