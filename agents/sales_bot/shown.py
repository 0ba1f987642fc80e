"""Show a visitor's orders with their refunds and credit, in the shape of the admin API."""

from __future__ import annotations

from typing import Any

from agents.sales_bot.state import SalesState, left_of, refunded

UNKNOWN = "unknown"
"""Stands for the template of a send that was answered before Sales heard of its hand-over."""

WAYS = ("last_touch", "linear")
"""In which an order's credit is shared out."""


def orders_of(state: SalesState) -> list[dict[str, Any]]:
    """Return the remembered orders, oldest first; goals that are no purchase are none."""
    found = []
    for key, order in sorted(state.orders.items(), key=lambda each: (each[1].at, each[0])):
        if not order.counted:
            continue
        left = left_of(state, key)
        share = left / len(order.credits) if order.credits else 0.0
        last = order.credits[-1] if order.credits else None
        row = {
            "order_id": key,
            "at": order.at,
            "value": order.value,
            "currency": order.currency,
            "refunded": refunded(state, key),
            "left": left,
            "last_touch": last.send_id if last is not None else None,
            "credits": [
                {
                    "send_id": each.send_id,
                    "template": each.template or UNKNOWN,
                    "last_touch": left if each is last else 0.0,
                    "linear": share,
                }
                for each in order.credits
            ],
        }
        found.append(row)
    return found


def figures_of(state: SalesState) -> dict[str, float]:
    """Return what a visitor counts as: `orders`, `revenue`, `refunded`, and `credit/<way>/<template>`.

    Refunds and credit are those of the remembered orders.
    """
    if not state.orders_count:
        return {}
    figures = {"orders": float(state.orders_count), "revenue": state.revenue, "refunded": 0.0}
    for order in orders_of(state):
        figures["refunded"] += order["refunded"]
        for each in order["credits"]:
            for way in WAYS:
                name = f"credit/{way}/{each['template']}"
                figures[name] = figures.get(name, 0.0) + each[way]
    return figures
