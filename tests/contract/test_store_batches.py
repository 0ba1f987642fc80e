"""The fence, the repeat, and what else one commit promises: the same on memory and on MongoDB."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from messaging.ports import BatchRecord, Commit, IdentityWrite, OutboxWrite, RowWrite, StateWrite
from messaging.vocabulary.effects import Suppress
from messaging.vocabulary.errors import Conflict, Fenced, Suppressed
from messaging.vocabulary.ids import derive, partition_of

NOON = datetime(2026, 3, 2, 12, 0, 0, 123457, tzinfo=UTC)
EVERYONE = (0, 1)


def a_visitor(name="ann"):
    return derive("visitor", name)


def a_record(**changes):
    fields = {
        "at": NOON,
        "code": "1",
        "rules_version": 1,
        "snapshots": {"send_time": 3},
        "wakes": [(a_visitor(), "wait")],
        "inputs": [("journal:1", 1, 9)],
        "visitors": [a_visitor()],
        "local": b"\x90",
        "suppressed": [],
        "skipped": [],
    }
    return BatchRecord(**(fields | changes))


def a_commit(epoch, batch, **changes):
    fields = {
        "shard": "rules-0",
        "bot": "rules",
        "epoch": epoch,
        "batch": batch,
        "positions": {"journal:1": (1 << 40) + batch},
        "sent": {"email-0": batch},
        "record": a_record(),
        "states": [],
        "outbox": [],
        "rows": [],
        "identities": [],
        "guards": [],
    }
    return Commit(**(fields | changes))


def a_state(name="ann", body=b"state", due=None):
    return StateWrite(a_visitor(name), body, due)


async def test_the_first_owner_starts_from_nothing(keeping):
    owner = await keeping.store().acquire("rules-0")
    assert (owner.epoch, owner.batch, owner.positions, owner.sent) == (1, 0, {}, {})


async def test_the_next_owner_starts_where_the_last_one_stopped(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await store.commit(a_commit(1, 1))
    owner = await keeping.store().acquire("rules-0")
    assert (owner.epoch, owner.batch) == (2, 1)
    assert owner.positions == {"journal:1": (1 << 40) + 1}
    assert owner.sent == {"email-0": 1}
    assert all(type(at) is int for at in owner.positions.values())


async def test_a_commit_under_an_old_epoch_is_fenced_and_writes_nothing(keeping):
    old, new = keeping.store(), keeping.store()
    await old.acquire("rules-0")
    await new.acquire("rules-0")
    with pytest.raises(Fenced):
        await old.commit(a_commit(1, 1, states=[a_state()]))
    assert await new.load("rules", [a_visitor()]) == {}
    await new.commit(a_commit(2, 1, states=[a_state()]))


async def test_a_commit_without_an_owner_is_fenced(keeping):
    with pytest.raises(Fenced):
        await keeping.store().commit(a_commit(1, 1))


async def test_a_repeat_of_a_commit_that_happened_writes_nothing(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await store.commit(a_commit(1, 1, states=[a_state(body=b"once")]))
    await store.commit(a_commit(1, 2, states=[a_state(body=b"twice")]))
    await store.commit(a_commit(1, 1, states=[a_state(body=b"once")]))
    await store.commit(a_commit(1, 2, states=[a_state(body=b"other")]))
    assert await store.load("rules", [a_visitor()]) == {a_visitor(): b"twice"}
    assert [number for number, _ in await store.batches("rules-0", 0, 10)] == [1, 2]


async def test_a_zombie_is_fenced_even_if_its_last_commit_happened(keeping):
    """It would carry out the effects of a batch that the new owner has taken over."""
    old, new = keeping.store(), keeping.store()
    await old.acquire("rules-0")
    await old.commit(a_commit(1, 1))
    await new.acquire("rules-0")
    with pytest.raises(Fenced):
        await old.commit(a_commit(1, 1))


async def test_a_commit_that_races_with_a_new_owner_happens_before_it_or_not_at_all(keeping):
    epoch, batch = 0, 0
    for _ in range(10):
        old, new = keeping.store(), keeping.store()
        owner = await old.acquire("rules-0")
        epoch, batch = owner.epoch, owner.batch
        commit, taken = await asyncio.gather(
            old.commit(a_commit(epoch, batch + 1)), new.acquire("rules-0"), return_exceptions=True
        )
        assert taken.epoch == epoch + 1
        if taken.batch == batch:
            assert isinstance(commit, Exception), "committed after the new owner had read the batch"
        else:
            assert taken.batch == batch + 1
        after = await keeping.store().acquire("rules-0")
        assert after.batch == taken.batch


async def test_a_batch_that_skips_one_is_our_own_mistake(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    with pytest.raises(AssertionError):
        await store.commit(a_commit(1, 2))


async def test_a_batch_record_comes_back_as_it_was_written(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    for batch in (1, 2, 3):
        await store.commit(a_commit(1, batch, record=a_record(rules_version=batch)))
    assert await store.batches("rules-0", 1, 1) == [(2, a_record(rules_version=2))]
    assert [number for number, _ in await store.batches("rules-0", 1, 9)] == [2, 3]
    assert await store.batches("rules-1", 0, 9) == []


async def test_a_state_is_replaced_and_unknown_visitors_are_left_out(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await store.commit(a_commit(1, 1, states=[a_state("ann", b"1"), a_state("bob", b"2")]))
    await store.commit(a_commit(1, 2, states=[a_state("ann", b"3")]))
    asked = [a_visitor(name) for name in ("ann", "bob", "carl")]
    assert await store.load("rules", asked) == {a_visitor("ann"): b"3", a_visitor("bob"): b"2"}
    assert await store.load("email", asked) == {}
    assert await store.load("rules", []) == {}


async def test_due_visitors_come_earliest_first_and_to_the_microsecond(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    times = [NOON + timedelta(microseconds=after) for after in (5, 1, 3, 1)]
    states = [a_state(f"v{number}", due=at) for number, at in enumerate(times)]
    await store.commit(a_commit(1, 1, states=[*states, a_state("never")]))
    pairs = sorted((at, a_visitor(f"v{number}")) for number, at in enumerate(times))
    expected = [(visitor, at) for at, visitor in pairs]
    assert await store.due("rules", EVERYONE, NOON + timedelta(seconds=1), 10) == expected
    assert await store.due("rules", EVERYONE, NOON + timedelta(seconds=1), 2) == expected[:2]
    assert await store.due("rules", EVERYONE, NOON + timedelta(microseconds=3), 10) == expected[:3]
    assert await store.due("rules", EVERYONE, NOON, 10) == []
    assert await store.next_due("rules", EVERYONE) == times[1]


async def test_a_wake_up_that_was_moved_or_dropped_is_found_once_at_its_new_time(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    late = NOON + timedelta(days=1)
    assert await store.next_due("rules", EVERYONE) is None
    for batch, due in enumerate((NOON, late, NOON, NOON, late, NOON), 1):
        await store.commit(a_commit(1, batch, states=[a_state(due=due), a_state("bob", due=due)]))
        found = await store.due("rules", EVERYONE, late, 10)
        assert sorted(found) == sorted([(a_visitor(), due), (a_visitor("bob"), due)])
    await store.commit(a_commit(1, 7, states=[a_state(due=None), a_state("bob", due=late)]))
    assert await store.due("rules", EVERYONE, late, 10) == [(a_visitor("bob"), late)]
    assert await store.next_due("rules", EVERYONE) == late


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
async def test_each_due_visitor_is_found_by_exactly_one_shard(keeping, shards):
    store = keeping.store()
    await store.acquire("rules-0")
    names = [f"v{number}" for number in range(60)]
    states = [a_state(name, due=NOON + timedelta(seconds=at)) for at, name in enumerate(names)]
    await store.commit(a_commit(1, 1, states=states))
    found = []
    for index in range(shards):
        ours = await store.due("rules", (index, shards), NOON + timedelta(days=1), 100)
        assert all(partition_of(v) * shards // 256 == index for v, _ in ours)
        assert await store.next_due("rules", (index, shards)) == (ours[0][1] if ours else None)
        found += [visitor for visitor, _ in ours]
    assert sorted(found) == sorted(a_visitor(name) for name in names)


async def test_outbox_chunks_are_read_in_order_from_a_number_on(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    assert await store.outbox_tails(["rules-0", "rules-1"], "email-0") == dict.fromkeys(
        ("rules-0", "rules-1"), 0
    )
    for batch in range(1, 13):
        writes = [
            OutboxWrite(to, batch, NOON, f"{to} {batch}".encode(), 1)
            for to in ("email-0", "email-01", "learner-0")
        ]
        sent = {write.to: write.number for write in writes}
        await store.commit(a_commit(1, batch, outbox=writes, sent=sent))
    chunks = await store.read_outbox("rules-0", "email-0", 8, 3)
    assert [chunk.body for chunk in chunks] == [b"email-0 9", b"email-0 10", b"email-0 11"]
    assert [(c.stream, c.first, c.last, c.at) for c in chunks[:1]] == [("rules-0", 9, 9, NOON)]
    tails = await store.outbox_tails(["rules-0", "rules-1"], "email-0")
    assert tails == {"rules-0": 12, "rules-1": 0}
    assert await store.read_outbox("rules-0", "email-0", 12, 3) == []
    assert await store.read_outbox("rules-1", "email-0", 0, 3) == []


async def test_an_identity_key_is_given_once(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await store.acquire("rules-1")
    born = (3 << 40) + 17
    first = [IdentityWrite("u:1", a_visitor(), born, None)]
    await store.commit(a_commit(1, 1, identities=first))
    assert await store.identities(["u:1", "u:2"]) == {"u:1": (a_visitor(), born)}
    second = [IdentityWrite("u:1", a_visitor("bob"), born + 1, None)]
    late = a_commit(1, 1, shard="rules-1", identities=second, states=[a_state("bob")])
    with pytest.raises(Conflict):
        await store.commit(late)
    assert await store.load("rules", [a_visitor("bob")]) == {}
    assert (await store.acquire("rules-1")).batch == 0


async def test_an_identity_key_moves_only_from_the_owner_that_was_read(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    given = [
        IdentityWrite("u:1", a_visitor("ann"), 1, None),
        IdentityWrite("u:1", a_visitor("bob"), 2, (a_visitor("ann"), 1)),
    ]
    await store.commit(a_commit(1, 1, identities=given))
    assert await store.identities(["u:1"]) == {"u:1": (a_visitor("bob"), 2)}
    for expected in (a_visitor("ann"), a_visitor("carl")):
        moved = [IdentityWrite("u:1", a_visitor("dora"), 3, (expected, 2))]
        with pytest.raises(Conflict):
            await store.commit(a_commit(1, 2, identities=moved))
    with pytest.raises(Conflict):
        await store.commit(a_commit(1, 2, identities=[IdentityWrite("u:9", "x", 1, ("y", 1))]))


async def test_a_merge_does_not_pass_over_a_user_id_that_came_in_between(keeping):
    """Both read that Ann has no user id; then one shard hears of it, and the other makes Ann a part of Bob."""
    store = keeping.store()
    await store.acquire("rules-0")
    await store.acquire("rules-1")
    ann, bob, row = a_visitor("ann"), a_visitor("bob"), "v:" + a_visitor("ann")
    await store.commit(a_commit(1, 1, identities=[IdentityWrite(row, ann, 7, None)]))
    await store.commit(a_commit(1, 2, identities=[IdentityWrite(row, ann, ~7, (ann, 7))]))
    merged = a_commit(1, 1, shard="rules-1", identities=[IdentityWrite(row, bob, 3, (ann, 7))])
    with pytest.raises(Conflict):
        await store.commit(merged)
    assert await store.identities([row]) == {row: (ann, ~7)}


async def test_two_shards_that_want_one_key_at_the_same_time_do_not_both_get_it(keeping):
    stores = [keeping.store() for _ in range(3)]
    for number, store in enumerate(stores):
        await store.acquire(f"rules-{number}")
    for batch in range(1, 6):
        key = f"u:{batch}"
        results = await asyncio.gather(
            *(
                store.commit(
                    a_commit(
                        1,
                        batch,
                        shard=f"rules-{number}",
                        identities=[IdentityWrite(key, a_visitor(str(number)), 1, None)],
                    )
                )
                for number, store in enumerate(stores)
            ),
            return_exceptions=True,
        )
        winners = [number for number, result in enumerate(results) if result is None]
        assert len(winners) == 1
        assert all(r is None or isinstance(r, Conflict) for r in results)
        assert (await stores[0].identities([key]))[key][0] == a_visitor(str(winners[0]))
        for number, store in enumerate(stores):  # the losers go on with what they know now
            if number not in winners:
                await store.commit(a_commit(1, batch, shard=f"rules-{number}"))


async def test_no_hand_over_to_a_suppressed_mailbox_is_committed(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await store.commit(a_commit(1, 1, guards=["m1", "m2"]))
    await store.suppress("m2", "unsubscribed", NOON)
    await store.suppress("m2", "unsubscribed", NOON)
    assert await store.suppressed(["m1", "m2", "m3"]) == {"m2"}
    assert await store.suppressed([]) == set()
    with pytest.raises(Suppressed) as caught:
        await store.commit(a_commit(1, 2, guards=["m1", "m2", "m3"], states=[a_state()]))
    assert caught.value.mailboxes == frozenset({"m2"})
    assert await store.load("rules", [a_visitor()]) == {}
    await store.commit(a_commit(1, 2, guards=["m1", "m3"]))


async def test_a_batch_suppresses_mailboxes_and_the_first_reason_stays(keeping):
    store, at = keeping.store(), NOON.replace(microsecond=0)
    later = at + timedelta(hours=1)
    await store.acquire("email-0")
    await store.commit(a_commit(1, 1, shard="email-0", guards=["m1", "m2"]))
    gone = [Suppress("m2", "bounced", at), Suppress("m3", "bounced", at)]
    await store.commit(a_commit(1, 2, shard="email-0", guards=["m1"], suppress=gone))
    assert await store.suppressed(["m1", "m2", "m3"]) == {"m2", "m3"}
    again = [Suppress("m2", "complained", later), Suppress("m1", "complained", later)]
    await store.commit(a_commit(1, 3, shard="email-0", suppress=again))
    found = {row["id"]: (row["at"], row["reason"]) for row in await store.suppressions(10)}
    assert found == {
        "m1": (later, "complained"),
        "m2": (at, "bounced"),
        "m3": (at, "bounced"),
    }
    assert await store.suppression_reasons() == {"bounced": 2, "complained": 1}
    with pytest.raises(Suppressed) as caught:
        await store.commit(a_commit(1, 4, shard="email-0", guards=["m2", "m4"]))
    assert caught.value.mailboxes == frozenset({"m2"})


async def test_who_left_is_thanked_and_a_mailbox_that_is_not_there_is_not(keeping):
    store = keeping.store()
    await store.acquire("email-0")
    await store.suppress("left", "unsubscribed", NOON)
    await store.suppress("gone", "bounced", NOON)
    await store.commit(a_commit(1, 1, shard="email-0", guards=["unless bounced:left"]))
    guards = ["unless bounced:gone", "unless bounced:left", "unless bounced:new"]
    with pytest.raises(Suppressed) as caught:
        await store.commit(a_commit(1, 2, shard="email-0", guards=guards))
    assert caught.value.mailboxes == frozenset({"unless bounced:gone"})
    gone = [Suppress("new", "bounced", NOON)]
    guards = ["unless bounced:new"]
    with pytest.raises(Suppressed) as caught:
        await store.commit(a_commit(1, 2, shard="email-0", guards=guards, suppress=gone))
    assert caught.value.mailboxes == frozenset({"unless bounced:new"})
    assert await store.mailboxes(["left", "new"]) == {"left"}


async def test_no_batch_hands_over_to_a_mailbox_that_it_suppresses(keeping):
    store = keeping.store()
    await store.acquire("email-0")
    gone = [Suppress("m1", "bounced", NOON)]
    with pytest.raises(Suppressed) as caught:
        await store.commit(a_commit(1, 1, shard="email-0", guards=["m1", "m2"], suppress=gone))
    assert caught.value.mailboxes == frozenset({"m1"})
    assert await store.suppressed(["m1"]) == set()
    await store.commit(a_commit(1, 1, shard="email-0", guards=["m2"], suppress=gone))
    assert await store.suppressed(["m1", "m2"]) == {"m1"}


async def test_a_hand_over_that_races_with_a_suppression_comes_before_it_or_is_refused(keeping):
    store, gateway = keeping.store(), keeping.store()
    batch = (await store.acquire("rules-0")).batch
    for number in range(15):
        box = f"box-{number}"
        result, told = await asyncio.gather(
            store.commit(a_commit(1, batch + 1, guards=[box])),
            gateway.suppress(box, "unsubscribed", NOON),
            return_exceptions=True,
        )
        assert told is None
        assert result is None or isinstance(result, Suppressed)
        batch += result is None
        with pytest.raises(Suppressed):
            await store.commit(a_commit(1, batch + 1, guards=[box]))


async def test_two_shards_may_hand_over_to_one_mailbox_at_the_same_time(keeping):
    stores = [keeping.store() for _ in range(2)]
    for number, store in enumerate(stores):
        await store.acquire(f"email-{number}")
    for batch in range(1, 6):
        await asyncio.gather(
            *(
                store.commit(a_commit(1, batch, shard=f"email-{number}", guards=[f"m{batch}"]))
                for number, store in enumerate(stores)
            )
        )


async def test_rows_are_found_by_their_fields_newest_or_oldest_first(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    rows = [
        RowWrite("story", f"s{number}", {"visitor": "v", "at": NOON + timedelta(hours=number % 2)})
        for number in range(4)
    ]
    other = RowWrite("story", "other", {"visitor": "w", "at": NOON, "detail": {"a.b": [1, "$x"]}})
    await store.commit(a_commit(1, 1, rows=[*rows, other]))
    found = await store.rows("story", {"visitor": "v"})
    assert [row["id"] for row in found] == ["s3", "s1", "s2", "s0"]
    oldest = await store.rows("story", {"visitor": "v"}, limit=2, newest=False)
    assert [row["id"] for row in oldest] == ["s0", "s2"]
    assert await store.count("story", {"visitor": "v"}) == 4
    assert await store.count("story", {}) == 5
    assert await store.rows("story", {"id": "other"}) == [
        {
            "id": "other",
            "visitor": "w",
            "at": NOON.replace(microsecond=123000),
            "detail": {"a.b": [1, "$x"]},
        }
    ]
    assert await store.get_document("story", "s0") == {
        "id": "s0",
        "visitor": "v",
        "at": NOON.replace(microsecond=123000),
    }


async def test_a_value_to_match_is_never_an_operator(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    await store.commit(a_commit(1, 1, rows=[RowWrite("story", "s", {"visitor": "v", "at": NOON})]))
    assert await store.rows("story", {"visitor": {"$ne": ""}}) == []
    assert await store.count("story", {"visitor": {"$gt": ""}}) == 0


async def test_a_row_that_is_put_replaces_and_one_that_is_inserted_twice_is_our_mistake(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    for batch, status in enumerate(("planned", "handed over"), 1):
        row = RowWrite("sends", "s", {"visitor": "v", "at": NOON, "status": status})
        await store.commit(a_commit(1, batch, rows=[row]))
    assert [row["status"] for row in await store.rows("sends", {})] == ["handed over"]
    once = RowWrite("decisions", "d", {"visitor": "v", "at": NOON, "arm": "7"}, mode="insert")
    await store.commit(a_commit(1, 3, rows=[once]))
    with pytest.raises(AssertionError):
        await store.commit(a_commit(1, 4, rows=[once]))
    assert (await store.acquire("rules-0")).batch == 3


async def test_fields_are_set_in_a_row_that_is_there_and_bring_back_none_that_went(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    put = RowWrite("quarantine", "q", {"visitor": "v", "at": NOON, "status": "open"})
    changed = [RowWrite("quarantine", id_, {"status": "replayed"}, mode="set") for id_ in "qx"]
    await store.commit(a_commit(1, 1, rows=[put, *changed]))
    [row] = await store.rows("quarantine", {})
    assert (row["id"], row["visitor"], row["status"]) == ("q", "v", "replayed")
    other = RowWrite("quarantine", "q", {"status": "open"}, mode="set")
    await store.commit(a_commit(1, 2, rows=[other]))
    assert [row["status"] for row in await store.rows("quarantine", {})] == ["open"]


async def test_a_document_is_replaced_as_a_whole(keeping):
    store = keeping.store()
    assert await store.get_document("control", "published") is None
    await store.put_document("control", "published", {"version": 1, "by": "ann"})
    await store.put_document("control", "published", {"version": 2**40})
    found = await store.get_document("control", "published")
    assert found == {"id": "published", "version": 2**40}
    assert type(found["version"]) is int


async def test_figures_are_kept_with_the_batch_and_summed_over_a_bots_shards(keeping):
    """They come back to the next owner, names with dots and all; another bot's stand apart."""
    store = keeping.store()
    await store.acquire("rules-0")
    await store.acquire("rules-1")
    await store.acquire("sales-0")
    await store.commit(a_commit(1, 1, figures={"runs/a/won/b.c": 2, "$x": 1}))
    await store.commit(a_commit(1, 2, figures={"runs/a/won/b.c": 3}))
    await store.commit(a_commit(1, 1, shard="rules-1", figures={"runs/a/won/b.c": 1}))
    await store.commit(a_commit(1, 1, shard="sales-0", bot="sales", figures={"revenue": 0.5}))
    assert await store.figures("rules") == {"runs/a/won/b.c": 4}
    assert await store.figures("sales") == {"revenue": 0.5}
    assert await store.figures("learner") == {}
    assert (await store.acquire("rules-0")).figures == {"runs/a/won/b.c": 3}


