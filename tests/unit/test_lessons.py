"""What a moment led to: an opportunity by a stage or by buying, a customer by an order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.rules_manager.state import RulesState, Run
from agents.runtime.lessons import got_there_at
from agents.sales_bot.state import Order, SalesState
from learning.serving.probability import POLICIES
from tests.behavior_builders import default_rules

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OPPORTUNITY, CUSTOMER = POLICIES


def came_to(stage: str, at: datetime) -> RulesState:
    """Return who came to a stage of the shipped path."""
    path = "lead-to-customer"
    run = Run(path, 1, "1", NOON, stage, "waiting", holdout=False, reached={stage: at})
    return RulesState("ann", runs={path: run})


def bought(at: datetime, *, counted: bool = True) -> SalesState:
    """Return who ordered."""
    return SalesState(orders={"o1": Order(9.0, at, counted)})


@pytest.mark.parametrize(
    ("in_rules", "in_sales", "opportunity", "customer"),
    [
        (None, None, None, None),
        (came_to("talk", NOON), None, NOON, None),
        (came_to("intro", NOON), None, None, None),
        (came_to("talk", NOON), bought(NOON + DAY), NOON, NOON + DAY),
        (came_to("talk", NOON + DAY), bought(NOON), NOON, NOON),
        (came_to("intro", NOON), bought(NOON + DAY), NOON + DAY, NOON + DAY),
        (None, bought(NOON), NOON, NOON),
        (None, bought(NOON, counted=False), None, None),
    ],
)
def test_who_bought_was_an_opportunity_at_the_latest_then(
    in_rules: RulesState | None,
    in_sales: SalesState | None,
    opportunity: datetime | None,
    customer: datetime | None,
):
    """No label may say customer and not opportunity: the one is a part of the other."""
    rules = default_rules()
    assert got_there_at(OPPORTUNITY, in_rules, in_sales, rules) == opportunity
    assert got_there_at(CUSTOMER, in_rules, in_sales, rules) == customer
