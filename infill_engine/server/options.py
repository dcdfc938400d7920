"""Settings of the engine's process. Knows nothing of where they come from."""

from dataclasses import dataclass

from infill_engine.api import MAX_BATCH_LIMIT, ConfigError

DEFAULT_MODEL = "embedded"
DEFAULT_DEVICE = "auto"
DEFAULT_IDLE_EXIT_MINUTES = 30.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How to serve one model.

    Attributes:
        model: "embedded" or a folder in the official layout.
        device: "auto", "cpu", "cuda" or "cuda:1".
        dtype: "auto", "float32", "bfloat16"; on a CPU also "int8", on a GPU "fp8" and "int4".
        kv_cache: "auto" or, on a GPU, "fp8".
        num_threads: CPU threads of the model; None lets the engine choose.
        max_context_tokens: prompt tokens kept; None takes the model's own number.
        max_batch: requests that run at once, 1 to 64; None lets the engine choose.
        kv_slots: prompts kept for reuse, at least `max_batch`; None lets the engine choose.
        port: TCP port on 127.0.0.1; 0 takes a free one.
        idle_exit_minutes: minutes without a request after which the process ends; 0 never.
        max_queued_requests: requests that may wait; one more is refused as busy.
        max_request_bytes: largest request body; three times the longest text `api` accepts
            would be over it, which is far above what any token budget keeps.
    """

    model: str = DEFAULT_MODEL
    device: str = DEFAULT_DEVICE
    dtype: str = "auto"
    kv_cache: str = "auto"
    num_threads: int | None = None
    max_context_tokens: int | None = None
    max_batch: int | None = None
    kv_slots: int | None = None
    port: int = 0
    idle_exit_minutes: float = DEFAULT_IDLE_EXIT_MINUTES
    max_queued_requests: int = 8
    max_request_bytes: int = 20_000_000

    def __post_init__(self) -> None:
        """Refuse values nobody can mean; raises ConfigError."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}; allowed is 0 (a free one) to 65535.")
        if self.num_threads is not None and self.num_threads < 1:
            raise ConfigError(f"num_threads is {self.num_threads}; allowed is 1 and more.")
        if self.max_batch is not None and not 1 <= self.max_batch <= MAX_BATCH_LIMIT:
            raise ConfigError(f"max_batch is {self.max_batch}; allowed is 1 to {MAX_BATCH_LIMIT}.")
        if not self.idle_exit_minutes >= 0:
            raise ConfigError(
                f"idle_exit_minutes is {self.idle_exit_minutes:g}; allowed is 0 (never) and more."
            )
        if self.max_queued_requests < 1:
            raise ConfigError(
                f"max_queued_requests is {self.max_queued_requests}; allowed is 1 and more."
            )
