"""Strangers on loopback who mean harm: nothing hangs, nothing private is reached, and nobody is found."""

from __future__ import annotations

import resource
import time
from urllib.parse import quote

import pytest

from messaging.names import nameserver
from messaging.outside import CheckedResolver, NotPublic
from messaging.social.fetch import Fetcher
from messaging.social.gravatar import hash_of
from messaging.social.outcomes import Unanswered
from messaging.social.turns import HOSTS_MAX, WAIT_SECONDS_MAX, Turns
from messaging.vocabulary.plans import Finding
from tests.name_servers import a_name_server
from tests.social_servers import NOW, Clock, a_bomb, a_stranger, knows, look_ups, resource_of

ANN = "ann@social.example"
FAR = "93.184.216.34"

HARM = [
    ("slow-headers", "failed", "time-out"),
    ("drip", "failed", "time-out"),
    ("silent", "failed", "time-out"),
    ("endless", "failed", "too large"),
    ("endless-chunks", "failed", "too large"),
    ("huge-header", "failed", ""),
    ("many-headers", "failed", ""),
    ("bomb", "failed", "too large"),
    ("no-gzip", "failed", "content coding"),
    ("cut-gzip", "failed", "content coding"),
    ("brotli", "failed", "content coding"),
    ("page", "failed", "content type"),
    ("no-type", "failed", "content type"),
    ("deep", "failed", "JSON"),
    ("deeper-than-honest", "failed", "too deep"),
    ("not-utf8", "failed", "JSON"),
    ("cut", "failed", ""),
    ("no-http", "failed", ""),
    ("loop", "refused", "too many redirects"),
    ("nowhere", "failed", "nowhere"),
    ("busy", "busy", "429"),
]

PRIVATE = [
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1/",
    "https://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25lo]/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://localhost/",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://ann:secret@93.184.216.34/",
    "https://93.184.216.34:8443/",
    "http://93.184.216.34/",
    "ftp://93.184.216.34/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "https:///",
    "https://a.example:99999/",
]


async def asked(base: str, *allowed: str, **more: object) -> Finding:
    """Return what comes of asking a stranger as Gravatar, in little time."""
    began = time.monotonic()
    async with look_ups(base, base, *allowed, **more) as web:  # type: ignore[arg-type]
        (finding,) = await web.look_up(ANN, ["gravatar"])
    assert time.monotonic() - began < 5.0
    return finding


@pytest.mark.parametrize(("harm", "outcome", "reason"), HARM, ids=[each[0] for each in HARM])
async def test_whatever_a_stranger_does_it_ends_and_finds_nobody(
    harm: str, outcome: str, reason: str
):
    a_bomb()  # packed before anything is measured
    async with a_stranger() as stranger:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        finding = await asked(f"{stranger.url}/{harm}", stranger.place)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert finding.outcome == outcome
    assert reason in finding.reason
    assert finding.hosts
    assert set(finding.hosts) == {"127.0.0.1"}
    assert len(stranger.asked) <= 4
    assert grown_kb < 50_000


@pytest.mark.parametrize("where", PRIVATE)
async def test_a_redirect_to_what_is_private_is_not_followed(where: str):
    async with a_stranger() as stranger, a_stranger() as private:
        to = quote(where.format(port=private.port), safe="")
        finding = await asked(f"{stranger.url}/to/{to}/", stranger.place)
    assert finding.outcome in ("refused", "failed")
    assert finding.outcome == "refused" or "localhost" in where or "0" in where
    assert private.came == 0
    assert len(stranger.asked) == 1


async def test_an_actor_at_a_private_address_is_nobody_and_not_reached():
    async with a_stranger() as stranger, a_stranger() as private:
        knows(stranger, ANN)
        for href in (
            f"{private.url}/users/ann",
            "https://[::1]/users/ann",
            5,
            None,
            [],
            "x" * 9_000,
        ):
            link = {"rel": "self", "type": "application/activity+json", "href": href}
            stranger.pages["/.well-known/webfinger"] = {"subject": "a", "links": [link]}
            async with look_ups(stranger.url, stranger.url, stranger.place) as web:
                (finding,) = await web.look_up(ANN, ["activitypub"])
            assert finding.outcome != "found", href
    assert private.came == 0


