"""Let a synthetic audience answer the routine's e-mails over HTTP, and judge every visitor's run by a table.

    python tests/acceptance/audience.py [--each 100] [--speed 4000] [--rows 'never opens,clicks, buys']

For each row of `rows.py` so many visitors do what the row says: open the pixel, follow the real link, post the
browser's events, unsubscribe with one POST, refuse the mail at SMTP; a person settles alerts.

Rules
1. Who reads a mail does so some minutes of world time after it was handed over, never at once: what comes
   within two seconds is a machine's. The world clock is read from the API, which tells it a little late.
2. Who was too late for a window (the machine was slow) did not take the row, and is counted apart.
"""

from __future__ import annotations

import argparse
import queue
import re
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

from frame import ROOT, Failed, Report, System, say, side_by_side
from mailbox_server import Mail, Mailbox, free_port
from routine import read_routine
from rows import ROWS, Judge, Person

CLOCK_START = datetime(2026, 3, 2, tzinfo=UTC)
FIRST_ENTRY = timedelta(hours=12)
ENTRIES = timedelta(days=3)
READS_AFTER = timedelta(minutes=20)
ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
ADDRESS = "{}@people.example"
BOUNCES = "nobody-"

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PREFETCH = "Mozilla/5.0"
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"

UNDER_WAY = ("planned", "sending", "waiting", "visiting")
OPEN_SENDS = ("planned", "waiting", "handing over", "deferred")

_LINK = re.compile(r'href="([^"]*/c/[^"]+)"')
_PIXEL = re.compile(r'src="([^"]*/o/[^"]+\.gif)"')