async def test_rows_are_tallied_by_a_field(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    fields = [("sends", "waiting"), ("sends", "bounced"), ("sends", "waiting"), ("alerts", "open")]
    rows = [
        RowWrite(table, f"r{n}", {"status": s, "at": NOON}) for n, (table, s) in enumerate(fields)
    ]
    await store.commit(a_commit(1, 1, rows=rows))
    assert await store.tally("sends", "status") == {"waiting": 2, "bounced": 1}
    assert await store.tally("alerts", "status") == {"open": 1}
    assert await store.tally("orders", "status") == {}
    assert await store.count("sends", {}) == 3


async def test_the_rows_first_written_last_come_first_also_when_older_ones_are_put_again(keeping):
    store = keeping.store()
    await store.acquire("rules-0")
    for batch in (1, 2, 3):
        row = RowWrite("sends", f"s{batch}", {"status": "waiting", "at": NOON}, "put")
        await store.commit(a_commit(1, batch, rows=[row]))
    again = RowWrite("sends", "s1", {"status": "bounced", "at": NOON}, "put")
    await store.commit(a_commit(1, 4, rows=[again]))
    assert [row["id"] for row in await store.latest("sends", 2)] == ["s3", "s2"]
    assert (await store.latest("sends", 9))[-1]["status"] == "bounced"
    assert await store.latest("orders", 5) == []


async def test_a_store_that_stands_still_shows_one_moment_whatever_is_committed_meanwhile(keeping):
    store = keeping.store()
    owner = await store.acquire("rules-0")
    row = RowWrite("sends", "s1", {"visitor": a_visitor(), "at": NOON, "status": "reserved"})
    await store.commit(a_commit(owner.epoch, 1, states=[a_state()], rows=[row]))
    async with store.standing_still() as still:
        assert (await still.owner("rules-0")).batch == 1
        row = RowWrite("sends", "s1", {"visitor": a_visitor(), "at": NOON, "status": "handed over"})
        more = RowWrite("sends", "s2", {"visitor": a_visitor("bob"), "at": NOON, "status": "x"})
        states = [a_state(body=b"newer"), a_state("bob")]
        await store.commit(a_commit(owner.epoch, 2, states=states, rows=[row, more]))
        assert (await still.owner("rules-0")).batch == 1
        assert await still.visitors("rules", "", 9) == [a_visitor()]
        assert await still.load("rules", [a_visitor(), a_visitor("bob")]) == {a_visitor(): b"state"}
        assert [each["status"] for each in await still.rows("sends", {})] == ["reserved"]
        assert await still.count("sends", {}) == 1
        assert len(await still.batches("rules-0", 0, 9)) == 1
    assert (await store.owner("rules-0")).batch == 2
    assert await store.count("sends", {}) == 2
