"""Send a webhook as Standard Webhooks says: https://github.com/standard-webhooks/standard-webhooks (version 1).

Rules
1. The id stays the same over all tries, the timestamp is each try's own (signing.py says how they are signed).
2. Nothing private is reached (`messaging.outside`), unless the setting says that its own host is.
3. No redirect is followed: the receiver is the one that was named. Nothing of an alert's answer is read but its status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from messaging.alerts.signing import key_of, signed_headers
from messaging.outside import CheckedResolver, Refused, may_be_asked_for

TRY_SECONDS_MAX = 10.0
GONE = 410


class WebhookClient:
    """Post signed bodies to one address.

    Parameters:
        url: where to; `https`, or `http` where private addresses are allowed.
        secret: `whsec_…`.
        allow_private: whether the address may be private: whoever set it up says so.
    """

    def __init__(self, url: str, secret: str, *, allow_private: bool = False) -> None:
        self._url = url
        self._key = key_of(secret)
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def post(self, id_: str, seconds: int, body: bytes) -> int:
        """Return the status of one try. Raise Refused, or what the world does (OSError, aiohttp's, TimeoutError)."""
        status, _ = await self.ask(self._url, id_, seconds, body, bytes_max=0)
        return status

    async def ask(
        self, address: str, id_: str, seconds: int, body: bytes, *, bytes_max: int
    ) -> tuple[int, bytes]:
        """Return status and body of one try at an address, as `post` does; the body ends after so many bytes."""
        self._check(address)
        headers: Mapping[str, Any] = {
            **signed_headers(self._key, id_, seconds, body),
            "Content-Type": "application/json",
            "User-Agent": "MDMA",
        }
        async with asyncio.timeout(TRY_SECONDS_MAX):
            session = self._opened()
            async with session.post(
                address, data=body, headers=headers, allow_redirects=False
            ) as answer:
                found = b""
                while len(found) < bytes_max:
                    more = await answer.content.read(bytes_max - len(found))
                    if not more:
                        break
                    found += more
                return answer.status, found

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _check(self, address: str) -> None:
        if self._allow_private:
            return
        # As aiohttp reads it: of full-width digits and dots it makes an address.
        url = URL(address)
        if url.scheme != "https":
            raise Refused("only https is called")
        if not may_be_asked_for(url.raw_host or ""):
            raise Refused("not a public address")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = CheckedResolver(lambda *_: self._allow_private)
            connector = aiohttp.TCPConnector(
                resolver=resolver, use_dns_cache=False, force_close=True, limit=16
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session
