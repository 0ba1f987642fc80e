"""Notices on both stores: told once, repeated or listed after a crash, limited, fenced."""

from __future__ import annotations

import asyncio

import pytest

from messaging.alerts.notifier import Notifier, Pace
from messaging.ports import Commit
from messaging.store.memory import MemoryDatabase, MemoryStore
from messaging.vocabulary.errors import Fenced, Unavailable
from tests.alert_builders import (
    QUICK,
    Shard,
    Told,
    a_notifier,
    deliveries,
    queue,
    rows_of_a_silent_lead,
    rows_of_an_alert,
)
from tests.contract.conftest import Keeping
from tests.gateway_builders import StillClock


class Killed(Exception):  # noqa: N818
    """End a notifier in the middle of a try, as a kill does."""


async def killed(store, *channels) -> None:
    notifier = await a_notifier(store, *channels)
    with pytest.raises(ExceptionGroup):
        await notifier.look()


async def test_an_alert_is_told_once_by_each_channel(keeping: Keeping) -> None:
    store = keeping.store()
    await Shard(store).commit(*rows_of_an_alert())
    mail, hook = Told("email"), Told("webhook")
    notifier = await a_notifier(store, mail, hook)
    assert (await notifier.look(), await notifier.look()) == (2, 0)
    assert (len(mail.notices), len(hook.notices)) == (1, 1)
    assert await deliveries(store) == {"a1:email": ("delivered", 1), "a1:webhook": ("delivered", 1)}
    assert mail.notices[0].id != hook.notices[0].id


async def test_the_bots_own_alert_is_told(keeping: Keeping) -> None:
    store = keeping.store()
    await Shard(store).commit(*rows_of_a_silent_lead())
    mail = Told("email")
    await (await a_notifier(store, mail)).look()
    [notice] = mail.notices
    assert len(notice.history) == 4
    assert notice.visitor in notice.url


async def test_killed_between_commit_and_delivery_it_is_told_by_the_next(keeping: Keeping) -> None:
    store = keeping.store()
    await Shard(store).commit(*rows_of_an_alert())
    await a_notifier(store, Told("email"))  # it died before it looked
    mail, hook = Told("email"), Told("webhook")
    await (await a_notifier(keeping.store(), mail, hook)).look()
    assert (len(mail.notices), len(hook.notices)) == (1, 1)


async def test_killed_in_a_try_a_webhook_is_repeated_with_its_id(keeping: Keeping) -> None:
    store = keeping.store()
    await Shard(store).commit(*rows_of_an_alert())
    first, second = Told("webhook", Killed()), Told("webhook", Killed())
    await killed(store, first)
    await killed(store, second)
    third = Told("webhook")
    await (await a_notifier(keeping.store(), third)).look()
    told = [*first.notices, *second.notices, *third.notices]
    assert len(told) == 3
    assert len({notice.id for notice in told}) == 1
    assert (await deliveries(store))["a1:webhook"] == ("delivered", 3)


async def test_an_email_cut_off_in_its_try_is_uncertain_and_never_sent_again(
    keeping: Keeping,
) -> None:
    store = keeping.store()
    await Shard(store).commit(*rows_of_an_alert())
    await killed(store, Told("email", Killed(), may_repeat=False), Told("webhook"))
    mail = Told("email", may_repeat=False)
    notifier = await a_notifier(keeping.store(), mail, Told("webhook"))
    await notifier.look()
    assert mail.notices == []
    assert (await deliveries(store))["a1:email"] == ("uncertain", 1)
    assert (await queue(store))["a1:email"] == "uncertain"


async def test_tries_are_limited_and_then_it_is_listed_as_failed(keeping: Keeping) -> None:
    store = keeping.store()
    await Shard(store).commit(*rows_of_an_alert())
    mail, hook = Told("email", "again", "again"), Told("webhook", *["again"] * 9)
    notifier = await a_notifier(store, mail, hook)
    while await notifier.look():
        pass
    assert await deliveries(store) == {
        "a1:email": ("delivered", 3),
        "a1:webhook": ("failed", QUICK.tries_max),
    }
    assert len(hook.notices) == QUICK.tries_max


async def test_an_alert_written_again_is_not_told_again(keeping: Keeping) -> None:
    store = keeping.store()
    shard = Shard(store)
    await shard.commit(*rows_of_an_alert())
    mail = Told("email")
    notifier = await a_notifier(store, mail)
    await notifier.look()
    await shard.commit(*rows_of_an_alert())
    assert (await queue(store))["a1:email"] == "waiting"
    await notifier.look()
    assert len(mail.notices) == 1
    assert (await queue(store))["a1:email"] == "delivered"


async def test_what_is_settled_or_switched_off_is_told_to_nobody(keeping: Keeping) -> None:
    store = keeping.store()
    shard = Shard(store)
    await shard.commit(*rows_of_an_alert())
    await shard.commit(*rows_of_an_alert("closed"))
    mail = Told("email")
    await (await a_notifier(store, mail)).look()
    assert mail.notices == []
    assert await queue(store) == {"a1:email": "settled", "a1:webhook": "off"}


async def test_an_older_notifier_tells_nothing_more(keeping: Keeping) -> None:
    """It cannot commit the try, and what is not committed is not made."""
    store = keeping.store()
    await Shard(store).commit(*rows_of_an_alert())
    zombie_mail = Told("email")
    zombie = await a_notifier(store, zombie_mail)
    await a_notifier(keeping.store(), Told("email"))
    with pytest.raises(ExceptionGroup) as raised:
        await zombie.look()
    assert raised.group_contains(Fenced)
    assert zombie_mail.notices == []


class Leaving(MemoryStore):
    """Be away for some calls."""

    away = 3

    async def commit(self, commit: Commit) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("away")
        await super().commit(commit)


async def test_while_the_store_is_away_it_waits_and_then_goes_on() -> None:
    database = MemoryDatabase()
    await Shard(MemoryStore(database)).commit(*rows_of_an_alert())
    mail = Told("email")
    pace = Pace(look_seconds=0.01, commit_tries_max=1)
    notifier = Notifier(Leaving(database), StillClock(), [mail], "", lambda: 0.0, pace)
    work = asyncio.create_task(notifier.run())
    async with asyncio.timeout(5):
        while not mail.notices:
            await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert len(mail.notices) == 1
