"""Whatever a browser does in whatever order: the caps hold, and nothing is open for who has bought or gone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.on_site_builders import ASSIST, Browser

PAGES = st.sampled_from(["/", "/shoes", ASSIST, "/wish-list"])
ANSWERS = st.sampled_from(["shown", "clicked", "dismissed", "nothing"])
VISITS = st.lists(
    st.tuples(
        st.lists(st.tuples(PAGES, ANSWERS), min_size=2, max_size=6),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([1, 20, 31, 60, 300, 1_500]),
    ),
    min_size=1,
    max_size=8,
)
"""Each: (pages, what is done with what stands open after each), whether something is put in the cart, minutes away."""

Visit = tuple[list[tuple[str, str]], bool, int]


def _go_through(ann: Browser, visits: list[Visit]) -> None:
    for pages, fills_cart, minutes in visits:
        for page, answer in pages:
            ann.views(page)
            for offer in list(ann.engagement.offers) if answer != "nothing" else []:
                ann.answers(offer, answer)
        if fills_cart:
            ann.tracks("Product Added", product_id="p")
        ann.site.pass_time(minutes=minutes)


def _sessions(starts: list[datetime], at: datetime) -> int:
    return sum(start <= at for start in starts)


@settings(max_examples=120, deadline=None)
@given(VISITS)
def test_no_session_and_no_day_holds_more_than_its_cap(visits: list[Visit]) -> None:
    ann = Browser()
    _go_through(ann, visits)
    rows = [row for row in ann.rows("engagements") if row["shown_at"] is not None]
    times = sorted(row["shown_at"] for row in rows)
    for first, last in zip(times, times[3:], strict=False):
        assert last - first >= timedelta(hours=24)
    spans = ann.behavior.sessions
    if not ann.behavior.sessions_before:
        starts = [datetime.fromtimestamp(span.start, tz=ann.site.now.tzinfo) for span in spans]
        seen = [(row["interaction_type"], _sessions(starts, row["shown_at"])) for row in rows]
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("ends", ["buys", "fills the cart", "leaves"])
@settings(max_examples=60, deadline=None)
@given(VISITS)
def test_who_has_bought_or_gone_has_nothing_open(ends: str, visits: list[Visit]) -> None:
    ann = Browser()
    _go_through(ann, visits)
    ann.views("/", "/shoes")
    if ends == "buys":
        ann.tracks("Order Completed", order_id="o1", total=5)
        assert ann.open() == []
        ann.views(ASSIST, ASSIST, ASSIST, ASSIST)
    elif ends == "fills the cart":
        ann.tracks("Product Added", product_id="p")
    else:
        ann.site.pass_time(hours=2)
    assert ann.open() == []
    assert not [each for each in ann.rules.offered.values() if each.unseen]
    ended = {row["status"] for row in ann.rows("engagements")}
    assert not ended & {"offered", "shown"}
