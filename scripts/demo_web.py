"""Serve a small made-up social web on this machine, so that the demo's Social bot has somebody to ask.

    GET /v3/profiles/{sha256}          Gravatar (https://docs.gravatar.com/rest-api/)
    GET /.well-known/webfinger         RFC 7033: the account of an address
    GET /people/{number}[/outbox]      ActivityPub: the actor, and when they last posted

Rules
1. It listens on loopback alone, and Social reaches it by settings that anybody may use (`MDMA_SOCIAL_…`). While both
   sources are on this machine no other host is reached: an address that a person leaves in the shop goes nowhere.
2. Some domains are out of order, as on the real web. What is asked before the audience lives is an error as well:
   "nobody" would be believed for a week.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from config.settings import Settings
from learning.audience.cast import Member
from learning.audience.crowd import Crowd
from learning.audience.presence import Presence, presence_of
from messaging.social.gravatar import hash_of

HOST = "127.0.0.1"
RATE = 200.0
"""Requests a second: it is our own, and a world-day lasts seconds."""

ACTOR = "application/activity+json"
DRAIN_SECONDS = 1.0


class MadeUpWeb:
    """Hold the server.

    Parameters:
        seed: what is public follows from it.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._crowd: Crowd | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_get("/v3/profiles/{hash}", self._profile)
        app.router.add_get("/.well-known/webfinger", self._webfinger)
        app.router.add_get("/people/{number}", self._actor)
        app.router.add_get("/people/{number}/outbox", self._outbox)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    def live(self, crowd: Crowd) -> None:
        """Know these people from now on."""
        self._crowd = crowd

    def settings(self, settings: Settings) -> Settings:
        """Return the settings by which Social asks here and nowhere else."""
        here = {
            "social": True,
            "social_gravatar_url": f"{self.url}/v3",
            "social_webfinger_url": self.url,
            "social_resolver": "",
            "social_allow": [self.url.removeprefix("http://")],
            "social_rate": RATE,
        }
        return settings.model_copy(update=here)

    async def _profile(self, request: web.Request) -> web.Response:
        wanted = request.match_info["hash"]
        found = [each for each in self._people() if hash_of(each.address) == wanted]
        if not found or not (known := self._of(found[0])).has_profile:
            raise web.HTTPNotFound
        name = f"{found[0].first_name} {found[0].last_name}"
        profile = {"hash": wanted, "display_name": name, "job_title": known.job}
        return web.json_response(profile)

    async def _webfinger(self, request: web.Request) -> web.Response:
        address = request.query.get("resource", "").removeprefix("acct:")
        member = next((each for each in self._people() if each.address == address), None)
        if member is None:
            raise web.HTTPNotFound
        known = self._of(member)
        if known.fails:
            raise web.HTTPInternalServerError
        if not known.account:
            raise web.HTTPNotFound
        link = {"rel": "self", "type": ACTOR, "href": self._place(member)}
        jrd = {"subject": f"acct:{address}", "links": [link]}
        return web.json_response(jrd, content_type="application/jrd+json")

    async def _actor(self, request: web.Request) -> web.Response:
        member, known = self._numbered(request)
        place = self._place(member)
        return _activity({"id": place, "type": known.account, "outbox": f"{place}/outbox"})

    async def _outbox(self, request: web.Request) -> web.Response:
        member, known = self._numbered(request)
        last: datetime = member.person.joins_at - known.quiet
        posts = {"orderedItems": [{"type": "Create", "published": last.isoformat()}]}
        outbox = {"type": "OrderedCollection", "totalItems": known.posts, "first": posts}
        return _activity(outbox)

    def _people(self) -> list[Member]:
        if self._crowd is None:
            raise web.HTTPInternalServerError
        return self._crowd.members()

    def _numbered(self, request: web.Request) -> tuple[Member, Presence]:
        """Return the member of an actor's address. Raise the 404 where there is none."""
        number = request.match_info["number"]
        for member in self._people():
            if str(member.number) == number and (known := self._of(member)).account:
                return member, known
        raise web.HTTPNotFound

    def _of(self, member: Member) -> Presence:
        return presence_of(self._seed, member.number)

    def _place(self, member: Member) -> str:
        return f"{self.url}/people/{member.number}"


def _activity(document: dict[str, Any]) -> web.Response:
    context = {"@context": "https://www.w3.org/ns/activitystreams"}
    return web.json_response(context | document, content_type=ACTOR)
