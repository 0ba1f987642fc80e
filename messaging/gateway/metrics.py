"""Count what the gateway does, for Prometheus. No label holds anything of a visitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector as PrometheusCollector

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SIZES = (1, 10, 50, 100, 200, 500, 1_000, 2_000, 4_000)

Readings = Callable[[], dict[str, dict[str, float]]]
"""Gives gauge -> {label value: reading} at the moment of the scrape."""


class GatewayMetrics:
    """Hold the gateway's own registry and its series."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mdma_requests", "Requests answered", ["route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "mdma_request_seconds",
            "Seconds from head to answer; for the tracking routes that is the acknowledgement",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._series: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        events = Counter(
            "mdma_gateway_events",
            "Events by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self.taken = events.labels("taken")
        self.repeated = events.labels("repeated")
        self.rejected = events.labels("rejected")
        self.refused = events.labels("refused")
        """Not taken for want of room or of a journal; the client was told to try again."""
        self.commit_seconds = Histogram(
            "mdma_journal_commit_seconds",
            "Seconds of one insert",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.commit_events = Histogram(
            "mdma_journal_commit_events",
            "Events of one insert",
            buckets=SIZES,
            registry=self.registry,
        )
        self.hooks = Counter(
            "mdma_hooks",
            "Webhooks by source and what became of them",
            ["source", "outcome"],
            registry=self.registry,
        )
        self.hints = Counter(
            "mdma_handover_hints",
            "Times a slow shard got a hint for payload",
            registry=self.registry,
        )

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one request. The series are few: patterns of routes, not paths."""
        series = self._series.get((route, status))
        if series is None:
            series = self._series[route, status] = (
                self.requests.labels(route, status),
                self.request_seconds.labels(route),
            )
        series[0].inc()
        series[1].observe(seconds)

    def read(self, readings: Readings) -> None:
        """Report gauges that are read when somebody scrapes."""
        self.registry.register(_Gauges(readings))

    def total(self, outcome: str) -> int:
        """Return how many events came to `taken`, `repeated`, `rejected` or `refused` so far."""
        labels = {"outcome": outcome}
        return int(self.registry.get_sample_value("mdma_gateway_events_total", labels) or 0)

    def text(self) -> str:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry).decode()


def gauges(readings: dict[str, dict[str, float]]) -> str:
    """Return readings that were taken already, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Gauges(lambda: readings))
    return generate_latest(registry).decode()


class _Gauges(PrometheusCollector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        for name, values in self._readings().items():
            gauge = GaugeMetricFamily(name, name.replace("_", " "), labels=["of"])
            for label, value in values.items():
                gauge.add_metric([label], value)
            yield gauge
