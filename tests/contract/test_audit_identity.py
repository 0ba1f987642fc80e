"""Who came under a key is found by it, and who left is suppressed, or the audit says so; memory and mongod alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messaging.mail.memory import MemoryTransport
from messaging.mail.tokens import UnsubscribeToken, sign
from messaging.vocabulary.errors import Unavailable
from messaging.vocabulary.ids import ERASED_LATEST, anonymous_key, email_key, user_key
from tests.contract.conftest import Keeping
from tests.contract.tampering import drop_mailbox, put_identity
from tests.contract.test_audit_planted import found_in
from tests.contract.test_consent_in_force import FIRST_EMAIL_HOURS, SAID_YES
from tests.contract.test_erasure import ANN, Fuse, an_eraser, asks, two_people, veil
from tests.contract.test_quarantine import settled
from tests.gateway_builders import SECRET
from tests.house_builders import House, a_house

BROWSER, USER, ADDRESS = anonymous_key("b-ann"), user_key("u-ann"), email_key(ANN)
KINDS = {BROWSER: "browser", USER: "user id", ADDRESS: "address"}


@asynccontextmanager
async def ann_and_ben(keeping: Keeping) -> AsyncIterator[tuple[House, str, str]]:
    """Let both live; give their visitor ids."""
    async with two_people(keeping) as house:
        rows = await house.store.identities([USER, user_key("u-ben")])
        assert await found_in(house) == []
        yield house, rows[USER][0], rows[user_key("u-ben")][0]


async def test_a_key_that_leads_to_nobody_is_found(keeping: Keeping) -> None:
    async with ann_and_ben(keeping) as (house, ann, _):
        for key, kind in KINDS.items():
            [row] = (await house.store.identities([key])).values()
            await put_identity(house.store, key, None)
            said = await found_in(house)
            assert said == [f"a key of {ann} ({kind}) leads to nobody"]
            assert "erase.example" not in "".join(said)
            await put_identity(house.store, key, row)
        assert await found_in(house) == []
        await put_identity(house.store, f"v:{ann}", None)
        assert await found_in(house) == [f"a key of {ann} (row of their own) leads to nobody"]


async def test_a_key_that_leads_to_somebody_else_is_found(keeping: Keeping) -> None:
    async with ann_and_ben(keeping) as (house, _, ben):
        for key, kind in KINDS.items():
            [row] = (await house.store.identities([key])).values()
            [own] = (await house.store.identities([f"v:{ben}"])).values()
            await put_identity(house.store, key, (ben, ~own[1]))
            assert await found_in(house) == [
                f"a key ({kind}) leads to {ben}, who never came under it"
            ]
            await put_identity(house.store, key, row)
        assert await found_in(house) == []


async def test_what_a_visitors_own_row_says_otherwise_than_their_keys_is_found(
    keeping: Keeping,
) -> None:
    async with ann_and_ben(keeping) as (house, ann, _):
        key = f"v:{ann}"
        [(_, mark)] = (await house.store.identities([key])).values()
        assert mark < 0
        await put_identity(house.store, key, (ann, ~mark))
        assert await found_in(house) == [
            f"{ann} has a user id, and their own row does not say so",
        ]
        await put_identity(house.store, key, (ann, mark - 1))
        assert len(said := await found_in(house)) == 2
        assert all(f"{ann} is known since another moment" in each for each in said)


async def test_who_was_merged_and_does_not_lead_to_who_they_are_is_found(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal(), veil=veil) as house:
        await house.views("/a", browser="b-cat")
        await house.views("/b", browser="b-old")
        await house.call("identify", "b-old", traits={"email": "cat@erase.example"})
        await settled(house)
        rows = await house.store.identities([anonymous_key("b-cat"), anonymous_key("b-old")])
        older, younger = (row[0] for row in rows.values())
        # The second browser says the same address: the two are one, the younger moves into the older.
        await house.call("identify", "b-cat", traits={"email": "cat@erase.example"})
        await settled(house)
        key = f"v:{younger}"
        [row] = (await house.store.identities([key])).values()
        assert row[0] == older
        assert await found_in(house) == []
        said = f"{younger} was merged, and does not lead to {older}"
        await put_identity(house.store, key, (younger, row[1]))
        assert said in await found_in(house)
        await put_identity(house.store, key, None)
        assert said in await found_in(house)


async def test_who_was_erased_is_not_missed(keeping: Keeping) -> None:
    """Also while it is under way: their keys go first, their events last."""
    async with ann_and_ben(keeping) as (house, ann, _):
        await asks(house, ANN)
        fuse, was_cut = Fuse(), 0
        for after in range(1, 400, 9):
            fuse.left = after
            try:
                await an_eraser(house, keeping, fuse).look()
                break
            except Unavailable:
                was_cut += 1
            said = [each for each in await found_in(house) if "key" in each or "mailbox" in each]
            assert said == []
        assert was_cut > 2
        await settled(house)
        assert ann not in (await house.store.identities([USER])).values()
        assert await found_in(house) == []
        await put_identity(house.store, ERASED_LATEST, None)
        said = "the latest erasure is not noted: what comes late would bring somebody back"
        assert await found_in(house) == [said]


@asynccontextmanager
async def written_to(keeping: Keeping) -> AsyncIterator[tuple[House, dict]]:
    """Let somebody who said yes get their first marketing e-mail; give its row."""
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post, veil=veil) as house:
        await house.call("identify", "b-ann", traits={"email": ANN}, context=SAID_YES)
        await settled(house)
        for _ in range(FIRST_EMAIL_HOURS):
            house.skip(hours=1)
            await asyncio.sleep(0.02)
            await settled(house)
        [send] = await house.store.rows("sends", {"status": "handed over"})
        assert not send["success"]
        assert await found_in(house) == []
        yield house, send


async def test_a_mailbox_that_was_written_to_and_has_no_row_is_found(keeping: Keeping) -> None:
    async with written_to(keeping) as (house, send):
        await drop_mailbox(house.store, send["mailbox"])
        said = f"mailbox {send['mailbox']} was written to, and has no row"
        assert await found_in(house) == [said]


async def test_who_left_and_is_not_suppressed_any_more_is_found(keeping: Keeping) -> None:
    async with written_to(keeping) as (house, send):
        token = sign(SECRET, UnsubscribeToken(send["id"], send["visitor"], send["mailbox"]))
        async with house.session.post(f"/u/{token}") as answer:
            assert answer.status == 200
        await settled(house)
        assert await found_in(house) == []
        await drop_mailbox(house.store, send["mailbox"])
        assert f"mailbox {send['mailbox']} left, and is not suppressed" in await found_in(house)
