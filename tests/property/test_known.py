"""Names that were let go are known again, the newest so many, in whatever order they come together."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.known import dated, knows, remember, shared, united

MOST = 5
TOLD = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.integers(0, 2**33)), max_size=14)
"""(name, when): a name may be told twice, at two times."""


def remembered(told: list[tuple[str, int]]) -> bytes:
    packed = b""
    for name, at in told:
        packed = remember(packed, name, at, MOST)
    return packed


def newest(told: list[tuple[str, int]]) -> set[str]:
    """Return the names that are to be known, or could be where two are of one second: worked out the long way."""
    last: dict[str, int] = {}
    for name, at in told:
        last[name] = max(min(at, 2**32 - 1), last.get(name, 0))
    times = sorted(last.values())[-MOST:]
    return {name for name, at in last.items() if at >= times[0]} if times else set()


@given(TOLD)
def test_the_newest_names_are_known_and_no_more_than_may_be(told: list[tuple[str, int]]) -> None:
    packed = remembered(told)
    known = {name for name, _ in told if knows(packed, name)}
    assert known <= newest(told)
    assert len(known) == min(MOST, len({name for name, _ in told}))


@given(TOLD, st.randoms(use_true_random=False), st.integers(1, 4))
def test_however_they_are_told_and_merged_the_same_are_known(
    told: list[tuple[str, int]], chance, parts: int
) -> None:
    """A merge of any parts, each told in any order, in any order of merges, is what one would have been told."""
    shuffled = chance.sample(told, len(told))
    each = [remembered(shuffled[number::parts]) for number in range(parts)]
    chance.shuffle(each)
    assert reduce(lambda one, other: united(one, other, MOST), each) == remembered(told)


@given(TOLD, TOLD)
def test_what_both_know_is_counted(
    told: list[tuple[str, int]], other: list[tuple[str, int]]
) -> None:
    one, two = remembered(told), remembered(other)
    both = {name for name, _ in told if knows(one, name)} & {n for n, _ in other if knows(two, n)}
    assert shared(one, two) == len(both)


def test_names_of_an_older_layout_are_older_than_all_others_and_go_in_their_order() -> None:
    def digest(name: str) -> bytes:
        return remember(b"", name, 0, 1)[-6:]

    packed = dated(b"".join(digest(name) for name in "abc"))
    assert all(knows(packed, name) for name in "abc")
    for name in "dxyz":
        packed = remember(packed, name, 1_700_000_000, MOST)
    assert [name for name in "abcdxyz" if knows(packed, name)] == list("cdxyz")
