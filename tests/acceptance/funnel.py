"""Replay a real year of leads and wins through a running system and compute, by our own means, what must come out.

    python tests/acceptance/funnel.py --data DIR [--limit N] [--pinned]

DIR holds two gzipped CSV files: `marketing_qualified_leads` (mql_id, first_contact_date, day first) and
`closed_deals` (mql_id, won_date). They are imported with the mappings of `config/examples`, and the
expectation is computed from them and the path file.

Rules
1. Nothing of the product is imported. What was sent is what our own SMTP server took.
2. With learning the machine picks the hour inside a window: from the real time of each mail follows the
   window of the next. A win inside a window decides nothing; such cases are counted and shown.
3. With `--pinned` learning is off, every hour is the rules' default, and a win decides to within the few
   minutes that the world clock may run ahead.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from frame import ROOT, SLACK, Failed, Report, System, read_time, say, side_by_side
from mailbox_server import Mail, Mailbox
from routine import Routine, read_routine

CLOCK_START = datetime(2017, 6, 1, tzinfo=UTC)
ADDRESS = "{}@example.com"
FILES = {"marketing_qualified_leads": "first_contact_date", "closed_deals": "won_date"}
"""File -> the column its calls take their time from."""
SECOND = timedelta(seconds=1)

UNDER_WAY = ("planned", "sending", "waiting", "visiting")
OPEN_SENDS = ("planned", "waiting", "handing over", "deferred")


@dataclass(slots=True)
class Lead:
    """Hold one lead of the files, and what the system did."""

    id: str
    entered: datetime
    won: datetime | None
    marketing: list[Mail] = field(default_factory=list)
    success: list[Mail] = field(default_factory=list)
    alerts: list[datetime] = field(default_factory=list)
    status: str = ""
    orders: int = 0


@dataclass(slots=True)
class Findings:
    """Collect what is wrong, by kind, and what cannot be decided."""

    wrong: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    latest: timedelta = timedelta(0)
    """The most that a mail was late behind the last moment of its window."""

    def add(self, kind: str, lead: Lead, text: str) -> None:
        """Note a violation."""
        self.wrong[kind].append(f"lead {lead.id[:8]}: {text}")


def read_leads(data: Path, limit: int | None) -> list[Lead]:
    """Read the leads and wins from the two files; with a limit a fifth of them are winners."""
    won = {
        row["mql_id"]: datetime.fromisoformat(row["won_date"]).replace(tzinfo=UTC)
        for row in _rows(data / "closed_deals.csv.gz")
    }
    leads = []
    for row in _rows(data / "marketing_qualified_leads.csv.gz"):
        day = datetime.strptime(row["first_contact_date"], "%d-%m-%Y").replace(tzinfo=UTC)
        leads.append(Lead(row["mql_id"], day, won.get(row["mql_id"])))
    leads.sort(key=lambda lead: (lead.entered, lead.id))
    if limit is None:
        return leads
    early = [lead for lead in leads if lead.won and lead.won < lead.entered]
    late = [lead for lead in leads if lead.won and lead.won >= lead.entered]
    late.sort(key=lambda lead: (lead.won or lead.entered) - lead.entered)
    step = max(1, len(late) // max(1, limit // 5))
    winners = late[::step][: limit // 5]  # from the fastest to the slowest
    losers = [lead for lead in leads if not lead.won][: limit - len(winners) - len(early)]
    return early + winners + losers


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def write_import(data: Path, leads: list[Lead], folder: Path) -> list[str]:
    """Write the rows of these leads, file by file; return the arguments of `mdma import`."""
    wanted = {lead.id for lead in leads}
    arguments = []
    for name, time_column in FILES.items():
        rows = [row for row in _rows(data / f"{name}.csv.gz") if row["mql_id"] in wanted]
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        arguments += [str(folder / f"{name}.csv.gz"), "--map", str(find_mapping(time_column))]
    return arguments


def find_mapping(time_column: str) -> Path:
    """Find the shipped mapping all of whose calls take their time from this column."""
    for file in sorted((ROOT / "config" / "examples").glob("*.yaml")):
        calls = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("calls", [])
        if calls and {call.get("time") for call in calls} == {time_column}:
            return file
    raise Failed(f"config/examples has no mapping of {time_column} alone")


# ---------------------------------------------------------------------------------- the oracle


def judge(lead: Lead, routine: Routine, findings: Findings, *, pinned: bool) -> None:
    """Compare what one lead got with what the files and the path file say."""
    if len(lead.success) != (lead.won is not None):
        findings.add("success e-mails", lead, f"{len(lead.success)}, won {lead.won}")
    if lead.won and any(not lead.won - SECOND <= m.date <= lead.won + SLACK for m in lead.success):
        findings.add("time of a success e-mail", lead, f"{lead.success[0].date}, won {lead.won}")
    if lead.won and lead.won <= lead.entered:
        findings.counts["won before the first contact"] += 1
        if lead.marketing or lead.alerts:
            findings.add("won before the first contact", lead, f"{len(lead.marketing)} sends")
        return
    _judge_sends(lead, routine, findings, pinned=pinned)
    _judge_alerts(lead, routine, findings)
    _judge_variety(lead, routine, findings)


def _judge_sends(lead: Lead, routine: Routine, findings: Findings, *, pinned: bool) -> None:
    stage = next(iter(routine.stages))
    opens, used = lead.entered, [mail.date for mail in lead.marketing]
    for number in range(routine.attempts):
        first, last = _bounds(routine, stage, opens, number, used[:number], pinned=pinned)
        if number >= len(lead.marketing):
            if lead.won is None or lead.won > last + SLACK:
                findings.add("missing sends", lead, f"send {number + 1} was due {first} … {last}")
            elif lead.won >= first:
                findings.counts["undecidable: won in a send's window"] += 1
            break
        at = lead.marketing[number].date
        if not first - SECOND <= at <= last + SLACK:
            findings.add("send times", lead, f"send {number + 1} at {at}, due {first} … {last}")
        findings.latest = max(findings.latest, at - last)
        if lead.won and at > lead.won + SLACK:
            findings.add("sends after the goal", lead, f"send {number + 1} at {at}, won {lead.won}")
        elif lead.won and at > lead.won:
            findings.counts["handed over within the minutes of the win"] += 1
        opens = at + routine.response
    if len(lead.marketing) > routine.attempts:
        findings.add("too many sends", lead, str(len(lead.marketing)))


def _bounds(
    routine: Routine,
    stage: str,
    opens: datetime,
    number: int,
    used: list[datetime],
    *,
    pinned: bool,
) -> tuple[datetime, datetime]:
    """Return the first and the last moment for a send whose window opens at `opens`, or minutes later."""
    if pinned:
        moments = [routine.pinned(stage, at, number, used) for at in (opens, opens + SLACK)]
        return min(moments), max(moments)
    return routine.moments(stage, opens)[0], routine.moments(stage, opens + SLACK)[-1]


def _judge_alerts(lead: Lead, routine: Routine, findings: Findings) -> None:
    if len(lead.marketing) < routine.attempts:
        if lead.alerts:
            findings.add("alerts", lead, f"alert after {len(lead.marketing)} sends")
        return
    due = lead.marketing[-1].date + routine.response
    if lead.won and due - SLACK <= lead.won <= due + SLACK:
        findings.counts["undecidable: won as the alert was due"] += 1
        return
    expected = lead.won is None or lead.won > due
    if len(lead.alerts) != expected:
        findings.add("alerts", lead, f"{len(lead.alerts)}, due {due}, won {lead.won}")
    elif lead.alerts and not due - SECOND <= lead.alerts[0] <= due + SLACK:
        findings.add("alert times", lead, f"{lead.alerts[0]}, due {due}")
    if expected and lead.won:
        findings.counts["won after the alert"] += 1


def _judge_variety(lead: Lead, routine: Routine, findings: Findings) -> None:
    step = next(iter(routine.stages.values()))
    times = [mail.date for mail in lead.marketing]
    for broken in routine.over_caps(times):
        findings.add("caps", lead, broken)
    for at in times:
        if routine.is_quiet(at):
            findings.add("sends in quiet hours", lead, str(at))
    for before, after in pairwise(lead.marketing):
        if step.another_subject and before.subject == after.subject:
            findings.add("another subject", lead, after.subject)
        if step.another_hour and before.date.hour == after.date.hour:
            findings.add("another hour", lead, f"{before.date} and {after.date}")


# ------------------------------------------------------------------------------------- the run


def wait_until_done(system: System, mailbox: Mailbox, minutes: float) -> dict[str, Any]:
    """Wait until nothing is to come any more; print how far it is."""
    until = time.monotonic() + minutes * 60
    before: Any = None
    began = time.monotonic()
    while time.monotonic() < until:
        stats: dict[str, Any] = system.api("stats")
        waiting = stats["gateway"]["replay_waiting"]
        runs = {k: v for k, v in stats["runs"].items() if k in UNDER_WAY}
        sends = {k: v for k, v in stats["sends"].items() if k in OPEN_SENDS and v}
        world = max((mail.date for mail in mailbox.mails[-50:]), default=CLOCK_START)
        speed = (world - CLOCK_START).total_seconds() / max(1.0, time.monotonic() - began)
        say(
            f"world {world:%Y-%m-%d %H:%M}  mails {len(mailbox.mails)}  calls to feed {waiting}  "
            f"under way {sum(runs.values())}  alerts {stats['alerts']}  {speed:,.0f} × real time"
        )
        seen = (len(mailbox.mails), stats["alerts"], stats["success_mails"])
        if not waiting and not runs and not sends and seen == before:
            return stats
        before = seen
        time.sleep(10.0 if waiting or runs else 3.0)
    raise Failed(f"not done after {minutes} minutes: {stats}")


def collect(system: System, mailbox: Mailbox, leads: list[Lead], success: str) -> list[str]:
    """Ask the API about every lead and give each its mails; return mails that nobody explains."""
    mails: defaultdict[str, list[Mail]] = defaultdict(list)
    for mail in mailbox.mails:
        mails[mail.to].append(mail)

    def ask(lead: Lead) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        found = system.api(f"visitors/{lead.id}")
        if found is None:
            raise Failed(f"lead {lead.id} is not known to the API")
        return found, system.api(f"alerts?visitor={found['visitor_id']}&limit=50")["alerts"]

    strange = []
    for lead, (visitor, alerts) in zip(leads, side_by_side(ask, leads), strict=True):
        rows = {row["message_id"]: row for row in visitor["sends"]}
        for mail in sorted(mails.pop(ADDRESS.format(lead.id), []), key=lambda m: m.date):
            row = rows.pop(mail.message_id.strip("<>").split("@")[0], None)
            if row is None or row["status"] not in ("handed over", "uncertain"):
                strange.append(f"{mail.message_id} was taken, the API says {row}")
            elif row["template"] == success:
                lead.success.append(mail)
            else:
                lead.marketing.append(mail)
        strange += [f"{r} was not taken" for r in rows.values() if r["status"] == "handed over"]
        lead.alerts = sorted(read_time(alert["at"]) for alert in alerts)
        lead.status = visitor["runs"][-1]["status"] if visitor["runs"] else ""
        lead.orders = visitor["counters"].get("Order Completed", 0)
    return strange + [f"{len(rest)} mails to a stranger, {to}" for to, rest in mails.items()]


def report(leads: list[Lead], findings: Findings, strange: list[str], mailbox: Mailbox) -> Report:
    """Make the table."""
    made = Report()
    winners = [lead for lead in leads if lead.won]
    by = Counter(
        "won"
        if lead.status == "won" or (not lead.status and lead.orders)
        else "alerted"
        if lead.status == "alerted"
        else "under way"
        if lead.status in UNDER_WAY
        else f"strange: {lead.status!r}"
        for lead in leads
    )
    made.equal("leads by the API", len(leads), by["won"] + by["alerted"] + by["under way"])
    made.equal("… won", len(winners), by["won"])
    made.equal("… alerted", len(leads) - len(winners), by["alerted"])
    made.equal("… under way", 0, by["under way"])
    made.equal("orders counted", len(winners), sum(lead.orders for lead in leads))
    made.equal("success e-mails", len(winners), sum(len(lead.success) for lead in leads))
    losers = [lead for lead in leads if not lead.won]
    made.equal("sends to others", 4 * len(losers), sum(len(lead.marketing) for lead in losers))
    made.equal("alerts of others", len(losers), sum(len(lead.alerts) for lead in losers))
    ids = Counter(mail.message_id for mail in mailbox.mails)
    made.none("mails taken twice", [f"{k} × {n}" for k, n in ids.items() if n > 1])
    made.none("ledger and mailbox differ", strange)
    for kind in sorted(KINDS | findings.wrong.keys()):
        made.none(kind, findings.wrong[kind])
    for kind, count in sorted(findings.counts.items()):
        made.fact(kind, count)
    made.fact("sends to winners", sum(len(lead.marketing) for lead in winners))
    made.fact("mails in all", len(mailbox.mails))
    made.fact("latest behind its window", findings.latest)
    return made


KINDS = {
    "success e-mails",
    "missing sends",
    "send times",
    "sends after the goal",
    "too many sends",
    "alerts",
    "alert times",
    "caps",
    "sends in quiet hours",
    "another subject",
    "another hour",
}


def main() -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(
        description="Replay a year of real leads and check what comes out."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the two CSV files")
    parser.add_argument("--limit", type=int, help="take so many leads only")
    parser.add_argument("--pinned", action="store_true", help="learning off: every hour is exact")
    parser.add_argument("--minutes", type=float, default=180.0, help="give up after so long")
    given = parser.parse_args()
    routine = read_routine(next((ROOT / "config" / "defaults" / "paths").glob("*.yaml")))
    leads = read_leads(given.data, given.limit)
    say(f"{len(leads)} leads, {sum(lead.won is not None for lead in leads)} of them win")
    with tempfile.TemporaryDirectory(prefix="mdma-funnel-") as folder, Mailbox() as mailbox:
        files = write_import(given.data, leads, Path(folder))
        flags = ["--speed", "max", "--clock-start", CLOCK_START.isoformat().replace("+00:00", "Z")]
        environment = {"MDMA_LEARNING": "off"} if given.pinned else {}
        system = System(Path(folder) / "data", mailbox.url, flags, environment)
        with system:
            speed, began = _run(system, mailbox, files, given.minutes), time.monotonic()
            strange = collect(system, mailbox, leads, routine.success)
            say(f"asked the API about every lead in {time.monotonic() - began:.0f} s")
            audit, words = system.mdma("audit", seconds=3600)
        findings = Findings()
        for lead in leads:
            judge(lead, routine, findings, pinned=given.pinned)
        made = report(leads, findings, strange, mailbox)
        made.system(system, audit)
        made.fact("world seconds per second", f"{speed:,.0f}")
        if audit:
            print(words[-3000:])
        return made.finish()


def _run(system: System, mailbox: Mailbox, files: list[str], minutes: float) -> float:
    """Import, wait for the end of the world; return the speed reached."""
    began = time.monotonic()
    code, words = system.mdma("import", *files, "--replay")
    if code:
        raise Failed(f"`mdma import` ended with {code}: {words[-1000:]}")
    say(f"imported: {words.strip()[-200:]}")
    wait_until_done(system, mailbox, minutes)
    passed = time.monotonic() - began
    world = max((mail.date for mail in mailbox.mails), default=CLOCK_START)
    return (world - CLOCK_START).total_seconds() / passed


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Failed as failure:
        raise SystemExit(f"cannot go on: {failure}") from None
