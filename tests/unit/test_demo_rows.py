"""Which rows of the routine were taken is read from what the bots wrote."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.demo_rows import ROUTINE, taken

SHOWING: dict[str, dict[str, Any]] = {
    "bounces hard": {"status": "bounced"},
    "does not open": {"status": "handed over", "stage": "invited", "attempt": 2},
    "opens": {"status": "handed over", "stage": "opened", "attempt": 2},
    "clicks": {"kind": "stage.reached", "detail": {"stage": "visited"}},
    "adds to cart": {"kind": "stage.reached", "detail": {"stage": "cart"}},
    "looks closely": {"interaction_type": "opinion_form", "shown_at": "then"},
    "still looks": {"interaction_type": "chat_invitation", "shown_at": "then"},
    "is about": {"interaction_type": "exit_offer", "shown_at": "then"},
    "leaves": {"status": "handed over", "stage": "visited", "attempt": 2},
    "buys": {"status": "handed over", "stage": "success", "attempt": 0, "success": True},
    "uses up": {"kind": "run.alerted", "detail": {}},
}
"""First words of a row's name -> what one row of a table shows it."""

ALSO = {"adds to cart": {"clicks"}}
"""Who is in the cart stage has come by an e-mail."""

NOT_YET: list[tuple[str, dict[str, Any]]] = [
    ("sends", {"status": "handed over", "stage": "invited", "attempt": 1}),
    ("sends", {"status": "waiting", "stage": "visited", "attempt": 2}),
    ("story", {"kind": "stage.reached", "detail": {"stage": "opened"}}),
    ("engagements", {"interaction_type": "opinion_form", "shown_at": None}),
]


class Tables:
    """Hold one row of one table."""

    def __init__(self, table: str, row: dict[str, Any]) -> None:
        self.table, self.row = table, {"success": False, **row}
        self.asked = 0

    async def rows(self, table: str, match: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked += 1
        fits = all(self.row.get(name) == value for name, value in match.items())
        return [self.row] if table == self.table and fits else []


def name_of(words: str) -> str:
    return next(name for name in ROUTINE if name.startswith(words))


def test_every_row_of_the_routine_has_its_sign() -> None:
    assert [name_of(words) for words in SHOWING] == list(ROUTINE)


@pytest.mark.parametrize("words", SHOWING)
async def test_a_row_shows_in_what_the_bots_wrote_and_no_other_does(words: str) -> None:
    tables = Tables(ROUTINE[name_of(words)][0], SHOWING[words])
    found = await taken(tables.rows, list(ROUTINE))
    assert set(found) == {name_of(each) for each in (words, *ALSO.get(words, ()))}


@pytest.mark.parametrize(("table", "row"), NOT_YET)
async def test_what_is_planned_or_offered_is_not_taken_yet(table: str, row: dict[str, Any]) -> None:
    assert await taken(Tables(table, row).rows, list(ROUTINE)) == []


async def test_only_what_is_missing_is_looked_for_and_each_table_once() -> None:
    tables = Tables("story", SHOWING["clicks"])
    assert await taken(tables.rows, []) == []
    assert tables.asked == 0
    await taken(tables.rows, [name_of("clicks"), name_of("adds to cart")])
    assert tables.asked == 1
