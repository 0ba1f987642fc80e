"""A stricter consent setting holds from a start on, before anybody was told of it; memory and mongod alike."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from agents.behavior_bot import knowing
from agents.email_bot import step
from agents.runtime.batch import consent_in, publication_in
from agents.runtime.filler import FILLINGS
from config.load import DEFAULTS, read_folder
from messaging.mail.memory import MemoryTransport
from scripts.audit import Auditor, Report
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import Fuse, until, veil
from tests.contract.test_filler import PEOPLE, a_filler, runs_of, see, set_consent
from tests.contract.test_quarantine import settled
from tests.house_builders import SHARDS, House, a_house

SAID_YES = {"consent": {"categoryPreferences": {"email": True}}}
FIRST_EMAIL_HOURS = 30
"""The first e-mail goes out within a day, and not at night."""


async def audited(house: House) -> Report:
    """Return what an audit finds; each batch is folded under its own consent setting."""
    shard = house.shards["rules-0"]
    journal = house.shards["behavior-0"].spec.journal
    assert journal is not None

    async def view_at(_version: int, _snapshots: dict[str, int], settings: str) -> Any:
        said = (
            {"consent": consent_in(settings), "publication": publication_in(settings)}
            if settings
            else {}
        )
        return msgspec.structs.replace(shard._committer.view, **said)

    return await Auditor(house.store, journal, SHARDS, view_at, veil).run(say=lambda _: None)


async def planned_under_assumption(house: House, keeping: Keeping) -> None:
    """Let everybody be planned to be written to by the laxest setting; every other one said yes."""
    await see(house, read_folder(DEFAULTS), 1)
    set_consent(house, "assumed")
    assert await a_filler(house, keeping, Fuse(), consent="assumed").look() == 0
    for number in range(PEOPLE):
        context = SAID_YES if number % 2 else {}
        traits = {"email": f"b{number}@example.com"}
        await house.call("identify", f"b{number}", traits=traits, context=context)

    async def planned() -> bool:
        return all("planned" in each for each in (await runs_of(house)).values())

    await until(planned)


async def test_nobody_is_written_to_between_a_start_and_the_pass_over_all_visitors(
    keeping: Keeping,
) -> None:
    """Half of them said yes: they get their first e-mail; the others' stays where it is, and then their run ends."""
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await planned_under_assumption(house, keeping)
        set_consent(house, "opt-in")
        for _ in range(
            FIRST_EMAIL_HOURS
        ):  # what is due goes out, and nobody was told of the setting
            house.skip(hours=1)
            await asyncio.sleep(0.02)
            await settled(house)
        yes = {f"b{number}@example.com" for number in range(1, PEOPLE, 2)}
        assert {mail.recipient for mail in post.mails} == yes
        assert await a_filler(house, keeping, Fuse(), consent="opt-in").look() == 1

        async def stopped() -> bool:
            runs = await runs_of(house)
            return all("stopped" in runs[number] for number in range(0, PEOPLE, 2))

        await until(stopped)
        await settled(house)
        assert {mail.recipient for mail in post.mails} == yes
        report = await audited(house)
    assert not report.findings, report.findings
    assert report.looked_at["hand-overs"] == len(post.mails)


async def test_who_an_older_version_told_of_is_asked_anew_and_waits_until_then(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It told of one setting and did not say which: at the first start of this one that may be another."""
    real = step._identified

    def as_before(turn: Any, message: Any) -> None:
        real(turn, msgspec.structs.replace(message, may_email_by=None))

    post = MemoryTransport()
    monkeypatch.setattr(step, "_identified", as_before)
    monkeypatch.setattr(knowing, "CONSENT_SETTINGS", ())  # nothing of it was in what was told
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await planned_under_assumption(house, keeping)
        job = await house.store.get_document(FILLINGS, "1")
        assert job is not None
        del job["tells"]
        await house.store.put_document(FILLINGS, job.pop("id"), job)
        monkeypatch.undo()
        set_consent(house, "opt-in")
        house.skip(hours=FIRST_EMAIL_HOURS)
        await settled(house)
        assert not post.mails
        filler = a_filler(house, keeping, Fuse(), consent="opt-in")
        assert await filler.look() == 1
        assert await filler.look() == 0
        for _ in range(FIRST_EMAIL_HOURS):
            house.skip(hours=1)
            await settled(house)
        assert {mail.recipient for mail in post.mails} == {
            f"b{number}@example.com" for number in range(1, PEOPLE, 2)
        }
