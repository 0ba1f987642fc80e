"""Sessions: who gets one, in which commit, and that there are never more sends under way than sessions."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.runtime import postman as postman_module
from agents.runtime.batch import newest
from agents.runtime.postman import Letterpress, Postman
from messaging.ports import RowWrite
from messaging.vocabulary.effects import HandOver, QueueSend
from messaging.vocabulary.plans import SendPlan
from tests.runtime_builders import START, FakeClock


class Sessions:
    """Say how many sessions there are."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions

    async def send(self, sender: str, recipient: str, message: bytes) -> Any:
        raise AssertionError("nothing is sent here")


def a_postman(sessions: int) -> Postman:
    """Return a postman who is not paused."""
    made = Postman(Sessions(sessions), lambda *_: Letterpress("a", "b", b""), FakeClock())
    made.start(lambda _: None)
    made.set_paused(frozenset())
    return made


def queued(name: str, path: str = "p") -> QueueSend:
    """Return a send to be queued."""
    return QueueSend(name, START, path)


def test_a_send_that_is_queued_takes_a_free_session_at_once() -> None:
    postman = a_postman(2)
    due = postman.claim("v", queued("a"), 0)
    assert due is not None
    assert due.send_id == "a"
    postman.committed([("v", queued("a"))], set(), {"a"})
    assert postman.waiting() == 0


def test_no_session_is_claimed_while_paused_while_others_wait_or_when_all_are_taken() -> None:
    postman = a_postman(1)
    postman.set_paused(frozenset({"p"}))
    assert postman.claim("v", queued("a"), 0) is None
    postman.set_paused(None)
    assert postman.claim("v", queued("a", "q"), 0) is None
    postman.set_paused(frozenset())
    postman.queue("v", queued("first"))
    assert postman.claim("v", queued("a"), 0) is None
    assert [each.send_id for each in postman.next_due(0)] == ["first"]
    assert postman.claim("v", queued("a"), 0) is None


def test_a_send_is_claimed_once_however_often_its_batch_is_built() -> None:
    postman = a_postman(4)
    assert postman.claim("v", queued("a"), 0) is not None
    assert postman.claim("v", queued("a"), 0) is None
    assert postman.under_way() == 1


def test_the_batch_that_settles_a_send_may_hand_its_session_on() -> None:
    postman = a_postman(1)
    assert postman.claim("v", queued("a"), 0) is not None
    postman.queue("v", queued("b"))
    postman.queue("v", queued("c"))
    assert postman.next_due(0) == []
    assert [each.send_id for each in postman.next_due(1)] == ["b"]
    assert postman.next_due(1) == []
    postman.committed([], {"a"}, {"b"})
    assert postman.under_way() == 0
    assert [each.send_id for each in postman.next_due(0)] == ["c"]


def test_a_claim_that_came_to_no_hand_over_gives_its_session_back() -> None:
    postman = a_postman(1)
    assert postman.claim("v", queued("a"), 0) is not None
    postman.committed([], set(), {"a"})
    assert postman.claim("v", queued("b"), 0) is not None


def test_of_a_row_put_twice_in_a_batch_only_the_last_is_written() -> None:
    waiting = RowWrite("sends", "a", {"status": "waiting"})
    story = RowWrite("story", "s", {}, "insert")
    handing_over = RowWrite("sends", "a", {"status": "handing over"})
    other = RowWrite("sends", "b", {"status": "waiting"})
    assert newest([waiting, story, handing_over, other]) == [story, handing_over, other]
    assert newest([story, other]) == [story, other]


class Ledger:
    """Hold sends that an earlier owner left, and read them in pages."""

    def __init__(self, waiting: int) -> None:
        self.table = {f"s{n:03}": "waiting" for n in range(waiting)}

    async def rows(
        self, _: str, match: dict[str, Any], *, limit: int, newest: bool, after: Any = None
    ) -> list[dict[str, Any]]:
        assert not newest
        found = [send for send, status in self.table.items() if status == match["status"]]
        later = [send for send in found if after is None or send > after[1]]
        return [
            {"id": send, "visitor": "0" * 24, "at": START, "path": "p"} for send in later[:limit]
        ]


async def test_what_waits_beyond_the_rows_that_are_read_at_once_is_read_when_the_line_runs_short(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(postman_module, "UNSETTLED_MAX", 3)
    monkeypatch.setattr(postman_module, "SHORT", 2)
    ledger, postman, sent = Ledger(waiting=10), a_postman(2), []
    await postman.recover(ledger, (0, 1))  # type: ignore[arg-type]
    assert postman.waiting() == 3
    while True:
        if postman.runs_short():
            await postman.read_on(ledger, (0, 1))  # type: ignore[arg-type]
        if not (due := [each.send_id for each in postman.next_due(0)]):
            break
        sent += due
        ledger.table |= dict.fromkeys(due, "handed over")
        postman.committed([], set(due), set())
    assert sent == [f"s{n:03}" for n in range(10)]
    assert not postman.runs_short()


async def test_an_e_mail_for_which_there_is_no_memory_is_refused_and_its_session_is_free() -> None:
    def compose(*_: Any) -> Letterpress:
        raise MemoryError

    told: list[Any] = []
    postman = Postman(Sessions(1), compose, FakeClock())
    postman.start(told.append)
    plan = SendPlan(
        send_id="s",
        path="p",
        run="1",
        stage="new",
        step="first",
        attempt=1,
        template="hello",
        rules_version=1,
        entered_at=START,
        sender="shop",
    )
    postman.committed([("v", HandOver(plan, "a@b.c", "a@b.c", START))], set(), set())
    while not told:
        await asyncio.sleep(0)
    assert (told[0].outcome, told[0].reason) == ("refused", "template: MemoryError")
