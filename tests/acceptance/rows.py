"""Say what each e-mail row of the routine's table must lead to: a table, and a judge that reads it.

Rules
1. Nothing of the product is asked how it decides. A row says what a visitor does; the routine says the rest.
2. `stages` is the stage whose step wrote each e-mail, in order; its length is the number of sends.
3. After a send without a visit the next window opens when the response window ends; after a visit it opens
   some hours after the visit's end, which is the last activity or half an hour later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from frame import SLACK, read_time
from mailbox_server import Mail
from routine import Routine

IDLE = timedelta(minutes=30)
SECOND = timedelta(seconds=1)

NEVER = ("invited",) * 4
VISITS = frozenset({"click", "cart", "buy"})


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one row: what the visitor does at the n-th e-mail, and what must come of it."""

    stages: tuple[str, ...]
    end: str
    """Status of the run at the end."""
    answers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    alerts: int = 0
    success: bool = False
    at_alert: str = ""


ALWAYS_MACHINE = dict.fromkeys(range(1, 5), ("machine open",))
ALWAYS_PROXY = dict.fromkeys(range(1, 5), ("proxy open",))
ALWAYS_SCANNED = dict.fromkeys(range(1, 5), ("scan",))

ROWS: dict[str, Row] = {
    "never opens": Row(NEVER, "alerted", alerts=1),
    "opens the 1st": Row(("invited", "opened", "opened"), "alerted", {1: ("open",)}, 1),
    "opens the 2nd": Row(("invited", "invited", "opened", "opened"), "alerted", {2: ("open",)}, 1),
    "opens the 3rd": Row(("invited", "invited", "invited", "opened"), "alerted", {3: ("open",)}, 1),
    "opens the 4th": Row(NEVER, "alerted", {4: ("open",)}, 1),
    "clicks, leaves without buying": Row(
        ("invited", "visited", "visited", "visited"), "alerted", {1: ("open", "click")}, 1
    ),
    "opens the 1st, clicks the 2nd, leaves": Row(
        ("invited", "opened", "visited", "visited"), "alerted", {1: ("open",), 2: ("click",)}, 1
    ),
    "clicks the 4th, leaves": Row(NEVER, "alerted", {4: ("click",)}, 1),
    "adds to cart, leaves without buying": Row(
        ("invited", "cart", "cart", "cart"), "alerted", {1: ("click", "cart")}, 1
    ),
    "clicks, buys": Row(("invited",), "won", {1: ("click", "buy")}, success=True),
    "adds to cart, buys": Row(("invited",), "won", {1: ("click", "cart", "buy")}, success=True),
    "buys without an answer": Row(
        ("invited", "invited"), "won", {2: ("buy elsewhere",)}, success=True
    ),
    "unsubscribes with one click": Row(("invited",), "stopped", {1: ("leave",)}),
    "opens, then unsubscribes": Row(
        ("invited", "opened"), "stopped", {1: ("open",), 2: ("leave",)}
    ),
    "bounces hard": Row((), "stopped", alerts=1),
    "a machine opens": Row(NEVER, "alerted", ALWAYS_MACHINE, 1),
    "an image proxy opens": Row(NEVER, "alerted", ALWAYS_PROXY, 1),
    "a scanner follows the links": Row(NEVER, "alerted", ALWAYS_SCANNED, 1),
    "a person resumes": Row(NEVER * 2, "alerted", {}, 2, at_alert="resume"),
    "a person changes the stage": Row(
        (*NEVER, *("opened",) * 4), "alerted", {}, 2, at_alert="change"
    ),
    "a person closes": Row(NEVER, "closed", {}, 1, at_alert="close"),
    "buys after the alert": Row(NEVER, "won", {}, 1, success=True, at_alert="buy elsewhere"),
}


@dataclass(slots=True)
class Person:
    """Hold one made-up visitor, what they did, and what was seen of the system's side."""

    number: int
    row: str
    address: str
    zone: str
    entered: datetime
    mails: list[Mail] = field(default_factory=list)
    acts: list[tuple[int, str]] = field(default_factory=list)
    """(number of the e-mail, what was done), as far as it was really done."""
    at_alert_done: bool = False
    told: list[str] = field(default_factory=list)
    """What went wrong while they acted."""
    visitor: dict[str, Any] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def user_id(self) -> str:
        """Return the user id."""
        return f"person-{self.number}"

    def moments_of(self, *kinds: str) -> list[datetime]:
        """Return when these events were counted, by the visitor's timeline."""
        lines = [line for line in self.timeline if line.get("what") in kinds]
        return sorted(read_time(line["at"]) for line in lines)

    def told_of(self, kind: str) -> list[datetime]:
        """Return when the story tells of something."""
        lines = [line for line in self.timeline if line["kind"].endswith(kind)]
        return sorted(read_time(line["at"]) for line in lines)


