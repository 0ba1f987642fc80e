"""Show a part's numbers in Ray's metrics, and derive rates from totals. No label holds a visitor."""

from __future__ import annotations

import time

from ray.util.metrics import Gauge

RATE_OF = "processed_total"


class Gauges:
    """Hold one gauge for each number of a part.

    Parameters:
        name: the part's name, the value of the label `shard`.
        kind: its bot, the value of the label `bot`.
    """

    def __init__(self, name: str, kind: str) -> None:
        self._tags = {"shard": name, "bot": kind}
        self._gauges: dict[str, Gauge] = {}
        self._before: tuple[float, float] | None = None

    def show(self, metrics: dict[str, float]) -> dict[str, float]:
        """Set every gauge and return the numbers, `rate` (per second since the last time) among them."""
        now = time.monotonic()
        total = metrics.get(RATE_OF, 0.0)
        then, before = self._before or (now, total)
        self._before = (now, total)
        passed = now - then
        shown = metrics | {"rate": (total - before) / passed if passed > 0 else 0.0}
        for key, value in shown.items():
            self._gauge(key).set(value, self._tags)
        return shown

    def _gauge(self, key: str) -> Gauge:
        if key not in self._gauges:
            self._gauges[key] = Gauge(
                f"mdma_{key}", f"{key.replace('_', ' ')} of a part", ("shard", "bot")
            )
        return self._gauges[key]
