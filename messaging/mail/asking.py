"""Ask where the links of an e-mail lead whether anything is there. Only when a person wants to know.

Rules
1. Only what is out on the internet is asked (`messaging.outside`): each hop of a redirect is checked like the first,
   and connected to by the address that was checked. On the usual ports, without a user, cookie, proxy or credential.
2. HEAD; where a server does not know that, GET, of which nothing is read. Few at once, few in all, and each ends soon.
3. Where a system is not in the real world (a demo, another speed), nobody outside is asked at all.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import aiohttp
import msgspec
from yarl import URL

from messaging.names import Resolve, machine_names
from messaging.outside import CheckedResolver, NotPublic, may_be_asked_for

LINK_SECONDS_MAX = 5.0
"""For one link, its redirects together."""

LINKS_MAX = 25
AT_ONCE_MAX = 4
REDIRECTS_MAX = 3
URL_CHARACTERS_MAX = 2_000
HEADERS_BYTES_MAX = 16 * 1024

FINE, WRONG, UNSURE, UNASKED = "fine", "wrong", "look", "not asked"

USER_AGENT = "MDMA link check"

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_HEAD = frozenset({405, 501})
_UNWELCOME = frozenset({401, 403, 407, 408, 425, 429, 503})
"""Many servers answer so to whatever is no browser: somebody should look with one."""


class LinkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Say what asking a link came to."""

    link: str
    outcome: str
    """`fine`, `look`, `wrong` or `not asked`."""
    said: str


class AsksLinks(Protocol):
    """Ask links (`LinkAsker`)."""

    async def ask(self, links: list[str]) -> list[LinkAnswer]:
        """Return what each answers, in their order."""
        ...


class LinkAsker:
    """Ask links.

    Parameters:
        is_outside_open: False: nobody is asked (rule 3).
        resolve: who says what a host stands for.
        named: `host:port` of those that may be private and on another port; for tests on this machine.
        seconds_max: machine time for one link.
    """

    def __init__(
        self,
        *,
        is_outside_open: bool = True,
        resolve: Resolve = machine_names,
        named: frozenset[str] = frozenset(),
        seconds_max: float = LINK_SECONDS_MAX,
    ) -> None:
        self._is_outside_open = is_outside_open
        self._resolve = resolve
        self._named = named
        self._seconds_max = seconds_max

    async def ask(self, links: list[str]) -> list[LinkAnswer]:
        """Return what each answers, in their order; of more than `LINKS_MAX` the others are said not to be asked."""
        turns = asyncio.Semaphore(AT_ONCE_MAX)
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._is_named, self._resolve),
            use_dns_cache=False,
            force_close=True,
            limit=AT_ONCE_MAX,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADERS_BYTES_MAX,
            max_field_size=HEADERS_BYTES_MAX,
        ) as session:

            async def one(link: str) -> LinkAnswer:
                async with turns:
                    outcome, said = await self._asked(session, link)
                return LinkAnswer(link=link, outcome=outcome, said=said)

            found = await asyncio.gather(*(one(link) for link in links[:LINKS_MAX]))
        left = f"only the first {LINKS_MAX} are asked"
        return [
            *found,
            *(LinkAnswer(link=each, outcome=UNASKED, said=left) for each in links[LINKS_MAX:]),
        ]

    def _is_named(self, host: str, port: int) -> bool:
        return f"{host}:{port}" in self._named

    async def _asked(self, session: aiohttp.ClientSession, link: str) -> tuple[str, str]:
        """Return (outcome, words) of one link."""
        place, why = self._place(link)
        if place is None:
            return UNASKED, why
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._followed(session, place)
        except TimeoutError:
            return UNSURE, f"no answer within {self._seconds_max:g} seconds"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            inner = getattr(error, "os_error", None) or error
            if isinstance(inner, NotPublic):
                return WRONG, "its host is not on the public internet: readers cannot reach it"
            return WRONG, f"cannot be reached ({type(inner).__name__})"

    def _place(self, text: str, base: URL | None = None) -> tuple[URL | None, str]:
        """Return a URL that may be asked, or None and why not."""
        if len(text) > URL_CHARACTERS_MAX:
            return None, f"longer than {URL_CHARACTERS_MAX} characters"
        try:
            url = URL(text) if base is None else base.join(URL(text))
            port, host = url.port, url.host
        except ValueError:
            return None, "no address that can be asked"
        if url.scheme not in _PORTS or not host or port is None:
            return None, "no web address"
        if url.user is not None or url.password is not None:
            return None, "a user stands before its host"
        if self._is_named(host, port):
            return url, ""
        if not self._is_outside_open:
            return (
                None,
                "this system is not in the real world (demo or another speed): nobody is asked",
            )
        if port != _PORTS[url.scheme]:
            return None, "only the usual ports are asked"
        if not may_be_asked_for(url.raw_host or ""):
            return None, "its host is not on the public internet"
        return url, ""

    async def _followed(self, session: aiohttp.ClientSession, place: URL) -> tuple[str, str]:
        """Follow redirects to an answer."""
        for _ in range(REDIRECTS_MAX + 1):
            status, location = await _one(session, place)
            if status not in _REDIRECTS:
                return _said(status)
            if not location:
                return WRONG, f"answers {status} and does not say where to"
            found, why = self._place(location, place)
            if found is None:
                return UNSURE, f"leads on to where it is not asked: {why}"
            place = found
        return WRONG, f"leads on more than {REDIRECTS_MAX} times"


async def _one(session: aiohttp.ClientSession, place: URL) -> tuple[int, str]:
    """Return (status, where to) of one request; of a GET nothing is read."""
    status, location = 0, ""
    for method in ("HEAD", "GET"):
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
        async with session.request(method, place, headers=headers, allow_redirects=False) as answer:
            status, location = answer.status, answer.headers.get("Location", "")
            answer.close()
        if status not in _NO_HEAD:
            break
    return status, location


def _said(status: int) -> tuple[str, str]:
    """Return (outcome, words) of an answer.

    >>> _said(204), _said(404)[0], _said(403)[0]
    (('fine', 'answers 204'), 'wrong', 'look')
    """
    if 200 <= status < 300:
        return FINE, f"answers {status}"
    if status in (404, 410):
        return WRONG, f"answers {status}: there is no such page"
    if status in _UNWELCOME:
        return UNSURE, f"answers {status} to a program: open it in a browser"
    return WRONG, f"answers {status}"
