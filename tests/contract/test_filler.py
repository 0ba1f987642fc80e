"""A published cohort is back-filled from the journal while every bot runs; memory and mongod alike."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.behavior_bot.bot import BehaviorBot
from agents.protocol.bot import View
from agents.runtime.filler import DONE, FILLINGS, REPLACED, Filler, too_short
from agents.runtime.held import Codec
from agents.runtime.history import kept_since
from agents.runtime.passing import Ways
from agents.runtime.readers import StoreReader
from agents.runtime.registry import WIRING
from agents.runtime.replay import RecordBrokenError, Replayer
from agents.runtime.views import PUBLISHED
from config.load import DEFAULTS, compile_files, read_folder
from messaging.ports import BatchRecord
from messaging.vocabulary.errors import Unavailable
from scripts.entering import entering
from scripts.rules import publish, push_files
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import Failing, Fuse, Hasty, at_rest, through_every_fault, until
from tests.house_builders import SHARDS, House, a_house
from tests.runtime_builders import Silent

PEOPLE = 6
BIG = """
  big:
    when:
      event: {name: Form Sent, properties: {size: 5}, at_least: 3}
  somebody:
    when:
      event: {name: Form Sent, at_least: 1}
"""

ENTRIES = ("{cohort: somebody}", "{api: true}")


def a_filler(
    house: House, keeping: Keeping, fuse: Fuse, lacking_max: int = 4, consent: str = "opt-in"
) -> Filler:
    ways = Ways(
        store=Failing(house.store, fuse),  # type: ignore[arg-type]
        journal=Failing(keeping.journal(), fuse),  # type: ignore[arg-type]
        peers=house,
        clock=Hasty(house),  # type: ignore[arg-type]
        shards=SHARDS,
        log=Silent(),
    )
    return Filler(ways, compile_files, consent, lacking_max=lacking_max)


async def see(house: House, files: dict[str, str], version: int) -> None:
    """Publish files as a version, and let every shard see it."""
    await push_files(house.store, files, at=house.clock.now(), by="eve")
    assert await publish(house.store, version, at=house.clock.now(), by="eve")
    last = await house.store.get_document(*PUBLISHED)
    assert last is not None
    rules = compile_files(files, version)
    for shard in house.shards.values():
        view: View = shard._committer.view
        pinned = {**view.pinned, version: rules}
        new = msgspec.structs.replace(view, rules=rules, rules_version=version, pinned=pinned)
        shard.set_view(msgspec.structs.replace(new, publication=last["number"]))


@asynccontextmanager
async def forms_sent(keeping: Keeping) -> Any:
    """Run a house in which everybody has sent two forms by the rules that ship."""
    async with a_house(keeping.store(), keeping.journal()) as house:
        files = read_folder(DEFAULTS)
        await see(house, files, 1)
        await a_filler(house, keeping, Fuse()).look()
        for number in range(PEOPLE):
            await send(house, number, 2)
        for number in range(PEOPLE):
            await until(lambda n=number: has_sent(house, n, 2))  # type: ignore[misc]
        yield house, files


async def has_sent(house: House, number: int, times: int) -> bool:
    found = await StoreReader(house.store).visitor(f"b{number}")
    return found is not None and found["counters"].get("Form Sent") == times


async def send(house: House, number: int, times: int, size: int = 5, browser: str = "") -> None:
    for _ in range(times):
        browser = browser or f"b{number}"
        await house.call("track", browser, event="Form Sent", properties={"size": size})


def with_big(files: dict[str, str]) -> dict[str, str]:
    return files | {"cohorts.yaml": files["cohorts.yaml"].rstrip() + BIG}


async def members(house: House, cohort: str) -> set[int]:
    found = set()
    for number in range(PEOPLE):
        visitor = await StoreReader(house.store).visitor(f"b{number}")
        assert visitor is not None
        if cohort in visitor["cohorts"]:
            found.add(number)
    return found


async def until_in(house: House, cohort: str, people: set[int]) -> None:
    """Wait until exactly these are in a cohort."""

    async def are_in() -> bool:
        return await members(house, cohort) == people

    await until(are_in)


async def filled(house: House, number: int) -> dict[str, Any]:
    found = await house.store.get_document(FILLINGS, str(number))
    assert found is not None
    return found


async def replays(house: House, keeping: Keeping) -> None:
    """Fold the record again: the states that come out are the stored ones, byte for byte."""
    views: dict[int, View] = {}
    for shard in house.shards.values():
        view: View = shard._committer.view
        views[view.publication] = view

    async def view_at(version: int, _: Any, code: str) -> View:
        view = next(iter(views.values()))
        number = int(code.rpartition("publication=")[2])
        new = msgspec.structs.replace(view, rules=view.pinned[version], rules_version=version)
        return msgspec.structs.replace(new, publication=number)

    bot = house.shards["behavior-0"].spec.bot
    replayer = Replayer(bot, (0, 1), house.store, keeping.journal(), view_at)
    await replayer.advance()
    stored = await house.store.load("behavior", list(replayer.written()))
    assert stored == {v: body for v, body in replayer.bodies().items() if v in stored}
    assert len(stored) >= PEOPLE


async def test_what_was_done_before_counts_and_what_is_done_meanwhile_counts_once(keeping):
    async with forms_sent(keeping) as (house, files):
        await see(house, with_big(files), 2)
        await send(house, 0, 1)  # the third, by the new rules, before any history is there
        await send(house, 1, 1, size=4)
        for number in (0, 1):
            await until(lambda n=number: has_sent(house, n, 3))  # type: ignore[misc]
        assert await members(house, "big") == set()
        assert await members(house, "somebody") == {0, 1}, (
            "what is counted by name is known at once"
        )
        assert await a_filler(house, keeping, Fuse()).look() == 1
        assert await members(house, "somebody") == set(range(PEOPLE))
        assert await members(house, "big") == {0}
        await send(house, 2, 1)
        await until_in(house, "big", {0, 2})
        reader = StoreReader(house.store)
        listed = await reader.of_cohort("big", "", 10)
        first = await reader.of_cohort("big", "", 1)
        assert len(listed) == await reader.counted(cohort="big") == 2
        assert first + await reader.of_cohort("big", first[0]["visitor_id"], 10) == listed
        assert all("big" in each["cohorts"] for each in listed)
        assert "rules_filled" not in listed[0]["counters"], "it is nothing that they did"
        job = await filled(house, 2)
        assert (job["status"], job["cohorts"]) == (DONE, ["big", "somebody"])
        assert job["done"] == job["of"] == {"behavior-0": PEOPLE}
        assert job["since"] == {}, "the record is whole"
        assert await a_filler(house, keeping, Fuse()).look() == 0, "it is done"
        await replays(house, keeping)


async def test_a_filling_that_fails_at_any_call_is_gone_on_with(keeping):
    async with forms_sent(keeping) as (house, files):
        await see(house, with_big(files), 2)
        await send(house, 3, 1)
        await through_every_fault(lambda fuse: a_filler(house, keeping, fuse), step=7)
        assert (await filled(house, 2))["status"] == DONE
        await until_in(house, "big", {3})
        assert await members(house, "somebody") == set(range(PEOPLE))
        await replays(house, keeping)


async def test_who_is_merged_brings_their_history_once(keeping):
    async with forms_sent(keeping) as (house, files):
        await house.call("identify", "b0", userId="u0")
        await house.call("identify", "b1", userId="u1")
        await send(house, 4, 1, browser="b4")
        await until(lambda: at_rest(house))
        await house.call("alias", "b5", previousId="b4", userId="u0")  # before
        await house.call("identify", "b4", userId="u0")
        await until(lambda: at_rest(house))
        await see(house, with_big(files), 2)
        await house.call("identify", "b2", userId="u1")  # before any history is there
        await until(lambda: at_rest(house))
        await a_filler(house, keeping, Fuse()).look()
        await until(lambda: at_rest(house))
        forms = []
        for number in range(PEOPLE):
            visitor = await StoreReader(house.store).visitor(f"b{number}")
            assert visitor is not None
            forms.append(visitor["counters"]["Form Sent"])
            assert ("big" in visitor["cohorts"]) == (forms[-1] >= 3), (number, forms)
        assert forms == [7, 4, 4, 2, 7, 7], "b0, b4 and b5 are one person, b1 and b2 another"
        await replays(house, keeping)


async def test_who_publishes_again_replaces_what_was_not_done(keeping):
    async with forms_sent(keeping) as (house, files):
        await see(house, with_big(files), 2)
        await send(house, 0, 1)
        await until(lambda: at_rest(house))
        filler = a_filler(house, keeping, Fuse())
        job = await filler._begun({"number": 2, "version": 2, "at": house.clock.now(), "by": "e"})
        await filler._save(job)
        other = with_big(files)["cohorts.yaml"].replace("size: 5", "size: 4")
        await see(house, files | {"cohorts.yaml": other}, 3)
        await send(house, 1, 1, size=4)
        assert await filler.look() == 1
        assert await members(house, "big") == set()
        await filler._fill(job)
        assert (await filled(house, 2))["status"] == REPLACED
        await send(house, 1, 2, size=4)
        await until_in(house, "big", {1})
        await see(house, with_big(files), 2)
        assert await filler.look() == 1
        assert await members(house, "big") == {0}
        assert await members(house, "somebody") == set(range(PEOPLE))


def set_consent(house: House, consent: str) -> None:
    """Let every shard see another consent setting, as after a start."""
    for shard in house.shards.values():
        shard.set_view(msgspec.structs.replace(shard._committer.view, consent=consent))


async def runs_of(house: House) -> dict[int, list[str]]:
    found = {}
    for number in range(PEOPLE):
        visitor = await StoreReader(house.store).visitor(f"b{number}")
        found[number] = [run["status"] for run in visitor["runs"]] if visitor is not None else []
    return found


async def test_a_stricter_consent_setting_reaches_who_does_nothing(keeping):
    """Nobody is written to by a setting that is in force no more; who said yes goes on."""
    async with a_house(keeping.store(), keeping.journal()) as house:
        await see(house, read_folder(DEFAULTS), 1)
        set_consent(house, "assumed")
        assert await a_filler(house, keeping, Fuse(), consent="assumed").look() == 0
        said_yes = {"consent": {"categoryPreferences": {"email": True}}}
        for number in range(PEOPLE):
            context = said_yes if number % 2 else {}
            traits = {"email": f"b{number}@example.com"}
            await house.call("identify", f"b{number}", traits=traits, context=context)

        async def planned() -> bool:
            return all("planned" in each for each in (await runs_of(house)).values())

        await until(planned)
        set_consent(house, "opt-in")
        assert await a_filler(house, keeping, Fuse(), consent="opt-in").look() == 1
        await until_in(house, "addressable-lead", {1, 3, 5})

        async def stopped() -> bool:
            runs = await runs_of(house)
            return all(("stopped" in runs[n]) == (n % 2 == 0) for n in range(PEOPLE))

        await until(stopped)
        assert await a_filler(house, keeping, Fuse(), consent="opt-in").look() == 0
        assert (await filled(house, 1))["consent"] == "opt-in"


async def test_what_another_version_of_the_product_recorded_is_said_in_one_line(keeping):
    class Newer(BehaviorBot):
        version = 99

    async with forms_sent(keeping) as (house, _):
        view: View = house.shards["behavior-0"]._committer.view

        async def view_at(*_: Any) -> View:
            return view

        replayer = Replayer(Newer(), (0, 1), house.store, keeping.journal(), view_at)
        with pytest.raises(RecordBrokenError, match=r"older version of the product .*state=99"):
            await replayer.advance()


async def test_a_laxer_consent_setting_that_held_for_a_moment_leaves_nobody_planned(keeping):
    """Who was planned meanwhile is asked anew, though the setting in force is the one that everybody was told."""
    async with a_house(keeping.store(), keeping.journal()) as house:
        await see(house, read_folder(DEFAULTS), 1)
        assert await a_filler(house, keeping, Fuse(), consent="opt-in").look() == 0
        set_consent(house, "assumed")
        fuse = Fuse()
        fuse.left = 4  # the pass ends before it came to anybody
        with pytest.raises(Unavailable):
            await a_filler(house, keeping, fuse, consent="assumed").look()
        for number in range(PEOPLE):
            await house.call("identify", f"b{number}", traits={"email": f"b{number}@example.com"})

        async def planned() -> bool:
            return all("planned" in each for each in (await runs_of(house)).values())

        await until(planned)
        set_consent(house, "opt-in")
        assert await a_filler(house, keeping, Fuse(), consent="opt-in").look() == 1

        async def stopped() -> bool:
            return all("stopped" in each for each in (await runs_of(house)).values())

        await until(stopped)
        assert await a_filler(house, keeping, Fuse(), consent="opt-in").look() == 0


async def test_a_publication_that_changes_no_cohort_fills_nothing(keeping):
    async with forms_sent(keeping) as (house, files):
        name = next(each for each in files if each.startswith("paths/"))
        await see(house, files | {name: files[name] + "# another version\n"}, 2)
        assert await a_filler(house, keeping, Fuse()).look() == 0
        assert (await filled(house, 2))["status"] == DONE


async def test_who_has_a_trait_that_a_template_names_now_is_told_of_though_they_do_nothing(keeping):
    async with forms_sent(keeping) as (house, files):
        for number, traits in enumerate(({"plan": "gold"}, {"plan": "iron"}, {"size": 5})):
            known = {"email": f"p{number}@example.com", **traits}
            await house.call("identify", f"b{number}", traits=known)
        await until(lambda: are_told(house, [{}, {}, {}]))
        name = "templates/invite-hello.yaml"
        text = files[name] + "# {{ plan }} in a comment is none\n"
        await see(house, files | {name: text}, 2)
        assert await a_filler(house, keeping, Fuse()).look() == 0
        text = text.replace("subject: '", "subject: '{{ plan | default: shop_name }} ", 1)
        await see(house, files | {name: text}, 3)
        await through_every_fault(lambda fuse: a_filler(house, keeping, fuse))
        await until(lambda: are_told(house, [{"plan": "gold"}, {"plan": "iron"}, {}]))
        assert (await filled(house, 3))["spoken"] == []
        await replays(house, keeping)


async def are_told(house: House, traits: list[dict[str, str]]) -> bool:
    """Say whether this is what Rules was told of the first people, for their e-mails."""
    codec, found = Codec(WIRING["rules"].make()), []
    for number in range(len(traits)):
        visitor = await StoreReader(house.store).visitor(f"b{number}")
        assert visitor is not None
        bodies = await house.store.load("rules", [visitor["visitor_id"]])
        found += [codec.decode(body).state.traits for body in bodies.values()]
    return found == traits


async def test_how_many_enter_at_once_is_told_before(keeping):
    async with forms_sent(keeping) as (house, files):
        name = next(each for each in files if each.startswith("paths/"))
        path = re.sub(r"(?m)^entry:.*(\n  .*)*", "entry: {cohort: somebody}", files[name])
        await push_files(
            house.store, with_big(files) | {name: path}, at=house.clock.now(), by="eve"
        )
        [found] = await entering(house.store, 2)
        assert (found.people, found.unknown, found.looked, found.of) == (PEOPLE, 0, PEOPLE, PEOPLE)
        path = path.replace("somebody", "big")
        await push_files(
            house.store, with_big(files) | {name: path}, at=house.clock.now(), by="eve"
        )
        [found] = await entering(house.store, 3)
        assert (found.people, found.unknown) == (0, PEOPLE)


async def test_who_is_in_the_cohort_of_a_new_path_already_is_said_not_to_enter(keeping):
    async with forms_sent(keeping) as (house, files):
        await see(house, with_big(files), 2)
        await send(house, 0, 1)
        await until(lambda: at_rest(house))
        name = next(each for each in files if each.startswith("paths/"))
        path = re.sub(r"(?m)^entry:.*(\n  .*)*", "entry: {cohort: somebody}", files[name])
        draft = with_big(files) | {"paths/second.yaml": path}
        await push_files(house.store, draft, at=house.clock.now(), by="eve")
        inside = {each.path: each.inside for each in await entering(house.store, 3)}
        assert inside["second"] > 0
        assert all(not count for of, count in inside.items() if of != "second")


async def test_by_the_api_nobody_enters_at_once(keeping):
    async with forms_sent(keeping) as (house, files):
        name = next(each for each in files if each.startswith("paths/"))
        by = {
            entry: re.sub(r"(?m)^entry:.*(\n  .*)*", f"entry: {entry}", files[name])
            for entry in ENTRIES
        }
        draft = with_big(files) | dict(zip((name, "paths/called.yaml"), by.values(), strict=True))
        await push_files(house.store, draft, at=house.clock.now(), by="eve")
        [found] = await entering(house.store, 2)
        assert (found.cohort, found.people) == ("somebody", PEOPLE)


class Cut:
    """Be a store whose first batches are gone."""

    async def batches(self, shard: str, after: int, limit: int) -> list[tuple[int, BatchRecord]]:
        at = datetime(2026, 11, 2, tzinfo=UTC)
        record = BatchRecord(at, "", 1, {}, [], [], [], b"", [], [])
        return [(max(after + 1, 40 if shard == "behavior-1" else 1), record)][:limit]


async def test_rules_that_reach_behind_the_record_are_told_since_when_it_is():
    since = await kept_since(Cut(), ["behavior-0", "behavior-1"])  # type: ignore[arg-type]
    assert since == datetime(2026, 11, 2, tzinfo=UTC)
    assert await kept_since(Cut(), ["behavior-0"]) is None  # type: ignore[arg-type]
    files = read_folder(DEFAULTS)
    week = BIG.replace("at_least: 3", "at_least: 3, within_days: 7").replace("big", "week")
    ever = with_big(files)["cohorts.yaml"] + week.replace("somebody", "anybody")
    rules = compile_files(files | {"cohorts.yaml": ever}, 1)
    asked = ["big", "week", "somebody"]
    assert too_short(rules, asked, timedelta(days=30)) == ["big"]
    assert too_short(rules, asked, timedelta(days=6)) == ["big", "week"]
