"""Hold identity resolution to its laws on any journal, in any batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.vocabulary.ids import visitor_id_for
from tests.behavior_builders import START, World, a_record, an_identify

NUMBERS = [1, 2, 3]


@st.composite
def journals(draw: Any) -> list[Any]:
    """Draw a journal of few people, browsers and addresses, so that they meet often."""
    records = []
    for number in range(1, draw(st.integers(1, 14)) + 1):
        call = draw(st.sampled_from(["page", "identify", "identify", "alias"]))
        user = draw(st.one_of(st.none(), st.sampled_from(NUMBERS)))
        anonymous = draw(st.one_of(st.none(), st.sampled_from(NUMBERS)))
        email = draw(st.one_of(st.none(), st.sampled_from(NUMBERS)))
        if user is None and anonymous is None:
            anonymous = 1
        fields: dict[str, Any] = {"type": call}
        if user is not None:
            fields["userId"] = f"u{user}"
        if anonymous is not None:
            fields["anonymousId"] = f"a{anonymous}"
        if call == "alias":
            fields["previousId"] = draw(st.sampled_from(["u1", "u2", "a1", "a2", "a3"]))
        if email is not None and call == "identify":
            fields["traits"] = {"email": f"p{email}@example.com"}
        tag = draw(st.one_of(st.none(), st.none(), st.sampled_from(["e:p1@example.com", "u:u1"])))
        tagged = visitor_id_for(tag) if tag else ""
        records.append(a_record(number, tagged=tagged, **fields))
    return records


def in_batches(records: list[Any], cuts: list[int], *, steps: bool = False) -> World:
    world, start = World(steps=steps), 0
    for cut in [*sorted(cuts), len(records)]:
        if cut > start:
            world.batch(records[start:cut], START)
            start = cut
    return world


@settings(max_examples=150, deadline=None)
@given(journals(), st.lists(st.integers(1, 13), max_size=5))
def test_any_split_of_a_journal_into_batches_gives_the_same_identities(
    records: list[Any], cuts: list[int]
) -> None:
    """Rows, resolutions and merges of a journal do not depend on where batches end."""
    whole = in_batches(records, [])
    split = in_batches(records, [cut for cut in cuts if cut < len(records)])
    assert split.rows == whole.rows
    # A row that a merge left behind leads to the same visitor by the tombstone.
    assert [(split.living(v), m) for v, m in split.resolved] == [
        (whole.living(v), m) for v, m in whole.resolved
    ]
    assert split.merges == whole.merges


@settings(max_examples=150, deadline=None)
@given(journals())
def test_two_user_ids_share_a_visitor_only_by_an_alias(records: list[Any]) -> None:
    """Without an alias call no visitor has two user ids, whatever addresses and browsers they share."""
    world = in_batches([r for r in records if b'"alias"' not in r.raw], [])
    owners = [world.owner(key) for key in world.rows if key.startswith("u:")]
    assert len(owners) == len(set(owners))


@settings(max_examples=100, deadline=None)
@given(journals())
def test_a_visitor_is_merged_at_most_once_and_into_an_older_one(records: list[Any]) -> None:
    """Merges point from younger to older, so that they never go round in a circle."""
    world = in_batches(records, [])
    youngers = [younger for younger, _ in world.merges]
    assert len(youngers) == len(set(youngers))
    assert all(world.rows["v:" + younger][0] != younger for younger in youngers)


@settings(max_examples=60, deadline=None)
@given(journals(), st.lists(st.integers(1, 13), max_size=5))
def test_any_split_counts_every_event_exactly_once_and_ends_in_the_same_states(
    records: list[Any], cuts: list[int]
) -> None:
    """The living states of a journal are equal in any batches, and their counters hold every event."""
    whole = in_batches(records, [], steps=True)
    split = in_batches(records, [cut for cut in cuts if cut < len(records)], steps=True)
    worlds = []
    for world in (whole, split):
        living = {v: s for v, s in world.states.items() if v not in world.tombstones}
        assert sum(sum(s.counters.values()) for s in living.values()) == len(records)
        worlds.append(
            {
                visitor: (
                    state.counters,
                    sorted(state.user_ids),
                    state.anonymous_ids,
                    state.email,
                    state.sessions,
                    state.recent,
                    state.cohorts,
                )
                for visitor, state in living.items()
                if state.counters
            }
        )
    assert worlds[0] == worlds[1]


def test_the_strongest_key_of_an_unknown_visitor_makes_its_id() -> None:
    world = World()
    world.batch([an_identify(1, "u1", email="P@Example.com ", anonymousId="a1")], START)
    visitor = visitor_id_for("u:u1")
    assert {key: row[0] for key, row in world.rows.items()} == dict.fromkeys(
        ["u:u1", "e:p@example.com", "a:a1", "v:" + visitor], visitor
    )
