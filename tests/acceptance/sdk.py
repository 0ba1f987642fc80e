"""Let the public Segment library for Python, unchanged, drive visitors through the loop of a running system.

    python tests/acceptance/sdk.py [--visitors 60] [--speed 8000]

The library's host is a small door before the gateway that refuses every fifth request with 503 and lets every
seventh through without passing on the answer: what the library tries again must not count twice.

A third of the visitors click and buy, a third click and leave a full cart, a third never answer. The clicks
follow the real links of the e-mails; everything else comes out of the library, gzip on.
"""

from __future__ import annotations

import argparse
import http.client
import logging
import queue
import tempfile
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from audience import BROWSER, UNDER_WAY, link_of
from frame import ROOT, WRITE_KEY, Failed, Report, System, say, side_by_side
from mailbox_server import Mail, Mailbox
from routine import Routine, read_routine
from segment.analytics.client import Client

CLOCK_START = datetime(2026, 3, 2, 9, tzinfo=UTC)
READS_AFTER = timedelta(minutes=20)
BUYS, LEAVES, SILENT = "buys", "leaves a cart", "never answers"
KINDS = (BUYS, LEAVES, SILENT)
EXPECTED = {
    BUYS: (("invited",), 1, 0, "won"),
    LEAVES: (("invited", "cart", "cart", "cart"), 0, 1, "alerted"),
    SILENT: (("invited",) * 4, 0, 1, "alerted"),
}
"""Kind -> stages of the e-mails, success e-mails, alerts, status of the run."""


class Door(ThreadingHTTPServer):
    """Stand before the gateway and lose some requests and some answers."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gateway_port = port
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._requests = 0

    def next_number(self) -> int:
        """Count a request."""
        with self._lock:
            self._requests += 1
            return self._requests

    @property
    def url(self) -> str:
        """Return what the library's host is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        number, done = self.server.next_number(), self.server.done
        done["gzip" if self.headers.get("Content-Encoding") == "gzip" else "plain"] += 1
        if number % 5 == 0:
            done["refused with 503"] += 1
            self._answer(503, b"{}")
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.gateway_port, 30)
        names = ("Content-Type", "Content-Encoding", "Authorization", "User-Agent")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        done[f"gateway said {answer.status}"] += 1
        if number % 7 == 0:
            done["answers lost"] += 1
            self.close_connection = True
            return
        self._answer(answer.status, content)

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Shop:
    """Speak through the library, and remember what was said."""

    def __init__(self, host: str) -> None:
        logging.getLogger("segment").setLevel(logging.CRITICAL)
        self.errors: list[str] = []
        self.said: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.client = Client(
            WRITE_KEY,
            host=host,
            gzip=True,
            max_retries=20,
            upload_size=20,
            on_error=lambda error, items: self.errors.append(f"{error} ({len(items)} calls)"),
        )

    def enter(self, number: int) -> None:
        """Let a visitor sign up and look at a page."""
        self.client.identify(
            f"lead-{number}",
            {"email": f"lead-{number}@people.example", "firstName": "Ann"},
            {"consent": {"categoryPreferences": {"email": True}}},
        )
        self.client.page(f"lead-{number}", None, "Home", {"url": "https://shop.example/"})
        self.said[number].update(("identify", "page"))

    def visit(self, number: int, landing: str, *, buys: bool) -> None:
        """Do what the browser does that the click has tagged."""
        browser = f"browser-{number}"
        page = {"url": landing, "path": "/"}
        self.client.page(None, None, "Landing", page, {"page": page}, anonymous_id=browser)
        self.client.track(None, "Product Added", {"price": 20}, anonymous_id=browser)
        self.said[number].update(("page", "Product Added"))
        if buys:
            order = {"order_id": f"o-{number}", "total": 20.0, "currency": "EUR"}
            self.client.track(None, "Order Completed", order, anonymous_id=browser)
            self.said[number]["Order Completed"] += 1


def kind_of(number: int) -> str:
    """Return what a visitor does."""
    return KINDS[number % len(KINDS)]


def number_of(mail: Mail) -> int:
    """Return whose mail it is."""
    return int(mail.to.partition("@")[0].rpartition("-")[2])


