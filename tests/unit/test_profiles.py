"""`mdma simulate --draft` and `--profiles real`: what is asked of a system's store, and who lives then."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from agents.runtime.held import Codec, Held
from agents.runtime.registry import WIRING
from agents.social_bot.facts import facts_of
from agents.social_bot.state import SocialState
from config.load import DEFAULTS, compile_folder, read_folder, write_folder
from learning.audience.audience import Audience
from learning.audience.chance import Chance
from learning.audience.people import Profile, make_person
from learning.audience.visits import visit
from messaging.ports import BatchRecord, Commit, StateWrite
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.effects import LookUp
from messaging.vocabulary.plans import Finding
from scripts.cli_simulate import files_of_version, leads_of, published_beside, simulate
from scripts.folder import Refused
from scripts.presences import presences, recalled
from scripts.profiles import draw_profiles, profile_of
from scripts.rules import publish, push
from scripts.simulating import START
from scripts.simulation import Setting, compare
from scripts.simulation_told import presence, told
from tests.behavior_builders import Ann, a_listing, a_page, a_track, an_identify

RULES = compile_folder(DEFAULTS, 1)
ADDRESS = "ann@secret.example"


def a_lead(name: str = "ann", **traits: Any) -> Ann:
    """Return Behavior's word on somebody who came from Rio by a newsletter, agreed, and came back a day later."""
    context = {
        "locale": "pt-BR",
        "timezone": "America/Sao_Paulo",
        "location": {"country": "BR"},
        "campaign": {"source": "newsletter"},
        "consent": {"categoryPreferences": {"email": True}},
    }
    ann = Ann()
    ann.sees(
        an_identify(1, name, email=f"{name}@secret.example", traits=traits, context=context),
        a_page(2, f"browser of {name}"),
        a_page(86_402, f"browser of {name}"),
    )
    return ann


def a_store(**people: Ann) -> MemoryStore:
    """Return a store in which one batch has written these people's states."""
    store = MemoryStore(MemoryDatabase())
    write_states(store, "behavior", {name: ann.state for name, ann in people.items()})
    return store


def write_states(store: MemoryStore, bot: str, states: dict[str, Any]) -> None:
    """Let one batch of a bot write these people's states."""
    codec = Codec(WIRING[bot].make())
    bodies = {name: codec.encode(Held(state, {}, "", b"")) for name, state in states.items()}
    commit = Commit(
        shard=f"{bot}-0",
        bot=bot,
        epoch=1,
        batch=1,
        positions={},
        sent={},
        record=BatchRecord(START, "", 0, {}, [], [], [], b"", [], []),
        states=[StateWrite(name, body, None) for name, body in bodies.items()],
        outbox=[],
        rows=[],
        identities=[],
        guards=[],
    )

    async def write() -> None:
        await store.acquire(f"{bot}-0")
        await store.commit(commit)

    asyncio.run(write())


def drawn(store: MemoryStore, count: int = 10, seed: int = 1) -> list[Profile]:
    return asyncio.run(draw_profiles(store, seed, count, "opt-in"))


def test_a_profile_is_what_a_lead_is_known_by_without_who_they_are() -> None:
    [profile] = drawn(a_store(v1=a_lead("ann", plan="gold", city="Rio")))
    assert profile == Profile(
        zone="America/Sao_Paulo",
        traits={"city": "Rio", "plan": "gold"},
        context={
            "locale": "pt-BR",
            "location": {"country": "BR"},
            "campaign": {"source": "newsletter"},
        },
        may_email=True,
        visits_a_week=7.0,
    )
    assert "secret" not in repr(profile)


def test_lists_and_the_consent_to_the_site_come_along() -> None:
    ann = a_lead()
    refuses = {"consent": {"categoryPreferences": {"site": False}}}
    ann.sees(a_listing(90_001, "ann", vip=True, beta=False), a_page(90_002, context=refuses))
    [profile] = drawn(a_store(v1=ann))
    assert (profile.lists, profile.may_show) == (["vip"], False)
    person = make_person(1, 7, START, START - START, profile)
    calls = [call for _, call in visit(person, START, 0.0, Chance(1, "visit"), "o", first=True)]
    (listed,) = [call for call in calls if call["type"] == "listed"]
    assert listed["lists"] == {"vip": True}
    assert listed["context"]["consent"] == {"categoryPreferences": {"email": True, "site": False}}