@pytest.mark.parametrize(
    "page", [[], 5, "a", None, True, {"hash": 5}, {"hash": None}, {"hash": ""}]
)
async def test_a_profile_of_the_wrong_type_is_nobody(page: object):
    async with a_stranger() as stranger:
        knows(stranger, ANN)
        for path in stranger.pages:
            stranger.pages[path] = page
        async with look_ups(f"{stranger.url}/v3", stranger.url, stranger.place) as web:
            findings = await web.look_up(ANN, ["gravatar", "activitypub"])
    assert findings[0].outcome == "failed"
    assert findings[1].outcome in ("failed", "nobody")


async def test_who_is_known_is_found_with_what_they_do():
    async with a_stranger() as stranger:
        knows(stranger, ANN)
        async with look_ups(f"{stranger.url}/v3", stranger.url, stranger.place) as web:
            gravatar, activitypub = await web.look_up(ANN, ["gravatar", "activitypub"])
    assert (gravatar.outcome, gravatar.kind) == ("found", "personal")
    assert (activitypub.outcome, activitypub.kind, activitypub.posts) == ("found", "personal", 3)
    assert activitypub.last_active_at is not None
    assert (NOW - activitypub.last_active_at).days == 6
    assert activitypub.hosts == ["127.0.0.1"] * 4
    assert not any("ann@" in target for target in stranger.asked[:1]), "Gravatar gets a hash"
    assert resource_of(stranger.asked[1]) == f"acct:{ANN}"


async def test_a_profile_that_will_be_edited_only_in_the_future_says_no_time():
    async with a_stranger() as stranger:
        path = f"/v3/profiles/{hash_of(ANN)}"
        async with look_ups(f"{stranger.url}/v3", stranger.url, stranger.place) as web:
            for edited, is_read in (("9999-12-31T00:00:00Z", False), (NOW.isoformat(), True)):
                stranger.pages[path] = {"hash": "a", "last_profile_edit": edited}
                (finding,) = await web.look_up(ANN, ["gravatar"])
                assert (finding.outcome, finding.last_active_at is not None) == ("found", is_read)


@pytest.mark.parametrize("times", [0, 1, 2, 3, 4])
async def test_nobody_else_is_asked_once_the_answer_is_not_wanted(times: int):
    async with a_stranger() as stranger:
        knows(stranger, ANN)

        def is_wanted() -> bool:
            return len(stranger.asked) < times

        async with look_ups(f"{stranger.url}/v3", stranger.url, stranger.place) as web:
            findings = await web.look_up(ANN, ["gravatar", "activitypub"], is_wanted)
    assert len(stranger.asked) == times
    assert sum(len(each.hosts) for each in findings) == times
    withdrawn = [each.outcome == "withdrawn" for each in findings]
    assert withdrawn == [times < 1, times < 3]


async def test_who_is_not_known_is_nobody():
    async with (
        a_stranger() as stranger,
        look_ups(stranger.url, stranger.url, stranger.place) as web,
    ):
        findings = await web.look_up(ANN, ["gravatar", "activitypub"])
    assert [each.outcome for each in findings] == ["nobody", "nobody"]


async def test_an_actor_who_is_shown_to_servers_only_is_there_all_the_same():
    async with a_stranger() as stranger:
        knows(stranger, ANN)
        stranger.pages["/users/ann"] = (401, {}, b"")
        async with look_ups(stranger.url, stranger.url, stranger.place) as web:
            (finding,) = await web.look_up(ANN, ["activitypub"])
    assert (finding.outcome, finding.kind) == ("found", "")


@pytest.mark.parametrize(
    "address", ["", "ann", "ann@localhost", "a@127.0.0.1", "a@x/../y", "a b@c.de"]
)
async def test_an_address_without_a_domain_to_ask_asks_nobody(address: str):
    async with a_stranger() as stranger, look_ups(stranger.url, "https://{domain}") as web:
        (finding,) = await web.look_up(address, ["activitypub"])
    assert finding.outcome in ("failed", "refused")
    assert finding.hosts == []


async def test_without_an_allowance_nothing_but_https_on_its_port_is_asked():
    async with a_stranger() as stranger:
        finding = await asked(stranger.url)
        assert (finding.outcome, finding.hosts) == ("refused", [])
        finding = await asked(f"https://{FAR}", stranger.place, is_outside_open=False)
        assert (finding.outcome, finding.hosts) == ("refused", [])
    assert stranger.came == 0


# What a name stands for


