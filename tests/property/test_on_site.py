"""Whatever a browser does in whatever order: the caps hold, and nothing is open for who has bought or gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.on_site_builders import ASSIST, Browser

PAGES = st.sampled_from(["/", "/shoes", ASSIST, "/wish-list"])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("view"), PAGES),
        st.tuples(st.just("answer"), st.sampled_from(["shown", "clicked", "dismissed"])),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 31, 300, 1_500])),
        st.tuples(st.just("cart"), st.none()),
    ),
    max_size=60,
)


def _do(ann: Browser, what: str, how: Any) -> None:
    match what:
        case "view":
            ann.views(how)
        case "answer":
            for offer in list(ann.engagement.offers)[:1]:
                ann.answers(offer, how)
        case "wait":
            ann.site.pass_time(minutes=how)
        case "cart":
            ann.tracks("Product Added", product_id="p")


def _sessions(starts: list[datetime], at: datetime) -> int:
    return sum(start <= at for start in starts)


@settings(max_examples=120, deadline=None)
@given(ACTIONS)
def test_no_session_and_no_day_holds_more_than_its_cap(actions: list[tuple[str, Any]]) -> None:
    ann = Browser()
    for what, how in actions:
        _do(ann, what, how)
    rows = [row for row in ann.rows("engagements") if row["shown_at"] is not None]
    times = sorted(row["shown_at"] for row in rows)
    for first, last in zip(times, times[3:], strict=False):
        assert last - first >= timedelta(hours=24)
    spans = ann.behavior.sessions
    if not ann.behavior.sessions_before:
        starts = [datetime.fromtimestamp(span.start, tz=ann.site.now.tzinfo) for span in spans]
        seen = [(row["interaction_type"], _sessions(starts, row["shown_at"])) for row in rows]
        assert len(set(seen)) == len(seen)


@settings(max_examples=60, deadline=None)
@given(ACTIONS, st.sampled_from(["buys", "leaves"]))
def test_who_has_bought_or_gone_has_nothing_open(actions: list[tuple[str, Any]], ends: str) -> None:
    ann = Browser()
    for what, how in actions:
        _do(ann, what, how)
    if ends == "buys":
        ann.tracks("Order Completed", order_id="o1", total=5)
        assert ann.open() == []
        ann.views(ASSIST, ASSIST, ASSIST, ASSIST)
    else:
        ann.site.pass_time(hours=2)
    assert ann.open() == []
    assert not [each for each in ann.rules.offered.values() if each.unseen]
    ended = {row["status"] for row in ann.rows("engagements")}
    assert not ended & {"offered", "shown"}