class Judge:
    """Compare one person's run with the row they took."""

    def __init__(self, routine: Routine) -> None:
        self._routine = routine

    def missing(self, person: Person) -> str:
        """Say which act could not be done as the row says: then the row was not taken."""
        row = ROWS[person.row]
        wanted = [(number, act) for number, acts in row.answers.items() for act in acts]
        reached = [(number, act) for number, act in wanted if number <= len(row.stages)]
        undone = [pair for pair in reached if pair not in person.acts]
        if undone:
            return f"did not {undone[0][1]} at e-mail {undone[0][0]}"
        if row.at_alert and not person.at_alert_done:
            return f"nobody could {row.at_alert} at the alert"
        for number, act in person.acts:
            kind = {"open": "mail_opened", "click": "mail_clicked"}.get(act)
            if kind is None or number > len(person.mails):
                continue
            # Not bounded by the next mail: a success e-mail may bear an earlier date than the click that led
            # to it, by what the clocks of two parts differ at a high speed.
            starts = person.mails[number - 1].date
            ends = starts + self._routine.response
            if not any(starts <= at <= ends for at in person.moments_of(kind)):
                return f"{act} at e-mail {number} came after its window"
        return ""

    def wrong(self, person: Person) -> list[str]:
        """Return all that differs from the row."""
        row = ROWS[person.row]
        rows = {send["message_id"]: send for send in person.visitor["sends"]}
        marketing: list[tuple[Mail, str]] = []
        success: list[tuple[Mail, str]] = []
        for mail in person.mails:
            send = rows.get(mail.message_id.strip("<>").split("@")[0], {"template": ""})
            is_success = send["template"] == self._routine.success
            (success if is_success else marketing).append((mail, send["template"]))
        stages = tuple(self._routine.stage_of(template) for _, template in marketing)
        found = list(person.told)
        if stages != row.stages:
            found.append(f"sends by stage {stages}, not {row.stages}")
        if len(success) != row.success:
            found.append(f"{len(success)} success e-mails")
        status = person.visitor["runs"][-1]["status"] if person.visitor["runs"] else "(none)"
        if status != row.end:
            found.append(f"the run is {status}, not {row.end}")
        if len(person.alerts) != row.alerts:
            found.append(f"{len(person.alerts)} alerts, not {row.alerts}")
        if person.row == "bounces hard":
            found += self._bounce(person)
        mails = [mail for mail, _ in marketing]
        if stages == row.stages:
            found += self._times(person, mails)
            found += self._variety([template for _, template in marketing], mails)
        found += self._always(person, mails)
        return found

    def _bounce(self, person: Person) -> list[str]:
        statuses = [send["status"] for send in person.visitor["sends"]]
        attempts = person.visitor["runs"][-1]["attempt"] if person.visitor["runs"] else None
        found = [] if statuses == ["bounced"] else [f"ledger {statuses}, not one bounce"]
        return found + ([] if attempts == 0 else [f"a bounce counted as attempt {attempts}"])

    def _times(self, person: Person, mails: list[Mail]) -> list[str]:
        """Check that each send lies in the window that its predecessor and the visits open."""
        found = []
        for index, mail in enumerate(mails):
            sent = [each.date for each in mails[:index]]
            opens, slack = self._opens(person, mails, index)
            first, last = self._routine.bounds(
                ROWS[person.row].stages[index], opens, slack, zone=person.zone, sent=sent
            )
            if not first - SECOND <= mail.date <= last + SLACK:
                found.append(f"e-mail {index + 1} at {mail.date}, due {first} … {last}")
        row = ROWS[person.row]
        if row.alerts and mails:
            due = mails[min(len(mails), 4) - 1].date + self._routine.response
            at = min(read_time(alert["at"]) for alert in person.alerts) if person.alerts else None
            if at is not None and not due - SECOND <= at <= due + SLACK:
                found.append(f"alert at {at}, due {due}")
        return found

    def _opens(self, person: Person, mails: list[Mail], index: int) -> tuple[datetime, timedelta]:
        if index == 0:
            return person.entered, SLACK
        before = mails[index - 1].date
        if index == 4:  # the run that a person opened
            alert = min(read_time(alert["at"]) for alert in person.alerts)
            return max([alert, *person.told_of("alert.settled")[:1]]), SLACK
        acts = {act for number, act in person.acts if number == index}
        if acts & VISITS:
            activity = self._after(person, index, "mail_clicked", "page", "Product Added")
            return max(activity) + self._routine.after_visit, IDLE + SLACK
        return before + self._routine.response, SLACK

    def _after(self, person: Person, number: int, *kinds: str) -> list[datetime]:
        """Return when these events happened between an e-mail and the one after it."""
        start = person.mails[number - 1].date
        ends = person.mails[number].date if number < len(person.mails) else None
        times = person.moments_of(*kinds)
        return [at for at in times if at >= start and (ends is None or at < ends)]

    def _variety(self, templates: list[str], mails: list[Mail]) -> list[str]:
        found = []
        for run in (slice(0, 4), slice(4, 8)):
            sent = templates[run]
            if len(set(sent)) < len(sent):
                found.append(f"a template came twice in a run: {sent}")
            for before, after in pairwise(mails[run]):
                if before.subject == after.subject:
                    found.append(f"the same subject twice: {after.subject!r}")
        return found

    def _always(self, person: Person, mails: list[Mail]) -> list[str]:
        """Check what holds for every marketing e-mail of everybody."""
        times = [mail.date for mail in mails]
        found = self._routine.over_caps(times)
        if person.row == "never opens":
            hours = [at.astimezone(ZoneInfo(person.zone)).hour for at in times]
            same = [b for a, b in pairwise(hours) if a == b]
            found += [f"the same hour twice: {hours}"] if same else []
        found += [
            f"in quiet hours: {at}" for at in times if self._routine.is_quiet(at, person.zone)
        ]
        found += ["no one-click unsubscribe" for mail in mails if not mail.one_click]
        return found
