"""Be `messaging.ports.LookUps` on the web: each source in turn, each within its time."""

from __future__ import annotations

import asyncio

from messaging.ports import Clock, IsWanted, always
from messaging.social import activitypub, gravatar
from messaging.social.fetch import Fetcher
from messaging.social.outcomes import FAILED, Asked, Told, Unanswered
from messaging.vocabulary.addresses import AddressRefused, written_address
from messaging.vocabulary.plans import Finding

SOURCE_SECONDS_MAX = 10.0
"""For all requests of one source, turns that are waited for among them."""


class WebLookUps:
    """Ask on the web.

    Parameters:
        fetcher: fetches.
        clock: world time, for findings.
        gravatar_url: base of Gravatar's API.
        webfinger_url: where WebFinger is asked; `{domain}` stands for the address' own.
    """

    def __init__(
        self, fetcher: Fetcher, clock: Clock, *, gravatar_url: str, webfinger_url: str
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._gravatar_url = gravatar_url.rstrip("/")
        self._webfinger_url = webfinger_url.rstrip("/")

    async def look_up(
        self, address: str, sources: list[str], is_wanted: IsWanted = always
    ) -> list[Finding]:
        """Return one finding for each source; see the port."""
        return [await self._asked(source, address, Asked(is_wanted)) for source in sources]

    async def close(self) -> None:
        """Close the connections."""
        await self._fetcher.close()

    async def _asked(self, source: str, address: str, asked: Asked) -> Finding:
        at, hosts = self._clock.now(), asked.hosts
        try:
            async with asyncio.timeout(SOURCE_SECONDS_MAX):
                told = await self._ask(source, written_address(address), asked)
        except Unanswered as error:
            return Finding(source, hosts, at, error.outcome, error.reason)
        except AddressRefused:
            return Finding(source, hosts, at, FAILED, "no address that can be asked about")
        except TimeoutError:
            return Finding(source, hosts, at, FAILED, "time-out")
        return Finding(
            source, hosts, at, told.outcome, "", told.kind, told.posts, told.last_active_at
        )

    async def _ask(self, source: str, address: str, asked: Asked) -> Told:
        now = self._clock.now()
        if source == "gravatar":
            return await gravatar.ask(self._fetcher, self._gravatar_url, address, now, asked)
        assert source == "activitypub", f"no source {source}"
        return await activitypub.ask(self._fetcher, self._webfinger_url, address, now, asked)
