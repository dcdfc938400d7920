"""Counters and timings of the engine's process in Prometheus' text format.

Holds numbers only, never a path or a character of code.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from infill_engine.api import InfillResult, Mode

# From one warm keystroke on the embedded model to a long block on a CPU.
_SECONDS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)


class EngineMetrics:
    """The metrics of one engine, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "infill_requests",
            "Requests ended, by mode and outcome (finish reason or error code).",
            ["mode", "outcome"],
            registry=self._registry,
        )
        self._queue_wait = self._histogram("infill_queue_wait", "Seconds a request waited.")
        self._prefill = self._histogram("infill_prefill", "Seconds of prefill per request.")
        self._denoise = self._histogram("infill_denoise", "Seconds of denoising per request.")
        self._total = self._histogram("infill_request", "Seconds in the engine per request.")
        self._steps = Counter(
            "infill_denoising_steps", "Denoising steps run.", registry=self._registry
        )
        self._rows_per_step = Histogram(
            "infill_rows_per_step",
            "Requests that took part in a denoising step.",
            buckets=_ROWS_BUCKETS,
            registry=self._registry,
        )
        self._tokens = Counter("infill_tokens", "Tokens generated.", registry=self._registry)
        self._prompt_tokens = Counter(
            "infill_prompt_tokens",
            "Prompt tokens, by source: found in the KV cache or prefilled.",
            ["source"],
            registry=self._registry,
        )
        self._num_prompt_tokens = {"cached": 0, "prefilled": 0}
        self.watch(
            "infill_cache_hit_ratio",
            "Share of all prompt tokens so far that were found in the KV cache.",
            lambda: self.cache_hit_ratio,
        )
        self._load_seconds = Gauge(
            "infill_model_load_seconds", "Seconds the model took to load.", registry=self._registry
        )

    @property
    def cache_hit_ratio(self) -> float:
        """Share of the prompt tokens so far found in the KV cache, 0 to 1; 0 before any."""
        num_cached, num_prefilled = self._num_prompt_tokens.values()
        return num_cached / max(1, num_cached + num_prefilled)

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read whenever the metrics are."""
        Gauge(name, help_text, registry=self._registry).set_function(read)

    def count_loaded(self, seconds: float) -> None:
        """Note how long the model took to load."""
        self._load_seconds.set(seconds)

    def count_result(self, mode: Mode, result: InfillResult, waited_s: float) -> None:
        """Count a request that ended with a result."""
        self._requests.labels(mode, result.finish_reason).inc()
        self._queue_wait.observe(waited_s)
        self._prefill.observe(result.timings_ms.get("prefill", 0.0) / 1000)
        self._denoise.observe(result.timings_ms.get("denoise", 0.0) / 1000)
        self._total.observe(result.timings_ms.get("total", 0.0) / 1000)
        self._steps.inc(result.num_steps)
        self._tokens.inc(result.num_tokens)
        num_tokens = {"cached": result.cached_tokens, "prefilled": result.prefilled_tokens}
        for source, num in num_tokens.items():
            self._prompt_tokens.labels(source).inc(num)
            self._num_prompt_tokens[source] += num

    def count_step(self, num_rows: int) -> None:
        """Count a denoising step that so many requests took part in."""
        self._rows_per_step.observe(num_rows)

    def count_error(self, mode: str, code: str) -> None:
        """Count a request that ended with an error; `mode` is "unknown" for unreadable ones."""
        self._requests.labels(mode, code).inc()

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, help_text: str) -> Histogram:
        return Histogram(
            f"{name}_seconds", help_text, buckets=_SECONDS_BUCKETS, registry=self._registry
        )
