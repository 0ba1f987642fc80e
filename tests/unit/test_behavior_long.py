"""Long addresses and long ids: what tells them apart stands at either end, and is not cut off."""

from __future__ import annotations

from typing import Any

from agents.behavior_bot.facts import VisitorFacts
from agents.behavior_bot.state import PATH_CHARACTERS_MAX
from tests.behavior_builders import ANN, Ann, a_page, a_track, a_view_of

LONG = "/en/catalogue/outdoor-and-leisure/jackets/men/alpine-storm-shell-jacket-with-hood/blue/xl"


def in_cohorts(*trees: dict[str, Any]) -> Ann:
    return Ann(a_view_of(list(trees)))


def test_a_rule_sees_both_ends_of_a_long_path():
    ann = in_cohorts(
        {"page": {"contains": "/specification"}}, {"page": {"starts_with": "/en/cata"}}
    )
    ann.sees(a_page(1, path=f"{LONG}/specification"))
    assert {"c0", "c1"} <= set(ann.state.cohorts)
    ann.sees(a_page(2, path=f"{LONG}{LONG}{LONG}/specification"))
    assert len(ann.state.pages[-1][1]) == PATH_CHARACTERS_MAX


def put(number: int, product: str, price: float, name: str = "Product Added") -> Any:
    return a_track(number, name, properties={"product_id": product, "price": price})


def value_of(ann: Ann) -> float:
    facts = VisitorFacts(ANN, ann.state, ann.now.timestamp(), ann.view.rules.scores, "opt-in")
    return facts.cart.value


def test_products_whose_ids_begin_alike_are_not_one_product():
    for before in ("gid://shopify/ProductVariant/", "https://shop.example/products/" + 60 * "x"):
        ann = in_cohorts({"cart": {"value_at_least": 1}})
        ann.sees(put(1, f"{before}111", 10.0), put(2, f"{before}222", 200.0))
        assert value_of(ann) == 210.0
        ann.sees(put(3, f"{before}111", 10.0, "Product Removed"))
        assert value_of(ann) == 200.0
