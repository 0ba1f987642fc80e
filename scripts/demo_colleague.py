"""Let the demo's made-up colleague read the list of open alerts and answer each at its time, over the admin API.

Rules
1. What a person at the console could do is done, and nothing else: the list is read, an answer is posted in their name.
2. Who answers first, somebody who watches the demo or the colleague, is first; the other is told so and goes on.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import structlog

from learning.audience.colleague import NAME, Alert, answer, works_at
from messaging.clock import RealClock

LOOK_SECONDS = 0.5
"""Half a world-hour at the demo's fastest: nobody is seen to work at night."""
LISTED_MAX = 1_000
AT_A_LOOK_MAX = 20

PASSING = frozenset({0, 408, 409, 429, 503})
"""Statuses (0: no answer) after which the next look shows how it stands; 409: it is answered already."""

log = structlog.get_logger()


class Listed(msgspec.Struct):
    """Read a page of alerts."""

    alerts: list[Alert]


class Desk:
    """Hold the place where the colleague works.

    Parameters:
        session: makes the requests.
        clock: the world's.
        seed: the same seed gives the same answers.
        local_url: where the gateway is reached from here.
        admin_token: the admin API's.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        clock: RealClock,
        seed: int,
        *,
        local_url: str,
        admin_token: str,
    ) -> None:
        self._session = session
        self._clock = clock
        self._seed = seed
        self._url = f"{local_url}/api/v1/alerts"
        self._headers = {"Authorization": f"Bearer {admin_token}"}
        self._refused: set[str] = set()
        """Open alerts that cannot be answered so: a stage of the routine is not on a path of somebody's own."""
        self.answered = 0

    async def run(self) -> None:
        """Look at the list again and again until cancelled."""
        while True:
            if works_at(self._clock.now()):
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Answer what is due by now; a gateway that is busy or away is asked at the next look."""
        now = self._clock.now()
        alerts = await self._open()
        self._refused.intersection_update(alert.id for alert in alerts)
        due = [
            each
            for each in alerts
            if each.id not in self._refused and answer(self._seed, each).at <= now
        ]
        for alert in due[:AT_A_LOOK_MAX]:
            await self._answer(alert)

    async def _open(self) -> list[Alert]:
        query = {"status": "open", "limit": str(LISTED_MAX)}
        status, body = await self._ask("GET", self._url, params=query)
        if status != 200:
            return []
        return msgspec.json.decode(body, type=Listed).alerts

    async def _answer(self, alert: Alert) -> None:
        given = answer(self._seed, alert)
        body = {"by": NAME} | ({"stage": given.stage} if given.stage else {})
        status, _ = await self._ask("POST", f"{self._url}/{alert.id}/{given.action}", json=body)
        if status == 409 and given.action != "close":  # nobody may write to them: they are let go
            status, _ = await self._ask("POST", f"{self._url}/{alert.id}/close", json={"by": NAME})
        if status == 200:
            self.answered += 1
        elif status not in PASSING:
            self._refused.add(alert.id)
            log.warning("demo.alert_refused", status=status, action=given.action)

    async def _ask(self, method: str, url: str, **more: Any) -> tuple[int, bytes]:
        """Return status and body; 0 where no answer came."""
        try:
            async with self._session.request(method, url, headers=self._headers, **more) as got:
                return got.status, await got.read()
        except (aiohttp.ClientError, TimeoutError):
            return 0, b""
