"""Draw rules: every condition that can be written, nested in any way."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

EVENTS = [
    "Product Added",
    "Order Completed",
    "Form Sent",
    "page",
    "mail_opened",
    "mail_clicked",
    "engagement_submitted:opinion_form",
]
ZONES = [  # clocks leap in Havana and Cairo at midnight, in Lord Howe by half an hour
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]


def windowed(base: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    window = st.one_of(
        st.just({}),
        st.builds(lambda h: {"within_hours": h}, st.sampled_from([1, 5, 24, 30, 168, 169, 200])),
        st.builds(lambda d: {"within_days": d}, st.sampled_from([1, 3, 7, 8, 30])),
    )
    return st.builds(lambda left, right: left | right, base, window)


def since(base: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw what may also be asked since a run began."""
    return windowed(base) | base.map(lambda asked: asked | {"since_entry": True})


def having(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


NAMES = st.sampled_from(EVENTS)
PROPERTIES = st.sampled_from(
    [
        {"size": 5},
        {"size": "5", "color": "red"},
        {"color": "blue"},
        {"size": {"at_least": 4, "at_most": 5.5}},
        {"size": {"between": [5, 6]}},
        {"color": {"starts_with": "BL"}},
        {"color": {"ends_with": "d"}, "size": {"exists": True}},
        {"color": {"matches": "^(r|b)[a-z]+$"}},
        {"size": {"exists": False}},
    ]
)
ASKED = st.sampled_from(
    [
        {"equals": "rio"},
        {"in": [30, "Rio"]},
        {"contains": "I"},
        {"starts_with": "ber"},
        {"ends_with": "o"},
        {"matches": "^R[ij]o$"},
        {"exists": True},
        {"exists": False},
        {"at_least": 30},
        {"at_most": 29.5},
        {"at_least": 1, "at_most": 30},
        {"between": [29.5, 30]},
        {"between": [-3, 29]},
    ]
)
STEPS = st.one_of(
    st.sampled_from(["Product Added", "Order Completed", "Form Sent"]),
    st.builds(lambda p: {"name": "Product Added", "properties": p}, PROPERTIES),
    st.sampled_from([{"page": {"starts_with": "/pricing"}}, {"page": {"contains": "big"}}]),
)
DATES = st.sampled_from(
    [
        {"trait": "renewal"},
        {"trait": "city"},
        {"first": "Form Sent"},
        {"last": "Product Added"},
        {"of": "first_seen"},
        {"of": "last_seen"},
        {"of": "last_order"},
    ]
)
FIXED = st.sampled_from(
    [
        {"before": "2026-03-04"},
        {"after": "2026-03-04"},
        {"after": "2026-03-28"},
        {"between": ["2026-02-28", "2026-03-05"]},
        {"between": ["2026-03-08", "2026-03-29"]},
    ]
)
MOVING = st.one_of(
    st.builds(
        lambda name, count: {name: count},
        st.sampled_from(["in_last_days", "in_next_days", "anniversary_in_days"]),
        st.sampled_from([0, 1, 5, 30]),
    ),
    st.builds(
        lambda name, count: {name: count},
        st.sampled_from(["days_after", "days_after_anniversary"]),
        st.sampled_from([-30, -1, 0, 1, 30]),
    ),
    st.builds(
        lambda name, count: {name: count},
        st.sampled_from(["in_last_hours", "in_next_hours"]),
        st.sampled_from([1, 24, 300]),
    ),
)
SOME = st.integers(1, 3)
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "probability": st.builds(
        lambda of, band: {"of": of} | band,
        st.sampled_from(["opportunity", "customer"]),
        st.sampled_from([{"from": 0.25}, {"to": 0.25}, {"from": 0.25, "to": 1.0}, {"from": 0.0}]),
    ),
    "lifecycle": st.sampled_from(["unknown", "lead", "customer"]),
    "known": st.sampled_from(["email", "user_id"]),
    "may_email": st.booleans(),
    "in_cart": st.booleans(),
    "trait": st.builds(
        lambda name, asked: {"name": name} | asked,
        st.sampled_from(["city", "vip", "age"]),
        ASKED | st.just({"equals": True}) | st.just({"changed": {"within_days": 3}}),
    ),
    "in_list": st.sampled_from(["vip", "beta"]),
    "referrer": st.sampled_from([{"contains": "Search"}, {"exists": False}]),
    "search_term": st.sampled_from(["lamp", {"ends_with": "p"}]),
    "city": ASKED,
    "sequence": windowed(
        st.fixed_dictionaries(
            {"steps": st.lists(STEPS, min_size=2, max_size=3)},
            optional={"span_hours": st.sampled_from([1, 24, 200]), "same": st.just("color")},
        )
    ),
    "unfinished": st.fixed_dictionaries(
        {
            "start": st.just("Product Added"),
            "finish": st.sampled_from(["Order Completed", "Form Sent"]),
            "after_hours": st.sampled_from([1, 24]),
        },
        optional={"same": st.just("color"), "within_days": st.sampled_from([3, 9])},
    ),
    "date": st.one_of(
        st.builds(lambda a, b: a | b, DATES, MOVING | FIXED),
        FIXED.map(lambda asked: {"of": "now"} | asked),
    ),
    "clock": st.sampled_from(
        [
            {"weekdays": ["wed", "sat"]},
            {"hours": {"from": 9, "to": 17}},
            {"hours": {"from": 23, "to": 1}},
            {"weekdays": ["sun"], "hours": {"from": 1, "to": 3}},
            {"weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        ]
    ),
    "cart": st.sampled_from(
        [
            {"items_at_least": 2},
            {"value_at_least": 10.0, "value_at_most": 50.0},
            {"contains": "lamp"},
            {"contains": {"starts_with": "cu"}},
        ]
    ),
    "event": since(
        st.builds(
            lambda a, b: a | b,
            having(at_least=SOME, properties=PROPERTIES, same=st.just("color")),
            having(at_most=st.integers(3, 4)),
        )
    ).flatmap(lambda asked: NAMES.map(lambda name: asked | {"name": name})),
    "not_event": since(having(properties=PROPERTIES)).flatmap(
        lambda asked: NAMES.map(lambda name: asked | {"name": name})
    ),
    "responded": since(
        st.builds(
            lambda kind, more: kind | more,
            st.sampled_from(
                [
                    {"kind": "opened"},
                    {"kind": "clicked"},
                    {"kind": "submitted", "to": "opinion_form"},
                ]
            ),
            having(at_least=SOME),
        )
    )
    | st.just({"kind": "opened", "by": "machine", "at_least": 2}),
    "page": since(
        st.sampled_from(
            [
                {"starts_with": "/pricing"},
                {"contains": "pricing"},
                {"contains": "big", "at_least": 2},
                {"starts_with": "/pricing", "seconds_at_least": 20},
            ]
        )
    ),
    "cohort": st.just("known"),
    "score": st.sampled_from(
        [{"from": 8.0}, {"to": 8.0}, {"from": 2.0, "to": 8.0}, {"from": -4.0, "to": 0.5}]
    ).map(lambda asked: asked | {"name": "interest"}),
    "session": st.sampled_from(
        [
            {"number_at_least": 2},
            {"number_at_most": 2},
            {"minutes_at_least": 3},
            {"number_at_least": 1, "depth_at_least": 3},
            {"depth_at_least": 1, "pages_contain": ["pricing", "/b"]},
            {"pages_contain": ["big"], "pages_at_least": 2},
        ]
    ),
    "orders": st.sampled_from(
        [
            {"at_least": 1},
            {"value_at_least": 50.0},
            {"at_least": 2},
            {"at_most": 0},
            {"value_at_most": 49.9},
        ]
    ),
    "campaign": st.sampled_from([{"source": "news"}, {"source": "ads", "medium": "cpc"}]),
    "country": st.sampled_from(["BR", "no"]),
    "locale": st.sampled_from(["pt", "pt-BR", "en"]),
    "device": st.sampled_from(["phone", "tablet", "desktop"]),
    "social": st.sampled_from(
        [
            {"presence": "awaited"},
            {"presence": "unknown"},
            {"presence": "found", "profile": "personal"},
            {"presence": "none"},
            {"activity": "dormant"},
        ]
    ),
    "share": st.sampled_from([{"salt": "a", "to": 0.5}, {"salt": "b", "from": 0.3}]),
}

LEAF = st.one_of([value.map(lambda v, k=key: {k: v}) for key, value in LEAVES.items()])
CONDITIONS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)