def people(each: int, wanted: list[str]) -> list[Person]:
    """Make up the audience, rows and zones mixed."""
    made = []
    total = each * len(wanted)
    for number in range(total):
        row = wanted[number % len(wanted)]
        prefix = BOUNCES if row == "bounces hard" else "person-"
        made.append(
            Person(
                number=number,
                row=row,
                address=ADDRESS.format(f"{prefix}{number}"),
                zone=ZONES[number // len(wanted) % len(ZONES)],
                entered=CLOCK_START + FIRST_ENTRY + ENTRIES * number / total,
            )
        )
    return made


def entry_of(person: Person) -> tuple[datetime, dict[str, Any]]:
    """Return the call by which a person becomes known."""
    call = {
        "type": "identify",
        "messageId": f"entry-{person.number}",
        "userId": person.user_id,
        "timestamp": person.entered.isoformat(),
        "traits": {"email": person.address, "timezone": person.zone},
        "context": {"consent": {"categoryPreferences": {"email": True}}},
    }
    return person.entered, call


def link_of(mail: Mail) -> re.Match[str] | None:
    """Find the first tracked link of a mail."""
    return _LINK.search(mail.html)


class Audience:
    """Let people act when their time has come.

    Parameters:
        system: what they answer.
        persons: who they are.
    """

    def __init__(self, system: System, persons: list[Person]) -> None:
        self._system = system
        self._by_address = {person.address: person for person in persons}
        self._by_visitor: dict[str, Person] = {}
        self.arrived: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        self._unread: list[tuple[datetime, Person, int]] = []
        self._pool = ThreadPoolExecutor(8)
        self._under_way: list[Future[Any]] = []
        self._settled: set[str] = set()
        self.world = CLOCK_START

    def turn(self, stats: dict[str, Any]) -> None:
        """Read the clock and the new mail; let everybody act whose time has come."""
        clock = stats.get("parts", {}).get("clock-1")
        if clock is not None:
            self.world = max(self.world, datetime.fromtimestamp(clock["world_seconds"], UTC))
        while not self.arrived.empty():
            self._take(self.arrived.get())
        due = [each for each in self._unread if each[0] <= self.world]
        self._unread = [each for each in self._unread if each[0] > self.world]
        for _, person, number in due:
            self._under_way.append(self._pool.submit(self._answer, person, number))
        self._under_way = [each for each in self._under_way if not self._over(each)]

    def idle(self) -> bool:
        """Say whether nobody has anything to do."""
        return not self._unread and not self._under_way and self.arrived.empty()

    def close(self) -> None:
        """Let those who act finish."""
        self._pool.shutdown()

    def settle_alerts(self) -> None:
        """Do at each open alert what the person's row says."""
        for alert in self._system.api("alerts?status=open&limit=1000")["alerts"]:
            if alert["id"] in self._settled:
                continue
            self._settled.add(alert["id"])
            person = self._by_visitor.get(alert["visitor"]) or self._find(alert["visitor"])
            action = ROWS[person.row].at_alert if person is not None else ""
            if person is None or not action or person.at_alert_done:
                continue
            person.at_alert_done = True
            if action == "buy elsewhere":
                self._under_way.append(self._pool.submit(self._act, person, 0, action))
            else:
                stage = {"stage": "opened"} if action == "change" else {}
                path = f"alerts/{alert['id']}/{action}"
                body = {"by": "driver", **stage}
                self._under_way.append(self._pool.submit(self._system.api, path, body))

    def _find(self, visitor: str) -> Person | None:
        found = self._system.api(f"visitors/{visitor}")
        person = self._by_address.get(found["email"] or "") if found else None
        if person is not None:
            self._by_visitor[visitor] = person
        return person

    def _take(self, mail: Mail) -> None:
        person = self._by_address[mail.to]
        person.mails.append(mail)
        number = len(person.mails)
        if number in ROWS[person.row].answers:
            self._unread.append((mail.date + READS_AFTER, person, number))

    @staticmethod
    def _over(task: Future[Any]) -> bool:
        if task.done():
            task.result()
        return task.done()

    def _answer(self, person: Person, number: int) -> None:
        for act in ROWS[person.row].answers[number]:
            if self._act(person, number, act):
                person.acts.append((number, act))

    def _act(self, person: Person, number: int, act: str) -> bool:
        mail = person.mails[number - 1] if number else None
        match act:
            case "open" | "machine open" | "proxy open":
                agent = {"open": BROWSER, "machine open": PREFETCH, "proxy open": PROXY}[act]
                assert mail is not None
                return self._fetch(person, "GET", _PIXEL.search(mail.html), agent, 200) is not None
            case "scan":
                assert mail is not None
                return self._scan(person, mail)
            case "click":
                assert mail is not None
                return self._click(person, mail)
            case "leave":
                assert mail is not None
                path = mail.unsubscribe.removeprefix(self._system.url)
                form = {"Content-Type": "application/x-www-form-urlencoded"}
                status, _, _ = self._system.call("POST", path, b"List-Unsubscribe=One-Click", form)
                return self._expect(person, "POST /u/", status, 200)
            case "cart":
                self._browse(person, "Product Added", {"product_id": "p1", "price": 20})
            case "buy":
                self._browse(person, "Order Completed", _order(person))
            case _:
                call = {
                    "type": "track",
                    "userId": person.user_id,
                    "messageId": f"order-{person.number}",
                    "event": "Order Completed",
                    "properties": _order(person),
                }
                self._system.track([call])
        return True

    def _scan(self, person: Person, mail: Mail) -> bool:
        """Follow every link as a mail gateway does: HEAD, then GET under a name that is no browser's."""
        done = False
        for link in _LINK.finditer(mail.html):
            done = self._fetch(person, "HEAD", link, BROWSER, 302) is not None
            self._fetch(person, "GET", link, PREFETCH, 302)
        return done

    def _click(self, person: Person, mail: Mail) -> bool:
        to = self._fetch(person, "GET", link_of(mail), BROWSER, 302)
        if to is None or "mdma_v=" not in to:
            person.told.append(f"the link does not tag the browser: {to}")
            return False
        page = {"url": to, "path": "/", "title": "Shop"}
        call = {
            "type": "page",
            "messageId": f"page-{person.number}-{mail.order}",
            "anonymousId": f"browser-{person.number}",
            "context": {"page": page, "userAgent": BROWSER},
            "properties": page,
        }
        self._system.track([call])
        return True

    def _browse(self, person: Person, event: str, properties: dict[str, Any]) -> None:
        """Post an event of the browser that the click has tagged; it knows no user id."""
        call = {
            "type": "track",
            "messageId": f"{event}-{person.number}",
            "anonymousId": f"browser-{person.number}",
            "event": event,
            "properties": properties,
            "context": {"page": {"url": "https://shop.example/cart", "path": "/cart"}},
        }
        self._system.track([call])

    def _fetch(
        self, person: Person, method: str, link: re.Match[str] | None, agent: str, wanted: int
    ) -> str | None:
        """Ask for a link of a mail; return where it leads to."""
        if link is None:
            person.told.append("the e-mail has no such link")
            return None
        path = unescape(link[1]).removeprefix(self._system.url)
        status, headers, _ = self._system.call(method, path, None, {"User-Agent": agent})
        is_good = self._expect(person, f"{method} {path[:3]}", status, wanted)
        return headers.get("location", "") if is_good else None

    @staticmethod
    def _expect(person: Person, what: str, status: int, wanted: int) -> bool:
        if status != wanted:
            person.told.append(f"{what} answered {status}, not {wanted}")
        return status == wanted


def _order(person: Person) -> dict[str, Any]:
    return {"order_id": f"order-{person.number}", "total": 20, "currency": "EUR"}


def run(system: System, audience: Audience, minutes: float) -> None:
    """Turn until nobody has anything to do and no run goes on."""
    until, quiet, told = time.monotonic() + minutes * 60, 0, 0.0
    while time.monotonic() < until:
        stats = system.api("stats")
        audience.turn(stats)
        audience.settle_alerts()
        runs = sum(n for status, n in stats["runs"].items() if status in UNDER_WAY)
        sends = sum(n for status, n in stats["sends"].items() if status in OPEN_SENDS)
        waiting = stats["gateway"]["replay_waiting"]
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"world {audience.world:%Y-%m-%d %H:%M}  runs {stats['runs']}  to enter {waiting}")
        quiet = 0 if runs or sends or waiting or not audience.idle() else quiet + 1
        if quiet >= 10:
            return
        time.sleep(0.4)
    raise Failed(f"not done after {minutes} minutes")


