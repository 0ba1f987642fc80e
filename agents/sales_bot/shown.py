"""Show a visitor's orders with their refunds and credit, in the shape of the admin API."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agents.sales_bot.state import SalesState, issue_of, left_of, refunded, revenues

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
            "issue": issue_of(state, key),
            "is_unnamed": order.is_unnamed,
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


def revenue_of(state: SalesState) -> dict[str, Any]:
    """Return what is left of all orders: `revenues` by currency, `revenue` in that of most orders."""
    found = revenues(state)
    counted = Counter(order.currency for order in state.orders.values() if order.counted)
    main = min(found, key=lambda currency: (-counted[currency], currency), default="")
    return {"revenue": found.get(main, 0.0), "revenues": found}


def figures_of(state: SalesState) -> dict[str, float]:
    """Return what a visitor counts as.

    `orders`, those `unread` among them, and by currency: `orders/<currency>`, `revenue/<currency>`,
    `refunded/<currency>`, `credit/<way>/<currency>/<template>`. But for orders and revenue, those are of the remembered
    orders.
    """
    if not state.orders_count:
        return {}
    figures = {"orders": float(state.orders_count)}
    figures |= {f"revenue/{currency}": left for currency, left in revenues(state).items()}

    def add(name: str, value: float) -> None:
        figures[name] = figures.get(name, 0.0) + value

    for order in orders_of(state):
        currency = order["currency"]
        add(f"orders/{currency}", 1.0)
        add(f"refunded/{currency}", order["refunded"])
        if order["issue"]:
            add("unread", 1.0)
        for each in order["credits"]:
            for way in WAYS:
                add(f"credit/{way}/{currency}/{each['template']}", each[way])
    return figures