def live(
    system: System, shop: Shop, arrived: queue.SimpleQueue[Mail], count: int, minutes: float
) -> None:
    """Let everybody enter, answer the first mail of those who answer, and wait for the end."""
    for number in range(count):
        shop.enter(number)
    shop.client.flush()
    say(f"{count} visitors entered")
    unread: list[Mail] = []
    answered: set[int] = set()
    until, told = time.monotonic() + minutes * 60, 0.0
    while time.monotonic() < until:
        stats = system.api("stats")
        world = datetime.fromtimestamp(stats["parts"]["clock-1"]["world_seconds"], UTC)
        while not arrived.empty():
            mail = arrived.get()
            number = number_of(mail)
            if kind_of(number) != SILENT and number not in answered:
                answered.add(number)
                unread.append(mail)
        for mail in [m for m in unread if m.date + READS_AFTER <= world]:
            unread.remove(mail)
            _answer(system, shop, mail)
        going = sum(stats["runs"].get(status, 0) for status in UNDER_WAY)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"world {world:%Y-%m-%d %H:%M}  runs {stats['runs']}  alerts {stats['alerts']}")
        if sum(stats["runs"].values()) >= count and not going and not unread and arrived.empty():
            return
        time.sleep(0.5)
    raise Failed(f"not done after {minutes} minutes")


def _answer(system: System, shop: Shop, mail: Mail) -> None:
    link = link_of(mail)
    if link is None:
        raise Failed(f"the e-mail to {mail.to} has no link to click")
    path = unescape(link[1]).removeprefix(system.url)
    status, headers, _ = system.call("GET", path, None, {"User-Agent": BROWSER})
    if status != 302 or "mdma_v=" not in headers.get("location", ""):
        raise Failed(f"a click answered {status}, to {headers.get('location')}")
    number = number_of(mail)
    shop.visit(number, headers["location"], buys=kind_of(number) == BUYS)


def judge(
    system: System, shop: Shop, mails: list[Mail], routine: Routine, count: int
) -> dict[str, list[str]]:
    """Compare everybody with what was said and what must have come of it."""
    by: defaultdict[int, list[Mail]] = defaultdict(list)
    for mail in mails:
        by[number_of(mail)].append(mail)

    def look(number: int) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        found = system.api(f"visitors/lead-{number}")
        if found is None:
            raise Failed(f"lead-{number} is not known to the API")
        return number, found, system.api(f"alerts?visitor={found['visitor_id']}")["alerts"]

    wrong: dict[str, list[str]] = {kind: [] for kind in (*KINDS, "counters")}
    for number, visitor, alerts in side_by_side(look, range(count)):
        templates = {send["message_id"]: send["template"] for send in visitor["sends"]}
        sent = [templates.get(mail.marks.get("X-MDMA-Send", ""), "?") for mail in by[number]]
        found = (
            tuple(routine.stage_of(each) for each in sent if each != routine.success),
            sent.count(routine.success),
            len(alerts),
            visitor["runs"][-1]["status"] if visitor["runs"] else "(none)",
        )
        kind = kind_of(number)
        if found != EXPECTED[kind]:
            wrong[kind].append(f"lead-{number}: {found}, not {EXPECTED[kind]}")
        counted = {name: visitor["counters"].get(name, 0) for name in shop.said[number]}
        if counted != shop.said[number]:
            said = dict(shop.said[number])
            wrong["counters"].append(f"lead-{number}: counted {counted}, said {said}")
    return wrong


def main() -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(description="Drive the loop with the Segment library.")
    parser.add_argument("--visitors", type=int, default=60)
    parser.add_argument("--speed", type=float, default=8000, help="world seconds for each second")
    parser.add_argument("--minutes", type=float, default=40, help="give up after so long")
    given = parser.parse_args()
    routine = read_routine(next((ROOT / "config" / "defaults" / "paths").glob("*.yaml")))
    arrived: queue.SimpleQueue[Mail] = queue.SimpleQueue()
    flags = ["--speed", f"{given.speed:g}", "--clock-start", f"{CLOCK_START:%Y-%m-%dT%H:%M:%SZ}"]
    with (
        tempfile.TemporaryDirectory(prefix="mdma-sdk-") as folder,
        Mailbox(keep_html=True, on_mail=arrived.put) as mailbox,
    ):
        system = System(Path(folder) / "data", mailbox.url, flags)
        with system:
            door = Door(system.port)
            threading.Thread(target=door.serve_forever, daemon=True).start()
            shop = Shop(door.url)
            live(system, shop, arrived, given.visitors, given.minutes)
            shop.client.flush()
            shop.client.join()
            door.shutdown()
            wrong = judge(system, shop, mailbox.mails, routine, given.visitors)
            audit, _ = system.mdma("audit")
    made = Report()
    for name, found in wrong.items():
        made.none(f"visitors that differ: {name}", found)
    made.none("calls the library gave up", shop.errors)
    made.system(system, audit)
    made.fact("calls said", sum(sum(said.values()) for said in shop.said.values()))
    for what, count in sorted(door.done.items()):
        made.fact(f"requests: {what}", count)
    made.fact("mails taken", len(mailbox.mails))
    return made.finish()


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Failed as failure:
        raise SystemExit(f"cannot go on: {failure}") from None
