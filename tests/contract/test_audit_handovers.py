"""What Email's hands did twice stands in the record, and the audit finds it; memory and mongod alike."""

from __future__ import annotations

from messaging.mail.memory import MemoryTransport
from messaging.vocabulary.effects import HandOver
from messaging.vocabulary.messages import SendRequested
from messaging.vocabulary.plans import SendPlan
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import ANN, until
from tests.contract.test_quarantine import ann_buys, audited, settled
from tests.house_builders import House, a_house


async def thanked(house: House, count: int = 1) -> list[dict]:
    """Wait for so many thanks; return their rows."""

    async def are_there() -> bool:
        match = {"success": True, "status": "handed over"}
        return await house.store.count("sends", match) == count

    await until(are_there)
    await settled(house)
    return await house.store.rows("sends", {"success": True}, limit=9)


async def test_a_thank_you_that_went_out_once_is_well_and_a_second_for_its_order_is_found(
    keeping: Keeping,
) -> None:
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        [row] = await thanked(house)
        report = await audited(house)
        assert not report.findings
        assert report.looked_at["hand-overs"] == len(post.mails) == 1
        # As by a bot that decides anew: another id, the same order.
        again = SendPlan(
            send_id="f" * 24,
            **{name: row[name] for name in ("path", "run", "template", "rules_version")},
            stage="success",
            step="success",
            attempt=0,
            entered_at=house.clock.now(),
            sender="shop",
            success=True,
        )
        house.shards["email-0"].tell(SendRequested(row["visitor"], house.clock.now(), again))
        await thanked(house, 2)
        assert len(post.mails) == 2
        findings = {each.what for each in (await audited(house)).findings if each.rule == "success"}
    assert f"order order-ann was thanked for by {row['id']}, and by {again.send_id}" in findings


async def test_a_hand_over_that_was_carried_out_twice_is_found(keeping: Keeping) -> None:
    """One commit, two e-mails: the server answered twice."""
    post = MemoryTransport()
    async with a_house(keeping.store(), keeping.journal(), post=post) as house:
        await ann_buys(house)
        [row] = await thanked(house)
        send = row["id"]
        plan = SendPlan(
            send, "leads", "1", "new", "first", 1, "hello", 1, house.clock.now(), "shop"
        )
        act = HandOver(plan, ANN, "box", house.clock.now())
        postman = house.shards["email-0"].spec.postman
        assert postman is not None
        await postman._hand_over(row["visitor"], act)
        await settled(house)
        assert len(post.mails) == 2
        said = [each.what for each in (await audited(house)).findings]
    assert said == [f"send {send} arrived 2 times"]