def test_what_social_found_of_leads_is_recalled_as_lively_as_it_was_and_names_nobody() -> None:
    """A lead whose account was quiet for two days when it was found is so in the simulated spring."""
    found_at = datetime(2031, 5, 1, tzinfo=UTC)
    posted_at = found_at - timedelta(days=2)
    found = [
        Finding("gravatar", ["gravatar.com"], found_at, "nobody"),
        Finding("activitypub", ["secret.example"], found_at, "found", "", "personal", 9, posted_at),
    ]
    store = a_store(v1=a_lead("ann"), v2=a_lead("ben"))
    write_states(store, "social", {"v1": SocialState(address=ADDRESS, findings=found)})
    profiles = drawn(store)
    assert "secret" not in repr(profiles)
    asked_at = START + timedelta(days=1)
    [told_of] = [recalled(each, asked_at) for each in profiles if each.found]
    assert [each.at for each in told_of] == [asked_at] * 2
    assert facts_of(told_of, asked_at) == ["found", "personal", "active"]
    setting = Setting(2, 3, 3, 0.0, profiles="real", social=True)
    facts = compare(RULES, setting, profiles=profiles)
    assert (facts["social"], facts["recalled"]) == (True, 1)
    assert "of 1 of them it is told what it found" in told(facts)
    off = compare(RULES, msgspec.structs.replace(setting, social=False), profiles=profiles)
    assert off["recalled"] == 0
    assert "Social is off: nobody is looked up" in told(off)
    audience = Audience(3, 2, START, 1, profiles=profiles)
    heard = presences(audience, 3)
    look_ups = [
        LookUp("l", person.address, "m", ["activitypub"], asked_at) for person in audience._people
    ]
    assert sorted(len(heard(each)) for each in look_ups) == [0, 1]


def test_who_has_bought_and_who_is_not_known_is_left_out() -> None:
    customer, stranger = a_lead("ben"), Ann()
    customer.sees(a_track(90_000, "Order Completed", properties={"order_id": "o1", "total": 5}))
    stranger.sees(a_page(1))
    assert drawn(a_store(v1=customer, v2=stranger)) == []


def test_who_left_or_never_agreed_may_not_be_written_to() -> None:
    silent, gone = Ann(), a_lead("eve")
    silent.sees(an_identify(1, "joe", email="joe@secret.example"))
    gone.state.unsubscribed_at = 1.0
    assert [profile_of(each.state, "opt-in").may_email for each in (silent, gone)] == [False, False]
    assert profile_of(silent.state, "assumed").may_email


def test_the_seed_decides_who_is_drawn_of_many_and_not_the_order() -> None:
    people = {f"v{number:02}": a_lead(f"p{number}", number=number) for number in range(40)}
    turned = dict(reversed(people.items()))
    assert drawn(a_store(**people), 5) == drawn(a_store(**turned), 5)
    assert drawn(a_store(**people), 5) != drawn(a_store(**people), 5, seed=2)
    assert len(drawn(a_store(**people), 5)) == 5
    assert drawn(a_store(**people), 40)[:5] == drawn(a_store(**people), 5)


def test_a_made_up_life_begins_with_what_is_known_and_with_nothing_else() -> None:
    profile = Profile(
        zone="Asia/Tokyo",
        traits={"plan": "gold"},
        context={"locale": "ja"},
        may_email=False,
        visits_a_week=3.0,
    )
    person = make_person(1, 7, START, START - START, profile)
    assert (person.zone, person.visits_a_week) == ("Asia/Tokyo", 3.0)
    calls = [call for _, call in visit(person, START, 0.0, Chance(1, "visit"), "o", first=True)]
    identify = next(call for call in calls if call["type"] == "identify")
    assert identify["traits"] == {"plan": "gold", "email": "person-7@example.com"}
    assert "consent" not in identify["context"]
    assert all(
        (c["context"]["locale"], c["context"]["timezone"]) == ("ja", "Asia/Tokyo") for c in calls
    )
    unknown = make_person(1, 7, START, START - START, Profile())
    calls = [call for _, call in visit(unknown, START, 0.0, Chance(1, "visit"), "o", first=True)]
    assert not any("timezone" in call["context"] for call in calls)
    assert unknown.visits_a_week == make_person(1, 7, START, START - START).visits_a_week


