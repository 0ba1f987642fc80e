"""A flow runs through real shards, in memory and in a mongod: waits, what a step sets, and what is waited for."""

from __future__ import annotations

from agents.runtime.figures import edges_in, stages_in
from agents.runtime.mover import DONE, MOVES
from config.load import DEFAULTS, read_folder
from scripts.impact import impact
from scripts.rules import publish, push_files
from tests.contract.conftest import Keeping
from tests.contract.test_erasure import Fuse, at_rest, until
from tests.contract.test_mover import a_mover, see, stands
from tests.house_builders import House, a_house

NAMES = ["rest", "mark", "day", "marked", "cart", "empty", "forgotten", "bought"]

FLOW = """\
title: A flow
priority: 90
goal: [Order Completed]
entry: {cohort: addressable-lead}
quiet_hours: {from: 21, to: 8}
caps: [{channel: email, count: 1, hours: 20}]
attempts: {total: 1, after_open: 0}
response_window_hours: 72
after_visit_hours: 24
alert: {title: Nobody answers}
success: {template: thank-you}
sender: shop
steps:
  - {name: rest, wait: {hours: 1}}
  - {name: mark, tag: seen}
  - {name: day, wait: {days: 1}}
  - name: marked
    if: {trait: {name: tags.seen, equals: true}}
    then:
      - name: cart
        wait_until: {when: {in_cart: true}, at_most_hours: 48}
        else: [{name: empty, end: true}]
    else:
      - {name: forgotten, end: true}
  - {name: bought, alert: {title: Something lies in the cart}}
"""


async def stand(house: House) -> dict[str, dict[str, int]]:
    """Return step -> status -> runs."""
    return stages_in(await house.store.figures("rules")).get("flow", {})


async def test_a_flow_goes_its_ways_on_real_shards(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        files = read_folder(DEFAULTS) | {"paths/flow.yaml": FLOW}
        del files["paths/lead-to-customer.yaml"]
        await push_files(house.store, files, at=house.clock.now(), by="up")
        await publish(house.store, 1, at=house.clock.now(), by="up")
        see(house, files, 1)
        for number in range(4):
            traits = {"email": f"p{number}@example.com", "email_consent": True}
            await house.call("identify", f"b{number}", userId=f"u{number}", traits=traits)

        async def at(step: str, status: str, runs: int) -> bool:
            return (await stand(house)).get(step, {}).get(status) == runs

        await until(lambda: at("rest", "waiting", 4))
        house.skip(hours=1.1)
        await until(lambda: at("day", "waiting", 4))
        await until(lambda: at_rest(house))  # what the step sets is known before the day is over
        house.skip(hours=24)
        await until(lambda: at("cart", "waiting", 4))
        product = {"product_id": "p1", "price": 5, "quantity": 1}
        await house.call("track", "b0", userId="u0", event="Product Added", properties=product)
        await until(lambda: at("bought", "alerted", 1))
        house.skip(hours=48)
        await until(lambda: at("empty", "ended", 3))
        await until(lambda: at_rest(house))
        ways = edges_in(await house.store.figures("rules"), "flow", NAMES)
        assert ways == {
            ("", "rest"): 4,
            ("rest", "mark"): 4,
            ("mark", "day"): 4,
            ("day", "marked"): 4,
            ("marked", "cart"): 4,
            ("cart", "bought"): 1,
            ("cart", "empty"): 3,
        }
        shown = await house.visitor("b0")
        assert "addressable-lead" in shown["cohorts"]
        assert not [name for name in shown["cohorts"] if name.startswith(".")]


async def test_a_publication_says_which_flow_runs_can_go_over(keeping: Keeping) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        files = read_folder(DEFAULTS)
        loop = files.pop("paths/lead-to-customer.yaml")
        first = files | {"paths/flow.yaml": FLOW}
        await push_files(house.store, first, at=house.clock.now(), by="up")
        await publish(house.store, 1, at=house.clock.now(), by="up")
        see(house, first, 1)
        traits = {"email": "p@example.com", "email_consent": True}
        await house.call("identify", "b", userId="u", traits=traits)
        await until(lambda: _begun(house))
        for text, has_place in (
            (FLOW.replace("hours: 1}", "hours: 2}", 1), True),
            (FLOW.replace("name: rest", "name: wait"), False),
            (loop.replace("name: invited", "name: rest"), False),
        ):
            draft = files | {"paths/flow.yaml": text}
            version, _ = await push_files(house.store, draft, at=house.clock.now(), by="eve")
            (group,) = await impact(house.store, version)
            assert (group.stage, group.runs, group.has_place) == ("rest", 1, has_place)


async def test_who_waits_at_a_step_goes_over_and_who_has_no_place_there_stays_and_is_counted(
    keeping: Keeping,
) -> None:
    async with a_house(keeping.store(), keeping.journal()) as house:
        files = read_folder(DEFAULTS)
        loop = files.pop("paths/lead-to-customer.yaml")
        versions = [
            files | {"paths/flow.yaml": text}
            for text in (
                FLOW,
                FLOW.replace("hours: 1}", "hours: 2}", 1),
                loop.replace("name: invited", "name: rest"),
            )
        ]
        for number, each in enumerate(versions, 1):
            await push_files(house.store, each, at=house.clock.now(), by="eve")
            await publish(house.store, number, at=house.clock.now(), by="eve", runs="migrate")
            see(house, each, number)
            if number == 1:
                traits = {"email": "p@example.com", "email_consent": True}
                await house.call("identify", "b", userId="u", traits=traits)
                await until(lambda: _begun(house))
            assert await a_mover(house, keeping, Fuse()).look() == 1
            assert await stands(house) == {min(number, 2): 1}
            move = await house.store.get_document(MOVES, str(number))
            assert move is not None
            assert (move["status"], move["told"], move["stay"]) == (
                DONE,
                {"flow/rest": 1} if number == 2 else {},
                {"flow/rest": 1} if number == 3 else {},
            )


async def _begun(house: House) -> bool:
    return (await stand(house)).get("rest", {}).get("waiting") == 1