def collect(system: System, persons: list[Person]) -> None:
    """Ask the API what it knows of everybody."""

    def ask(person: Person) -> None:
        visitor = system.api(f"visitors/{person.user_id}")
        if visitor is None:
            raise Failed(f"{person.user_id} is not known to the API")
        person.visitor = visitor
        person.timeline = system.api(f"visitors/{visitor['visitor_id']}/timeline")["timeline"]
        person.alerts = system.api(f"alerts?visitor={visitor['visitor_id']}")["alerts"]

    side_by_side(ask, persons)


def report(persons: list[Person], judge: Judge, wanted: list[str], each: int) -> Report:
    """Judge everybody and make the table."""
    made, taken, late = Report(), Counter[str](), Counter[str]()
    wrong: dict[str, list[str]] = {row: [] for row in wanted}
    for person in persons:
        missing = judge.missing(person)
        found = judge.wrong(person) if not missing else []
        taken[person.row] += not missing
        if missing:
            late["; ".join([missing, *person.told[:1]])] += 1
        if found:
            wrong[person.row].append(
                f"{person.user_id} ({person.zone}, {person.visitor['visitor_id']}): "
                + "; ".join(found)
            )
    for row in wanted:
        made.rows.append((row, f"≥ {each}", str(taken[row]), taken[row] >= each))
    for row in wanted:
        made.none(f"runs that differ: {row}", wrong[row])
    for why, count in late.most_common(10):
        made.fact(f"row not taken: {why}", count)
    made.fact("mails taken", sum(len(person.mails) for person in persons))
    return made


def main() -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(description="Let an audience answer and judge every run.")
    parser.add_argument("--each", type=int, default=100, help="visitors that must take each row")
    parser.add_argument("--speed", type=float, default=4000, help="world seconds for each second")
    parser.add_argument("--rows", help="only these rows, parted by |")
    parser.add_argument("--minutes", type=float, default=60, help="give up after so long")
    given = parser.parse_args()
    wanted = given.rows.split("|") if given.rows else list(ROWS)
    persons = people(given.each + max(2, given.each // 20), wanted)
    arrived: queue.SimpleQueue[Mail] = queue.SimpleQueue()
    flags = ["--speed", f"{given.speed:g}", "--clock-start", f"{CLOCK_START:%Y-%m-%dT%H:%M:%SZ}"]
    with (
        tempfile.TemporaryDirectory(prefix="mdma-audience-") as folder,
        Mailbox(
            keep_html=True, refuses=lambda to: to.startswith(BOUNCES), on_mail=arrived.put
        ) as mailbox,
    ):
        system = System(Path(folder) / "data", mailbox.url, flags, port=free_port())
        with system:
            audience = Audience(system, persons)
            audience.arrived = arrived
            say(f"{system.replay(entry_of(person) for person in persons)} people will enter")
            try:
                run(system, audience, given.minutes)
            finally:
                audience.close()
            collect(system, persons)
            audit, words = system.mdma("audit", seconds=1800)
        path = next((ROOT / "config" / "defaults" / "paths").glob("*.yaml"))
        made = report(persons, Judge(read_routine(path)), wanted, given.each)
        made.equal("addresses refused at SMTP", _bouncing(persons), len(set(mailbox.refused)))
        made.system(system, audit)
        if audit:
            print(words[-3000:])
        return made.finish()


def _bouncing(persons: list[Person]) -> int:
    return sum(person.row == "bounces hard" for person in persons)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Failed as failure:
        raise SystemExit(f"cannot go on: {failure}") from None