def test_a_simulation_of_real_profiles_is_the_same_to_the_byte_and_obeys_their_consent() -> None:
    store = a_store(**{f"v{n}": a_lead(f"p{n}", plan="gold") for n in range(12)})
    setting = Setting(12, 20, 3, 0.0, draft=4, profiles="real")
    facts, again = (compare(RULES, setting, profiles=drawn(store, 12)) for _ in range(2))
    assert json.dumps(facts) == json.dumps(again)
    assert (facts["draft"], facts["profiles"], facts["visitors"]) == (4, "real", 12)
    assert told(facts).startswith(
        "Version 4 of the rules: 12 people who are known as leads of this"
    )
    assert facts["measures"]["sends"]["rules"] > 0
    silent = [Profile(may_email=False)] * 12
    facts = compare(RULES, setting, profiles=silent)
    assert facts["measures"]["sends"]["rules"] == facts["measures"]["sends"]["learning"] == 0


def test_a_draft_is_a_version_that_was_pushed_whether_it_is_published_or_not(
    tmp_path: Path,
) -> None:
    files = read_folder(DEFAULTS)
    path = "paths/lead-to-customer.yaml"
    write_folder(tmp_path, files | {path: files[path].replace("  total: 4", "  total: 3")})

    async def ask() -> tuple[bool, bool, list[int], list[int | None]]:
        store = MemoryStore(MemoryDatabase())
        with pytest.raises(Refused, match="no version is published"):
            await files_of_version(store, None)
        first, _ = await push(store, DEFAULTS, at=START, by="test")
        await publish(store, first, at=START, by="test")
        second, _ = await push(store, tmp_path, at=START, by="test")
        with pytest.raises(Refused, match="there is no version 9"):
            await files_of_version(store, 9)
        found = [await files_of_version(store, None), await files_of_version(store, second)]
        beside = [await published_beside(store, each) for each in found]
        return (
            "  total: 4" in found[0].files[path],
            "  total: 3" in found[1].files[path],
            [each.version for each in found],
            [each.version if each is not None else None for each in beside],
        )

    assert asyncio.run(ask()) == (True, True, [1, 2], [None, 1])


def test_too_few_leads_are_refused_in_words() -> None:
    with pytest.raises(Refused, match="knows 1 lead by address who have not bought"):
        asyncio.run(leads_of(a_store(v1=a_lead()), 1, None, "opt-in"))


@pytest.mark.parametrize(
    ("recalled", "said"),
    [
        (
            0,
            "Social is on, and has looked for none of them yet: nobody is asked, and nothing is known",
        ),
        (
            20,
            "of 20 of them it is told what it found in earnest; nobody is asked, and of the others",
        ),
        (50, "Social is on: of all 50 it is told what it found in earnest; nobody is asked."),
    ],
)
def test_what_stands_for_socials_web_is_said_of_as_many_as_it_found(
    recalled: int, said: str
) -> None:
    said_of = presence({"profiles": "real", "social": True, "recalled": recalled, "visitors": 50})
    assert said in said_of
    assert ("of the others" in said_of) == (recalled == 20)


def test_wrong_use_is_said_in_one_line(tmp_path: Path) -> None:
    both = CliRunner().invoke(simulate, [str(DEFAULTS), "--draft", "1"])
    assert (both.exit_code, "not both" in both.output) == (2, True)
    assert CliRunner().invoke(simulate, ["--draft", "0"]).exit_code == 2
    assert CliRunner().invoke(simulate, ["--profiles", "mine"]).exit_code == 2
    for words in (["--draft", "1"], ["--profiles", "real"]):
        alone = CliRunner().invoke(simulate, [*words, "--data", str(tmp_path)])
        assert isinstance(alone.exception, Refused)
        assert "nothing runs on" in str(alone.exception)