async def test_a_name_that_stands_for_anything_private_is_refused_wholly():
    async def resolve(host: str, port: int, family: int) -> list[tuple[int, str]]:
        return [(2, FAR), (2, "127.0.0.1")]

    finding = await asked("https://both.example", resolve=resolve)
    assert (finding.outcome, finding.reason) == ("refused", "not a public address")
    assert finding.hosts == [], "nobody was reached"


async def test_a_name_that_turns_private_after_the_first_answer_reaches_nothing():
    answers = [[(2, FAR)], [(2, "127.0.0.1")]]

    async def resolve(host: str, port: int, family: int) -> list[tuple[int, str]]:
        return answers.pop(0)

    resolver = CheckedResolver(lambda *_: False, resolve)
    (first,) = await resolver.resolve("rebinding.example", 443)
    assert first["host"] == FAR, "the connection goes to what was checked, not to the name"
    with pytest.raises(NotPublic):
        await resolver.resolve("rebinding.example", 443)


async def test_one_connection_asks_once_what_its_host_stands_for():
    """What is connected to is what was checked: a second answer is never asked for."""
    asked_for: list[str] = []
    async with a_stranger() as stranger, a_stranger("127.0.0.2") as other:

        async def resolve(host: str, port: int, family: int) -> list[tuple[int, str]]:
            asked_for.append(host)
            return [(2, "127.0.0.1" if len(asked_for) == 1 else "127.0.0.2")]

        place = f"pin.example:{stranger.port}"
        finding = await asked(f"http://{place}", place, resolve=resolve)
    assert (finding.outcome, finding.hosts) == ("nobody", ["pin.example"])
    assert (asked_for, stranger.came, other.came) == (["pin.example"], 1, 0)


async def test_each_hop_is_resolved_and_checked_anew():
    """The first answer lets the stranger in, who redirects to itself; the second one is private."""
    async with a_stranger() as stranger:
        answers = ["127.0.0.1"]

        async def resolve(host: str, port: int, family: int) -> list[tuple[int, str]]:
            return [(2, answers.pop() if host == "first.example" else "127.0.0.1")]

        place = f"first.example:{stranger.port}"
        base = f"http://{place}/to/{quote('https://second.example/', safe='')}"
        finding = await asked(base, place, resolve=resolve)
    assert (finding.outcome, finding.reason) == ("refused", "not a public address")
    assert finding.hosts == ["first.example"], "the second was not reached"
    assert stranger.came == 1


async def test_a_name_server_of_ones_own_is_asked():
    async with a_name_server({"pin.example": "127.0.0.1"}) as server, a_stranger() as stranger:
        place = f"pin.example:{stranger.port}"
        resolve = nameserver("127.0.0.1", server.port)
        finding = await asked(f"http://{place}", place, resolve=resolve, seconds_max=3.0)
        assert (finding.outcome, stranger.came) == ("nobody", 1)
        finding = await asked("https://pin.example", resolve=resolve, seconds_max=3.0)
        assert (finding.outcome, finding.reason) == ("refused", "not a public address")
        finding = await asked("https://gone.example", resolve=resolve, seconds_max=3.0)
        assert finding.outcome == "failed"


# Turns


class StandingClock(Clock):
    """Let machine time pass only by sleeping."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def machine(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_host_is_asked_once_in_its_time_and_who_would_wait_too_long_is_told():
    clock = StandingClock()
    turns = Turns(clock, 0.5)
    for _ in range(5):
        await turns.take("a.example")
    assert clock.slept == [2.0, 4.0, 6.0, 8.0]
    with pytest.raises(Unanswered, match="busy"):
        await turns.take("a.example")
    await turns.take("b.example")
    clock.at += WAIT_SECONDS_MAX
    await turns.take("a.example")


async def test_a_host_that_wants_a_rest_gets_it():
    async with a_stranger() as stranger:
        base = f"{stranger.url}/busy"
        async with look_ups(base, base, stranger.place) as web:
            for _ in range(3):
                (finding,) = await web.look_up(ANN, ["gravatar"])
                assert finding.outcome == "busy"
    assert len(stranger.asked) == 1


async def test_the_table_of_hosts_is_bounded():
    turns = Turns(StandingClock(), 1.0)
    for number in range(HOSTS_MAX + 50):
        await turns.take(f"h{number}.example")
    assert len(turns._next) == HOSTS_MAX


async def test_a_fetcher_that_was_never_used_closes():
    await Fetcher(Turns(StandingClock(), 1.0)).close()
