"""Try the cases of identity one by one, each as a small story."""

from __future__ import annotations

import pytest

from messaging.vocabulary.ids import visitor_id_for
from tests.behavior_builders import START, World, a_page, a_record, an_identify


def a_world(*records: object) -> World:
    world = World()
    for record in records:
        world.batch([record], START)
    return world


def test_an_anonymous_visitor_who_says_who_they_are_stays_the_same_visitor() -> None:
    world = a_world(a_page(1), an_identify(2, "u1", anonymousId="a1"))
    assert world.owner("u:u1") == world.owner("a:a1") == visitor_id_for("a:a1")
    assert not world.merges


def test_blanks_are_nobody_s_id() -> None:
    """A site that sends them for whoever is not logged in would make one visitor of them all."""
    world = a_world(an_identify(1, " ", anonymousId="a1"), an_identify(2, "\t", anonymousId="a2"))
    assert (world.owner("a:a1"), world.owner("a:a2")) == (
        visitor_id_for("a:a1"),
        visitor_id_for("a:a2"),
    )
    assert not any(state.user_ids for state in world.states.values())


def test_a_later_user_on_a_shared_computer_starts_afresh() -> None:
    world = a_world(
        an_identify(1, "u1", anonymousId="a1"), an_identify(2, "u2", anonymousId="a1"), a_page(3)
    )
    assert world.owner("u:u2") == visitor_id_for("u:u2")
    assert world.owner("a:a1") == visitor_id_for("u:u1")
    assert [visitor for visitor, _ in world.resolved] == [
        visitor_id_for("u:u1"),
        visitor_id_for("u:u2"),
        visitor_id_for("u:u1"),
    ]


def test_an_equal_address_with_another_user_id_is_a_member_of_that_mailbox() -> None:
    world = a_world(
        an_identify(1, "u1", email="p@example.com"), an_identify(2, "u2", email="P@example.com")
    )
    assert world.resolved == [(visitor_id_for("u:u1"), False), (visitor_id_for("u:u2"), True)]
    assert not world.states[visitor_id_for("u:u2")].owns_mailbox
    assert world.owner("e:p@example.com") == visitor_id_for("u:u1")


def test_a_browser_with_a_history_joins_the_user_it_turns_out_to_be() -> None:
    world = a_world(
        an_identify(1, "u1", email="p@example.com"),
        a_page(2),
        an_identify(3, "u1", anonymousId="a1"),
        a_page(4),
    )
    user = visitor_id_for("u:u1")
    assert world.merges == [(visitor_id_for("a:a1"), user)]
    assert world.states[user].counters == {"identify": 2, "page": 2}
    assert world.states[user].absorbed == [visitor_id_for("a:a1")]


def test_the_older_of_two_visitors_stays_even_if_it_was_the_anonymous_one() -> None:
    world = a_world(a_page(1), an_identify(2, "u1"), an_identify(3, "u1", anonymousId="a1"))
    assert world.merges == [(visitor_id_for("u:u1"), visitor_id_for("a:a1"))]
    assert world.owner("u:u1") == visitor_id_for("a:a1")


def test_a_click_in_a_mail_ties_the_browser_to_the_reader() -> None:
    lead = visitor_id_for("e:p@example.com")
    world = a_world(an_identify(1, None, email="p@example.com", anonymousId="import-1"))
    world.batch([a_page(2, "a2")], START)
    world.batch([a_record(3, tagged=lead, type="page", anonymousId="a2")], START)
    assert world.merges == [(visitor_id_for("a:a2"), lead)]
    assert world.owner("a:a2") == lead


def test_an_unknown_tag_is_no_visitor() -> None:
    world = a_world(a_record(1, tagged="f" * 24, type="page", anonymousId="a1"))
    assert world.resolved == [(visitor_id_for("a:a1"), False)]


def test_an_alias_gives_a_known_user_a_second_user_id() -> None:
    world = a_world(an_identify(1, "u1"), a_record(2, type="alias", userId="u2", previousId="u1"))
    assert world.owner("u:u2") == visitor_id_for("u:u1")
    world = a_world(a_page(1), a_record(2, type="alias", userId="u2", previousId="a1"))
    assert world.owner("u:u2") == visitor_id_for("a:a1")


def test_three_visitors_become_one_within_a_batch() -> None:
    world = World()
    world.batch(
        [
            a_page(1, "a1"),
            a_page(2, "a2"),
            an_identify(3, "u1"),
            an_identify(4, "u1", anonymousId="a2"),
            an_identify(5, "u1", anonymousId="a1"),
            a_page(6, "a2"),
        ],
        START,
    )
    one = visitor_id_for("a:a1")
    assert world.merges == [
        (visitor_id_for("u:u1"), visitor_id_for("a:a2")),
        (visitor_id_for("a:a2"), one),
    ]
    assert {world.owner(key) for key in ("a:a1", "a:a2", "u:u1")} == {one}
    assert world.states[one].counters == {"page": 3, "identify": 3}


def test_a_claim_seen_by_one_browser_protects_the_other_browser_too() -> None:
    """The second browser's row knows nothing of the user id; the visitor's own row does."""
    world = a_world(
        an_identify(1, None, email="p@example.com", anonymousId="a1"),
        an_identify(2, None, email="p@example.com", anonymousId="a2"),
        an_identify(3, "u1", anonymousId="a1"),
        an_identify(4, "u2", anonymousId="a2"),
    )
    assert world.owner("u:u2") == visitor_id_for("u:u2")
    assert world.owner("a:a2") == world.owner("u:u1")


@pytest.mark.parametrize(
    "text",
    [
        "eve@example.com\r\nBcc: mallory@example.com",
        "eve@example.com\x00",
        "e\x1bve@example.com",
        "eve smith@example.com",
        "eve@example.com, mallory@example.com",
        "eve@mallory@example.com",
        "eve@" + "e" * 250 + ".com",
        "eve@",
    ],
)
def test_what_cannot_be_written_to_is_nobodys_address(text: str) -> None:
    world = a_world(an_identify(1, "u1", email=text))
    assert world.states[visitor_id_for("u:u1")].email is None
    assert world.owner("u:u1") == visitor_id_for("u:u1")
    assert not [key for key in world.rows if key.startswith("e:")]


def test_an_address_keeps_its_letters_and_loses_the_space_around_it() -> None:
    world = a_world(an_identify(1, "u1", email=" Ann@bücher.example\n"))
    email = world.states[visitor_id_for("u:u1")].email
    assert email is not None
    assert email.value == "Ann@bücher.example"
