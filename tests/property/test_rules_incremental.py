"""Hold what Behavior tells, event by event and wake-up by wake-up, against a naive evaluation of the whole history.

`MDMA_RULE_TREES=1000` draws so many rules and histories; fewer by default.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agents.behavior_bot.merge import pack, unpack
from agents.protocol.bot import View
from agents.rules.facts import LISTS
from messaging.vocabulary.effects import Tell
from messaging.vocabulary.events import Record
from messaging.vocabulary.messages import CohortEntered, CohortLeft, MailSent, StateMerged
from tests.behavior_builders import ANN, HUMAN_AGENT, Ann, a_record, a_view_of
from tests.drawn_rules import CONDITIONS, ZONES
from tests.naive_history import POINTS, Happened, facts_at
from tests.naive_rules import naive

EXAMPLES = int(os.environ.get("MDMA_RULE_TREES", "150"))
BOB = "b" * 24
SCORE_BOUNDS = (8.0, 2.0, 0.5)

STARTS = st.sampled_from(  # a day or two before clocks leap, somewhere
    [
        datetime(2026, 3, 2, 9, 59, 30, tzinfo=UTC),
        datetime(2026, 3, 7, 3, 30, tzinfo=UTC),
        datetime(2026, 3, 28, 23, 15, tzinfo=UTC),
        datetime(2026, 4, 4, 14, 45, tzinfo=UTC),
        datetime(2026, 4, 23, 21, 30, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
    ]
)
GAPS = st.one_of(
    st.integers(0, 7_200),
    st.sampled_from([0, 1, 1_799, 1_800, 1_801, 3_600, 86_400, 7 * 86_400]),
    st.integers(0, 12 * 86_400),
)
LATE = st.sampled_from([0, 0, 0, 0, 1, 600, 5_000, 40_000])
CONTEXTS = st.builds(
    lambda zone, more: {"timezone": zone} | more,
    st.sampled_from(ZONES),
    st.sampled_from(
        [
            {},
            {"locale": "pt-BR", "location": {"country": "BR", "city": "Rio"}},
            {"locale": "en-GB", "location": {"country": "NO", "city": "Berlin"}},
            {"campaign": {"source": "news"}},
            {"userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Mobile/15E148"},
            {"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"},
            {"campaign": {"source": "ads", "medium": "cpc"}},
        ]
    ),
)
TRAITS = st.sampled_from(
    [
        {"email": "ann@example.com"},
        {"email": "ann@example.com", "email_consent": True},
        {"email_consent": False},
        {"city": "Rio"},
        {"city": "Berlin", "vip": True},
        {"vip": False, "age": 30},
        {"age": "30", "lists.vip": True},
        {"renewal": "2026-03-09"},
        {"renewal": "2024-02-29", "lists.vip": False},
        {"renewal": "2026-03-08T05:00:00Z"},
    ]
)
HAD = st.sampled_from(
    [{}, {"size": 5}, {"size": "5", "color": "Red"}, {"color": "blue"}, {"product_id": "lamp"}]
)
PATHS = ["/", "/pricing", "/pricing/big", "/blog/pricing"]
EVENTS = st.one_of(
    st.builds(
        lambda p, c: {"kind": "page", "path": p, "context": c}, st.sampled_from(PATHS), CONTEXTS
    ),
    st.builds(
        lambda n, p: {"kind": "track", "name": n, "properties": p},
        st.sampled_from(["Product Added", "Form Sent", "Product Removed", "Order Completed"]),
        HAD,
    ),
    st.just(
        {
            "kind": "track",
            "name": "Page Left",
            "properties": {"path": "/pricing/big", "seconds_visible": 42.5},
        }
    ),
    TRAITS.map(lambda traits: {"kind": "identify", "traits": traits}),
    st.sampled_from(
        [
            {"kind": "page", "path": "/", "context": {"page": {"referrer": "r"}}},
            {"kind": "opened"},
            {"kind": "opened", "human": False},
            {"kind": "clicked"},
            {"kind": "submitted"},
        ]
    ),
)
STEPS = st.tuples(
    GAPS, LATE, EVENTS, st.sampled_from(["", "", "", "restart", "publish"]), st.booleans()
)


def bought_in(number: int) -> dict[str, str]:
    """Return the currency of an order, by its number: one of two, or none."""
    return {"currency": ("EUR", "USD")[number % 3]} if number % 3 < 2 else {}


def happenings(start: datetime, drawn: list[Any]) -> list[Happened]:
    """Return the drawn events, in the order in which they are taken; each at a microsecond of its own."""
    now, found = start, []
    for number, (gap, late, fields, _, _) in enumerate(drawn, 1):
        now += timedelta(seconds=gap)
        at = now - timedelta(seconds=late, microseconds=number)
        each = Happened(number, at=at, taken_at=now, **fields)
        if each.name == "Order Completed":
            own = {"order_id": f"o{number}", "total": 25.0} | bought_in(number)
            each = replace(each, properties=each.properties | own)
        if "product_id" in each.properties:
            each = replace(each, properties=each.properties | {"price": 10.0})
        found.append(each)
    return found


def as_record(each: Happened, visitor: str) -> Record:
    """Return an event as the journal holds it."""
    common: dict[str, Any] = {"at": each.at, "taken": each.taken_at}
    fact: dict[str, Any] = {"visitor": visitor, "send_id": f"send-{visitor}"}
    context = dict(each.context)
    if each.kind == "page":
        page = context.get("page", {})
        if page:
            page = {"referrer": "https://www.search.example/find?q=lamp"}
        context["page"] = page | {"path": each.path, "url": f"https://shop.example{each.path}"}
    match each.kind:
        case "page" | "identify" | "track":
            if each.kind == "track":
                common |= {"event": each.name, "properties": each.properties}
            lists = {
                n.removeprefix(LISTS): on for n, on in each.traits.items() if n.startswith(LISTS)
            }
            if each.traits:
                common["traits"] = {n: v for n, v in each.traits.items() if not n.startswith(LISTS)}
            if lists:
                common["lists"] = lists
            kind = "listed" if lists else each.kind
            return a_record(
                each.number, type=kind, anonymousId=f"a-{visitor}", context=context, **common
            )
        case "opened":
            method = "GET" if each.human else "HEAD"
            agent = HUMAN_AGENT
            return a_record(
                each.number, type="mail_opened", user_agent=agent, method=method, **common, **fact
            )
        case "clicked":
            agent, link = HUMAN_AGENT, "https://shop.example/"
            return a_record(
                each.number, type="mail_clicked", user_agent=agent, link=link, **common, **fact
            )
    return a_record(
        each.number,
        type="engaged",
        visitor=visitor,
        engagement_id=f"e{each.number}",
        response="submitted",
        interaction="opinion",
        interaction_type="opinion_form",
        **common,
    )


class Checked(Ann):
    """Step Behavior, and compare what it told with what the history says, whenever it told something."""

    def __init__(
        self, visitor: str, view: View, trees: list[dict[str, Any]], now: datetime
    ) -> None:
        super().__init__(view, visitor)
        self.trees = trees
        self.past: list[Happened] = []
        self.inside: set[str] = set()
        sent = now - timedelta(days=1)
        self.take(MailSent(visitor, now, f"send-{visitor}", "t", "p", "d", sent), now)

    def take(self, message: Any, now: datetime | None = None) -> Any:
        effects = super().take(message, now)
        for effect in effects:
            match effect:
                case Tell(message=CohortEntered(cohort=cohort)):
                    assert cohort not in self.inside
                    self.inside.add(cohort)
                case Tell(message=CohortLeft(cohort=cohort)):
                    self.inside.discard(cohort)
        return effects

    def passes(self, until: datetime, stops: list[float]) -> None:
        """Let time pass: compare after each wake-up and at some moments between."""
        since = self.now
        for stop in sorted(stops):
            at = since + stop * (until - since)
            self._fires(at)
            self.now = at
            self.compare()
        self._fires(until)

    def _fires(self, until: datetime) -> None:
        count = 0
        while due := sorted(at for at in self.wakes.values() if at <= until):
            self.wakes_until(max(due[0], self.now))
            count += 1
            if count < 25:  # of a clock that goes on for weeks the first days will do
                self.compare()

    def compare(self) -> None:
        """Compare what was told with the history."""
        assert sorted(self.inside) == self.state.cohorts
        facts = facts_at(self.now, self.past, self.visitor)
        if self.state.rules_version < 0:
            assert not facts.events, "nobody asks about who was never seen"
            return
        if any(abs(facts.points - bound) < 1e-3 for bound in SCORE_BOUNDS):
            return  # a score is told within a second of passing a bound
        for number, tree in enumerate(self.trees):
            wanted = naive(tree, facts, self.now)
            assert (f"c{number}" in self.inside) == wanted, (tree, self.now, facts)


def live(
    trees: list[dict[str, Any]],
    start: datetime,
    drawn: list[Any],
    stops: list[float],
    merges_after: int,
) -> None:
    """Two visitors, one of whom is merged into the other, on a clock that jumps from event to event."""
    view = a_view_of(trees)
    ann, bob = Checked(ANN, view, trees, start), Checked(BOB, view, trees, start)
    for number, each in enumerate(happenings(start, drawn), 1):
        _, _, _, what, is_bobs = drawn[number - 1]
        is_merged = number > merges_after
        who = bob if is_bobs and not is_merged else ann
        for visitor in (ann, bob) if not is_merged else (ann,):
            visitor.passes(each.taken_at, stops)
        if what == "restart":
            who.state = unpack(pack(who.state))
        if what == "publish":
            version = who.view.rules_version + 1
            who.view = msgspec.structs.replace(who.view, rules_version=version)
        who.past.append(each)
        who.now = each.taken_at
        who.sees(as_record(each, who.visitor))
        who.compare()
        if number == merges_after:
            ann.past += bob.past
            ann.now = each.taken_at
            ann.take(StateMerged(ANN, ann.now, BOB, pack(bob.state)), ann.now)
            ann.compare()
    ann.passes(ann.now + timedelta(days=40), [*stops, 1.0])


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    trees=st.lists(CONDITIONS, min_size=1, max_size=3),
    start=STARTS,
    drawn=st.lists(STEPS, max_size=8),
    stops=st.lists(st.floats(0, 1), max_size=3),
    merges_after=st.integers(0, 8),
)
def test_what_is_told_is_what_the_whole_history_says(
    trees: list[dict[str, Any]],
    start: datetime,
    drawn: list[Any],
    stops: list[float],
    merges_after: int,
) -> None:
    live(trees, start, drawn, stops, merges_after)


A_PAGE = {"kind": "page", "path": "/pricing", "context": {"timezone": "UTC"}}
A_TRACK = {"kind": "track", "name": "Song Played", "context": {"timezone": "UTC"}}


@pytest.mark.parametrize(
    "tree",
    [
        {"not": {"session": {"depth_at_least": 1}}},
        {"any": [{"not": {"session": {"depth_at_least": 1}}}, {"in_cart": True}]},
        {"not": {"session": {"minutes_at_least": 1}}},
        {"all": [{"session": {"number_at_least": 1}}, {"not": {"cohort": "known"}}]},
    ],
)
def test_who_becomes_part_of_a_cohort_by_the_end_of_a_session_is_told(tree: dict[str, Any]) -> None:
    """Nobody knows their address: for Rules the end of such a session is no news."""
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    live([tree], start, [(0, 0, A_PAGE, "", False), (900, 0, A_PAGE, "", False)], [0.5], 0)


PAGE_RULES = st.lists(
    st.builds(
        lambda text, window, least: {"page": {**text, **window, "at_least": least}},
        st.sampled_from([{"starts_with": "/pricing"}, {"contains": "blog"}, {"contains": "i"}]),
        st.sampled_from([{}, {"within_hours": 5}, {"within_days": 3}, {"within_days": 30}]),
        st.integers(1, 60),
    )
    | st.builds(
        lambda texts, least: {"session": {"pages_contain": texts, "pages_at_least": least}},
        st.sampled_from([["pricing"], ["big", "blog"], ["/blog", "pricing"]]),
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=3,
)


def many_pages(bursts: list[tuple[int, str, int, str, bool]]) -> list[Any]:
    """Return pages as they are drawn elsewhere: of each burst so many, a minute apart."""
    return [
        (
            gap if number == 0 else 60,
            0,
            {"kind": "page", "path": path, "context": {"timezone": "UTC"}},
            what if number == 0 else "",
            is_bobs,
        )
        for gap, path, count, what, is_bobs in bursts
        for number in range(count)
    ]


@settings(
    max_examples=max(10, EXAMPLES // 5),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    trees=PAGE_RULES,
    start=STARTS,
    bursts=st.lists(
        st.tuples(
            st.sampled_from([60, 3_600, 40_000, 2 * 86_400]),
            st.sampled_from(PATHS),
            st.integers(5, 30),
            st.sampled_from(["", "", "restart", "publish"]),
            st.booleans(),
        ),
        min_size=3,
        max_size=6,
    ),
    merges_after=st.integers(0, 120),
)
def test_pages_are_counted_however_many_there_were(
    trees: list[dict[str, Any]], start: datetime, bursts: list[Any], merges_after: int
) -> None:
    live(trees, start, many_pages(bursts), [0.5], merges_after)


def _turned(tree: dict[str, Any], *, is_so: bool) -> dict[str, Any]:
    return {"not": tree} if is_so else tree


DEPTH_RULES = st.lists(
    st.builds(
        lambda depth, more, turned: _turned(
            {"session": {"depth_at_least": depth, **more}}, is_so=turned
        ),
        st.integers(1, 12),
        st.sampled_from([{}, {}, {"number_at_least": 2}, {"minutes_at_least": 3}]),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@settings(
    max_examples=max(20, EXAMPLES // 5),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    trees=DEPTH_RULES,
    start=STARTS,
    drawn=st.lists(
        st.tuples(
            st.sampled_from([10, 60, 600, 1_799, 1_800, 2_400, 40_000]),
            st.sampled_from([0, 0, 0, 60, 1_200, 1_900, 4_000, 90_000]),
            st.sampled_from([A_PAGE, A_PAGE, A_PAGE, A_TRACK]),
            st.sampled_from(["", "", "", "restart", "publish"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=30,
    ),
    stops=st.lists(st.floats(0, 1), max_size=2),
    merges_after=st.integers(0, 30),
)
def test_who_asks_for_a_depth_is_asked_whenever_it_is_another_one(
    trees: list[dict[str, Any]],
    start: datetime,
    drawn: list[Any],
    stops: list[float],
    merges_after: int,
) -> None:
    live(trees, start, drawn, stops, merges_after)


def test_a_page_counts_though_a_hundred_others_came_after_it() -> None:
    tree = {"page": {"starts_with": "/pricing", "at_least": 40, "within_days": 3}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    pages = many_pages([(0, "/pricing", 40, "", False), (60, "/", 100, "restart", False)])
    live([tree], start, pages, [0.5], 0)


def test_a_page_of_a_session_counts_though_a_hundred_others_came_after_it() -> None:
    tree = {"session": {"pages_contain": ["blog", "big"], "pages_at_least": 40}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    seen = [(0, "/blog/pricing", 39, "", False), (60, "/", 100, "restart", False)]
    pages = many_pages([*seen, (60, "/pricing/big", 1, "publish", False)])
    live([tree], start, pages, [0.5], 0)


def test_a_late_page_that_joins_two_sessions_joins_what_was_counted_of_them() -> None:
    """Forty minutes lie between the two; what was viewed in the middle of these is told at the end."""
    tree = {"session": {"pages_contain": ["pricing"], "pages_at_least": 70}}
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    pages = many_pages([(0, "/pricing", 40, "", False), (40 * 60, "/pricing", 40, "", True)])
    late = (0, 40 * 60 + 39 * 60 - 20 * 60, A_PAGE, "", False)
    live([tree], start, [*pages, late], [0.5], 99)
    live([tree], start, [*pages, late], [0.5], 60)


def test_points_of_the_naive_score_are_those_of_the_rules() -> None:
    assert POINTS == {"page": 1.0, "Product Added": 5.0}


@pytest.mark.parametrize("seconds", [0, 60])
def test_what_is_put_into_the_cart_without_a_word_about_it_is_a_piece(seconds: int) -> None:
    added = {"kind": "track", "name": "Product Added", "properties": {}}
    drawn = [(0, 0, added, "", False), (seconds, 0, added, "", False)]
    live(
        [{"cart": {"items_at_least": 2}}], datetime(2026, 3, 2, 9, 59, 30, tzinfo=UTC), drawn, [], 0
    )
