"""Which rows of the routine were taken is read from what the bots wrote."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.demo_rows import ROUTINE, SALE, Progress, taken

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


async def test_each_row_is_told_once_with_its_place_and_the_first_sale_too() -> None:
    said: list[str] = []
    tables = Tables("none", {})

    async def rows(table: str, match: dict[str, Any]) -> list[dict[str, Any]]:
        return await tables.rows(table, match)

    progress = Progress(rows, said.append, lambda: 12.3)
    assert not await progress.look()
    assert (progress.numbers()["rows_taken"], said) == (0.0, [])
    for words, row in SHOWING.items():
        tables = Tables(ROUTINE[name_of(words)][0], row)
        is_last = words == list(SHOWING)[-1]
        assert await progress.look() is is_last
        assert await progress.look() is is_last
    assert progress.numbers() == {"rows_taken": 11.0, "rows_of": 11.0, "first_sale_seconds": 12.3}
    assert [line.split(" after")[0] for line in said if line.startswith("demo       row ")] == [
        f"demo       row {number} of 11" for number in range(1, 12)
    ]
    assert sum(SALE in line for line in said) == 1
    assert "first sale after 12 s" in " ".join(said)
