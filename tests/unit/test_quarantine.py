"""Rows of the quarantine: whose they are, by what they are told apart, and how a replay is folded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.protocol.bot import ERASED, View
from agents.runtime.batch import newest
from agents.runtime.fold import CAUSE, Folding, Poisoned, Work
from agents.runtime.held import Codec
from agents.runtime.quarantine import row_id, row_of, unreadable_row
from agents.runtime.scrub import letters_without
from agents.runtime.tables import taken_row
from messaging.ports import RowWrite
from messaging.vocabulary.events import Record
from messaging.vocabulary.ids import policy_key
from messaging.vocabulary.letters import (
    Letter,
    decode_letters,
    encode_letters,
    letter_in,
)
from messaging.vocabulary.messages import (
    Arrived,
    CohortEntered,
    CohortLeft,
    Message,
    Replayed,
    RewardSeen,
    ScoreCrossed,
    TrainingScheduled,
    Woke,
)
from messaging.vocabulary.quarantine import replay_of, row_of_replay, told_aside
from messaging.vocabulary.records import Reward
from scripts.story import sentence
from tests.runtime_builders import START, CountingBot, entered, visitor

LATER = START + timedelta(days=2)


def a_replay(message: Message, depth: int = 1, row: str = "r1", to: str = "") -> Replayed:
    body = encode_letters([Letter(depth, message)])  # type: ignore[arg-type]
    return Replayed(to or message.visitor, LATER, row, body)


def a_work(message: Message, stream: str = "behavior-0", position: int = 5) -> Work:
    return Work(message, 1, stream, position, 0)


def a_record(message_id: str = "m1") -> Record:
    return Record(9, message_id, 0, START, START, "", b"{}")


def folded(message: Message, held: Any = None) -> tuple[Folding, Any]:
    folding = Folding(CountingBot(), LATER, View(None, 0, {}, {}), "rules-0:1", 8)  # type: ignore[arg-type]
    held = held if held is not None else Codec(CountingBot()).fresh(message.visitor)  # type: ignore[arg-type]
    folding.take(held, a_work(message))
    return folding, held


def test_a_replay_is_stepped_as_what_it_holds_and_its_row_says_so() -> None:
    folding, held = folded(a_replay(entered(1, "a"), depth=3 * CAUSE))
    assert held.state.seen == ["a"]
    [letter] = folding.folded.letters["sales"]
    assert letter.depth == 4 * CAUSE, "the chain of causes is as long as it was"
    assert taken_row("r1", LATER) in folding.folded.rows


def test_a_replay_without_effects_is_taken_as_well() -> None:
    folding, _ = folded(a_replay(CohortEntered(visitor(1), START, "quiet")))
    assert any(row.id == "r1" for row in folding.folded.rows)
    woke, held = folded(a_replay(Woke(visitor(1), START, "key", START, "")))
    assert held.state.woken == 1
    assert [row.id for row in woke.folded.rows] == ["r1"]


def test_a_replay_follows_the_tombstone_and_is_taken_at_its_end() -> None:
    held = Codec(CountingBot()).fresh(visitor(1))  # type: ignore[arg-type]
    held.moved = visitor(2)
    folding, _ = folded(a_replay(entered(1, "a")), held)
    assert folding.folded.rows == []
    [letter] = folding.folded.letters["rules"]
    assert isinstance(letter.message, Replayed)
    assert (letter.message.visitor, letter.message.row) == (visitor(2), "r1")
    there, state = folded(letter.message)
    assert state.state.seen == ["a"]
    [told] = there.folded.letters["sales"]
    assert told.message.visitor == visitor(2)


def test_a_replay_for_somebody_who_was_erased_ends_there() -> None:
    held = Codec(CountingBot()).fresh(visitor(1))  # type: ignore[arg-type]
    held.moved = ERASED
    folding, _ = folded(a_replay(entered(1, "a")), held)
    assert folding.folded.letters == {}
    assert held.state.seen == []


def test_a_replay_that_is_too_deep_fails_again_and_its_row_names_the_new_one() -> None:
    replay = a_replay(ScoreCrossed(visitor(1), START, "s", 1.0, "b"), depth=8 * CAUSE)
    with pytest.raises(Poisoned) as caught:
        folded(replay)
    new, before = row_of("rules-0", 4, caught.value.work, str(caught.value), LATER)
    assert (new.fields["status"], new.fields["kind"]) == ("open", "ScoreCrossed")
    assert decode_letters(new.fields["body"]) == [letter_in(replay)]
    assert before == taken_row("r1", LATER, again=new.id)


def test_an_event_that_is_replayed_is_known_by_its_row_and_its_first_id() -> None:
    again = a_record(replay_of("r1", a_record("a:b")))
    assert (row_of_replay(again), again.first_id) == ("r1", "a:b")
    assert row_of_replay(a_record("m1")) == ""
    _, before = row_of("behavior-0", 4, a_work(Arrived(visitor(1), START, again)), "x", LATER)
    assert before.id == "r1"
    place = ("journal:1", 9, 0)
    assert [row.id for row in unreadable_row("behavior-0", again, place, "x", LATER)][1:] == ["r1"]


def test_a_row_is_about_the_person_and_a_policys_own_affairs_are_nobodys() -> None:
    reward = Reward(decision_id="d", kind="clicked", value=1.0, at=START, human=1.0)
    seen = RewardSeen(policy_key("p"), START, reward, "a", "p", START, False, visitor(1))
    planned = TrainingScheduled(policy_key("p"), START, "p", 24)
    for message, whose in ((seen, visitor(1)), (planned, ""), (entered(2, "a"), visitor(2))):
        [row] = row_of("learner-0", 1, a_work(message), "x", LATER)
        assert row.fields["visitor"] == whose


def test_places_that_are_used_again_are_told_apart_by_the_batch() -> None:
    """A second outcome at the same place of its own batch, or the same wake-up a day later, is another row."""
    for stream in ("local", "wake:v:key"):
        assert row_id("email-0", 1, (stream, 0, 0)) != row_id("email-0", 2, (stream, 0, 0))
    for stream in ("behavior-0", "journal:1"):
        assert row_id("email-0", 1, (stream, 7, 0)) == row_id("email-0", 2, (stream, 7, 0))


def test_a_field_that_is_set_is_not_lost_beside_a_row_that_is_put() -> None:
    put = [RowWrite("quarantine", "r1", {"n": n}) for n in (1, 2)]
    assert newest([*put, taken_row("r1", LATER)]) == [put[1], taken_row("r1", LATER)]


def test_who_is_erased_is_erased_from_replays_too() -> None:
    """Also from one for whom they had become, and a reward keeps its number for the learner."""
    left = CohortLeft(visitor(1), START, "a")
    body = encode_letters([Letter(1, a_replay(left, to=visitor(2))), Letter(1, entered(3, "b"))])  # type: ignore[list-item]
    kept, count = letters_without(body, {visitor(1)})
    assert count == 1
    assert [letter.message.visitor for letter in decode_letters(kept)] == ["", visitor(3)]
    reward = Reward(decision_id="d", kind="clicked", value=1.0, at=START, human=1.0)
    seen = RewardSeen(policy_key("p"), START, reward, "a", "p", START, False, visitor(1))
    kept, count = letters_without(encode_letters([Letter(1, a_replay(seen))]), {visitor(1)})  # type: ignore[list-item]
    [letter] = decode_letters(kept)
    assert isinstance(letter.message, Replayed)
    inner = letter_in(letter.message).message
    assert isinstance(inner, RewardSeen)
    assert (count, inner.reward.value) == (1, 1.0)
    assert visitor(1).encode() not in kept


def test_a_story_says_what_was_set_aside_and_nothing_that_an_error_said() -> None:
    work = a_work(entered(1, "a"))
    reason = "CohortEntered: KeyError: 'ann@example.com'"
    [row] = row_of("rules-0", 1, work, reason, START)
    fields = {**row.fields, "id": row.id}

    def said(**changes: Any) -> str:
        told = told_aside(fields | changes)
        return sentence({**told, "kind": f"quarantine: {told['kind']}"})

    assert said() == (
        'Rules Manager could not take what it was told ("CohortEntered"), and it was set aside: '
        "the program failed at it"
    )
    deep = said(reason="CohortEntered: TooDeep: 8 causes stand before X")
    assert deep.endswith("one thing would have led to another without end")
    taken = said(status="replayed", settled_at=LATER)
    assert taken.endswith("it was replayed and taken at Wed 25 Nov 2026, 12:00 UTC")
    assert said(status="replayed", again="r2").endswith("could not be taken once more")
    assert said(kind="Record", status="dropped").startswith("an event could not be taken")
    assert "ann@" not in said() + deep + taken
