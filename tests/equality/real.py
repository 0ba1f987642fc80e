"""Let an audience live in a real system: `mdma up` with its mongod, Ray, gateway and SMTP, and a gated clock.

    python -m tests.equality.real FOLDER --visitors 60 --days 14 --seed 1

Rules
1. Nobody acts but over HTTP, and reads but what SMTP brought.
2. The world clock goes a second at a time past what is due (`QUANTUM`), so that everything happens within a second of
   its time: what is due includes what the audience does next, and an e-mail that it has not taken yet.
3. Nobody acts at a time of which some part has not heard: with no limit to the speed, the clock jumps by hours.
4. What the API says at the end of the world is written to `FOLDER/told.json`; then the system is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

from agents.cluster.keeper import Keeper
from agents.runtime.gate import GateReport
from config.settings import SPEED_MAX, read_settings
from learning.audience.audience import Act, Look, Mail, Said
from messaging.vocabulary.events import Fact, MailClicked, MailOpened, Unsubscribed
from scripts.logs import configure
from scripts.simulating import START, end_of, visitor_of
from scripts.system import System
from tests.acceptance.mailbox_server import Mail as Stored
from tests.acceptance.mailbox_server import Mailbox
from tests.equality.lives import HOLDOUT, TABLES, Lives

QUANTUM = timedelta(seconds=1)
TOLD = "told.json"
CALL_SECONDS_MAX = 30.0
SAY_SECONDS = 10.0
ROWS_MAX = 200

_LINK = re.compile(r'href="([^"]*/c/[^"]+)"')
_PIXEL = re.compile(r'src="([^"]*/o/[^"]+\.gif)"')


class Dwellers:
    """Let everybody live (`scripts.system.Companion`).

    Parameters:
        lives: who, and for how long.
        folder: where what was told is written.
    """

    def __init__(self, lives: Lives, folder: Path) -> None:
        self._lives = lives
        self._folder = folder
        self._audience = lives.audience()
        self._until = end_of(lives.days)
        self._heard = START
        """World time that all parts have been told of."""
        self._under_way: list[datetime] = []
        self._oldest: datetime | None = None
        self._waiting: list[Stored] = []
        self._mails: dict[str, Stored] = {}
        """Send id -> the e-mail as its reader has it."""
        self._news = asyncio.Event()
        self._acts = 0
        self._wrong: list[str] = []

    async def start(
        self,
        stack: AsyncExitStack,
        keeper: Keeper,
        *,
        extras: dict[str, dict[str, float]],
        local_url: str,
        public_url: str,
        write_key: str,
        admin_token: str,
    ) -> None:
        """Begin to live."""
        self._loop = asyncio.get_running_loop()
        self._keeper, self._url, self._key = keeper, local_url, write_key
        self._admin = {"Authorization": f"Bearer {admin_token}"}
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
        self._session = aiohttp.ClientSession(timeout=timeout)
        stack.push_async_callback(self._session.close)
        self._task = asyncio.create_task(self._run())
        stack.push_async_callback(self.end)

    def report(self) -> GateReport:
        """Return what the world clock must wait for."""
        self._heard = self._keeper.clock.now()
        self._news.set()
        held, self._oldest = self._oldest, min(self._under_way, default=None)
        due = self._audience.due()
        return GateReport(held, self._until if due is None else min(due, self._until))

    async def end(self) -> None:
        """Act no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def arrived(self, mail: Stored) -> None:
        """Take an e-mail from the SMTP server's thread, before that answers."""
        self._loop.call_soon_threadsafe(self._arrive, mail)

    def _arrive(self, mail: Stored) -> None:
        self._hold(mail.date)
        self._waiting.append(mail)
        self._news.set()

    # Living

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._say())
                await self._live()
                telling.cancel()
            await self._write()
        except Exception as error:  # noqa: BLE001 - it is told, and the world ends
            self._wrong.append(f"{type(error).__name__}: {error}")
            self._put({})
        os.kill(os.getpid(), signal.SIGTERM)

    async def _live(self) -> None:
        while True:
            due = self._audience.due()
            if self._waiting:
                await self._take(self._waiting.pop(0))
            elif due is not None and due <= self._heard:
                act = self._audience.next()
                if act is not None:
                    with self._holding(act.at):
                        await self._do(act)
                    self._acts += 1
            elif self._heard >= self._until:
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def _take(self, mail: Stored) -> None:
        """Put an e-mail into its mailbox, with the name of its template: the reader's taste is about that."""
        send_id = mail.marks["X-MDMA-Send"]
        visitor = visitor_of(mail.to.partition("@")[0].replace("person", "browser"))
        sends = await self._api(f"sends?visitor={visitor}&limit={ROWS_MAX}")
        row = next(each for each in sends["sends"] if each["id"] == send_id)
        self._mails[send_id] = mail
        links = (f"{self._path(unescape(link))}" for link in _LINK.findall(mail.html))
        self._audience.deliver(
            Mail(
                address=mail.to,
                at=mail.date,
                template=row["template"],
                send_id=send_id,
                visitor=visitor,
                mailbox="",
                links=tuple(dict.fromkeys(links)),
                marketing=not (row["success"] or row["confirms"]),
            )
        )
        self._under_way.remove(mail.date)

    async def _do(self, act: Act) -> None:
        if act.call is not None:
            now = datetime.now(UTC).isoformat()
            call = act.call | {"messageId": act.message_id, "timestamp": now}
            await self._post("/v1/batch", {"sentAt": now, "batch": [call]})
        elif act.look is not None:
            self._audience.answer(act, await self._standing(act.look))
        elif act.said is not None:
            await self._answer(act.said)
        elif act.fact is not None:
            await self._respond(act.fact)

    async def _standing(self, look: Look) -> list[dict[str, Any]]:
        query = {"visitor": look.browser, "writeKey": self._key}
        async with self._session.get(f"{self._url}/v1/engagements", params=query) as answer:
            self._expect("GET /v1/engagements", answer.status, {200})
            found: list[dict[str, Any]] = (await answer.json())["engagements"]
            return found

    async def _answer(self, said: Said) -> None:
        body: dict[str, Any] = {"visitor": said.browser, "tab": f"tab of {said.browser}"}
        if said.answers:
            body["answers"] = said.answers
        # What ended meanwhile is refused: in a simulation Engagement itself takes no notice of it.
        over = {200, 404, 409}
        await self._post(f"/v1/engagements/{said.offer}/{said.response}", body, over)

    async def _respond(self, fact: Fact) -> None:
        match fact:
            case MailOpened():
                found = _PIXEL.search(self._mails[fact.send_id].html)
                assert found is not None, "an e-mail has a pixel"
                await self._get(self._path(unescape(found[1])), fact.user_agent, 200)
            case MailClicked():
                await self._get(fact.link, fact.user_agent, 302)
            case Unsubscribed():
                path = self._path(self._mails[fact.send_id].unsubscribe)
                form = {"List-Unsubscribe": "One-Click"}
                async with self._session.post(f"{self._url}{path}", data=form) as answer:
                    self._expect("POST /u/", answer.status, {200})
            case _:
                raise AssertionError(f"nobody in an audience tells {type(fact).__name__}")

    # HTTP

    async def _post(self, path: str, body: dict[str, Any], good: set[int] | None = None) -> None:
        raw = msgspec.json.encode(body | {"writeKey": self._key})
        headers = {"Content-Type": "text/plain"}
        async with self._session.post(f"{self._url}{path}", data=raw, headers=headers) as answer:
            self._expect(f"POST {path}", answer.status, good or {200})
            if path == "/v1/batch" and await answer.json() != {"success": True}:
                self._wrong.append(f"POST {path}: {await answer.text()}")

    async def _get(self, path: str, agent: str, good: int) -> None:
        headers = {"User-Agent": agent}
        async with self._session.get(
            f"{self._url}{path}", headers=headers, allow_redirects=False
        ) as answer:
            self._expect(f"GET {path[:3]}", answer.status, {good})

    async def _api(self, path: str) -> Any:
        async with self._session.get(f"{self._url}/api/v1/{path}", headers=self._admin) as answer:
            return await answer.json() if answer.status == 200 else None

    def _path(self, url: str) -> str:
        return "/" + url.split("/", 3)[3]

    def _expect(self, what: str, status: int, good: set[int]) -> None:
        if status not in good:
            self._wrong.append(f"{what} answered {status}")

    # What is held

    def _hold(self, at: datetime) -> None:
        self._under_way.append(at)
        self._oldest = at if self._oldest is None else min(self._oldest, at)

    @contextmanager
    def _holding(self, at: datetime) -> Iterator[None]:
        self._hold(at)
        try:
            yield
        finally:
            self._under_way.remove(at)

    # What is told

    async def _say(self) -> None:
        while True:
            await asyncio.sleep(SAY_SECONDS)
            world, speed = self._keeper.clock.now(), self._keeper.reached()
            print(
                f"world {world:%Y-%m-%d %H:%M}  acts {self._acts:,}  mails {len(self._mails):,}  "
                f"{speed:,.0f} × real time",
                flush=True,
            )

    async def _write(self) -> None:
        found: dict[str, Any] = {}
        for visitor in map(visitor_of, self._audience.browsers):
            known = await self._api(f"visitors/{visitor}")
            tables = {
                table: (await self._api(f"{table}?visitor={visitor}&limit={ROWS_MAX}"))[table]
                for table in TABLES
            }
            found[visitor] = {"runs": known["runs"] if known else [], "tables": tables}
        self._put(found)

    def _put(self, found: dict[str, Any]) -> None:
        content = {"visitors": found, "wrong": self._wrong, "acts": self._acts}
        (self._folder / TOLD).write_bytes(msgspec.json.encode(content))


async def _live(lives: Lives, folder: Path) -> None:
    dwellers = Dwellers(lives, folder)
    with Mailbox(keep_html=True, on_mail=dwellers.arrived) as mailbox:
        settings = read_settings(
            data=folder / "data",
            port=0,
            speed=SPEED_MAX,
            clock_start=START,
            smtp_url=mailbox.url,
            learning=False,
            holdout=HOLDOUT,
            log="console:warning",
        )
        configure(settings.log)
        system = System(
            settings, lambda text: print(text, flush=True), companion=dwellers, quantum=QUANTUM
        )
        await system.run()


def main() -> None:
    """Live and tell."""
    parser = argparse.ArgumentParser(description="Let an audience live in a real system.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--visitors", type=int, default=60)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    lives = Lives(given.visitors, given.days, given.seed)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(lives, given.folder))


if __name__ == "__main__":
    sys.exit(main())
