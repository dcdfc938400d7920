"""What the gateway counts, in Prometheus' text format: numbers only, of no user in particular."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from infill_cluster.gateway.outcome import Outcome
from infill_cluster.routing import Placement

_SECONDS_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class GatewayMetrics:
    """The metrics of one gateway, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "infill_gateway_requests",
            "Requests ended, by outcome (finish reason, error code or disconnected).",
            ["outcome"],
            registry=self._registry,
        )
        self._seconds = self._histogram("infill_gateway_request", "Seconds until the answer ended.")
        self._first = self._histogram("infill_gateway_first_event", "Seconds to the first event.")
        self._tokens = Counter(
            "infill_gateway_tokens", "Tokens generated.", registry=self._registry
        )
        self._prompt_tokens = Counter(
            "infill_gateway_prompt_tokens",
            "Prompt tokens, by source: found in a replica's KV cache or prefilled.",
            ["source"],
            registry=self._registry,
        )
        self._retries = Counter(
            "infill_gateway_retries",
            "Requests begun anew because their replica was lost.",
            registry=self._registry,
        )

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read whenever the metrics are."""
        Gauge(name, help_text, registry=self._registry).set_function(read)

    def watch_placements(self, read: Callable[[], Mapping[Placement, int]]) -> None:
        """Add a counter of requests by where they were sent; hits of all is the hit rate."""
        self.watch_counts(
            "infill_gateway_placements",
            "Requests by replica: hit is the one whose KV cache has the document.",
            "placement",
            read,
        )

    def watch_counts(
        self, name: str, help_text: str, label: str, read: Callable[[], Mapping[Any, int]]
    ) -> None:
        """Add counters that are read whenever the metrics are, told apart by a label."""
        self._registry.register(_Counts(name, help_text, label, read))

    def count(self, outcome: Outcome) -> None:
        """Count a request that ended, in whatever way."""
        self._requests.labels(outcome.name).inc()
        self._retries.inc(outcome.num_retries)
        if outcome.first_event_s is not None:
            self._first.observe(outcome.first_event_s)
            self._seconds.observe(outcome.elapsed_s)
        self._tokens.inc(outcome.num_tokens)
        self._prompt_tokens.labels("cached").inc(outcome.cached_tokens)
        self._prompt_tokens.labels("prefilled").inc(outcome.prefilled_tokens)

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, help_text: str) -> Histogram:
        return Histogram(
            f"{name}_seconds", help_text, buckets=_SECONDS_BUCKETS, registry=self._registry
        )


class _Counts(Collector):
    def __init__(
        self, name: str, help_text: str, label: str, read: Callable[[], Mapping[Any, int]]
    ) -> None:
        self._name, self._help_text, self._label, self._read = name, help_text, label, read

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._help_text, labels=[self._label])
        for value, num in self._read().items():
            family.add_metric([value], num)
        return [family]
