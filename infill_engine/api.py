"""The contract between whoever wants a gap filled and the engine that fills it.

Plain frozen dataclasses and one tree of errors. Standard library only, so that the language
server can import it without loading torch. Knows nothing of tokens, tensors or transport.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

Mode = Literal["line", "block", "rewrite"]
FinishReason = Literal["converged", "line_settled", "max_steps", "unsure", "deadline", "cancelled"]

MODES: tuple[Mode, ...] = ("line", "block", "rewrite")
MAX_NEW_TOKENS_LIMIT = 1024
"""Most tokens a request may ask for: four full canvases of the 26 B checkpoint."""
MAX_BATCH_LIMIT = 64
"""Most requests one engine may run at once."""
MAX_TEXT_CHARS = 8_000_000
"""Longest prefix, suffix or selection accepted; far above what any token budget keeps."""
MAX_NAME_CHARS = {"language_id": 100, "path": 4096, "instruction": 20_000}
"""Longest short texts accepted: they go into the prompt whole, beside its token budget."""
SEED_RANGE = (-(2**63), 2**64 - 1)
"""What torch's random generators take."""
MAX_TEMPERATURE = 2.0
"""Hottest denoising accepted; at 1 tokens are drawn as probable as the model takes them to be."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Context from elsewhere: `text` from the file at `path`."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class InfillRequest:
    """One gap to fill.

    Attributes:
        prefix: all text before the gap; the engine keeps what is nearest the cursor.
        suffix: all text after the gap; likewise.
        language_id: LSP language identifier ("python"), empty when unknown.
        path: workspace-relative path of the document, a hint for the model.
        snippets: other context, most useful first; dropped from the end when over budget.
        mode: "line" ends with the first settled line; "block" lets the model choose its end;
            "rewrite" replaces `selection` as `instruction` asks.
        selection: text being replaced (rewrite only; empty otherwise).
        instruction: what the user wants done with the selection (rewrite only).
        draft: text to start the canvases from, partly renoised; empty starts from noise.
        draft_strength: 0 to 1, the share of the draft that is renoised: 0 begins with all of it,
            1 with none.
        max_new_tokens: upper bound on the middle, 1 to `MAX_NEW_TOKENS_LIMIT` tokens.
        deadline_ms: milliseconds after which the best text so far is returned; None waits.
        seed: same seed, weights and device give the same text.
        temperature: of every denoising step, 0 to `MAX_TEMPERATURE`, 0 being greedy; None denoises
            as the checkpoint wants. Above 0 another seed is another try, and nothing is taken over
            from the file without being sampled.
        least_confidence: 0 to 1; once the text so far is right with a lower probability, the
            engine ends there ("unsure"), as nobody would show the rest. 0 asks for all of it; a
            line ends where it has become hopeless even so. A checkpoint that is not calibrated
            pays no heed.
    """

    prefix: str
    suffix: str
    language_id: str = ""
    path: str = ""
    snippets: tuple[Snippet, ...] = ()
    mode: Mode = "line"
    selection: str = ""
    instruction: str = ""
    draft: str = ""
    draft_strength: float = 0.5
    max_new_tokens: int = 64
    deadline_ms: int | None = None
    seed: int = 0
    temperature: float | None = None
    least_confidence: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no engine could serve.

        Raises:
            RequestInvalid: a field is outside its range; the message names field, value and range.
            RequestTooLarge: a text is longer than `MAX_TEXT_CHARS` or `MAX_NAME_CHARS`.
        """
        if self.mode not in MODES:
            raise RequestInvalid(f"mode is {self.mode!r}; allowed are {', '.join(MODES)}.")
        if not 1 <= self.max_new_tokens <= MAX_NEW_TOKENS_LIMIT:
            raise RequestInvalid(
                f"max_new_tokens is {self.max_new_tokens}; allowed is 1 to {MAX_NEW_TOKENS_LIMIT}."
            )
        if self.deadline_ms is not None and self.deadline_ms <= 0:
            raise RequestInvalid(
                f"deadline_ms is {self.deadline_ms}; give a positive number, or none to wait."
            )
        if self.temperature is not None and not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise RequestInvalid(
                f"temperature is {self.temperature}; allowed is 0 to {MAX_TEMPERATURE:g}, "
                "or none for the checkpoint's own."
            )
        if not 0 <= self.least_confidence <= 1:
            raise RequestInvalid(f"least_confidence is {self.least_confidence}; allowed is 0 to 1.")
        if not 0 <= self.draft_strength <= 1:
            raise RequestInvalid(f"draft_strength is {self.draft_strength}; allowed is 0 to 1.")
        if self.mode != "rewrite" and (self.selection or self.instruction):
            raise RequestInvalid(
                f"selection and instruction belong to mode 'rewrite', but mode is {self.mode!r}."
            )
        if not SEED_RANGE[0] <= self.seed <= SEED_RANGE[1]:
            raise RequestInvalid(
                f"seed has too many digits; allowed is {SEED_RANGE[0]} to {SEED_RANGE[1]}."
            )
        for name, max_chars in MAX_NAME_CHARS.items():
            num_chars = len(getattr(self, name))
            if num_chars > max_chars:
                raise RequestTooLarge(
                    f"{name} has {num_chars} characters; at most {max_chars} are accepted. "
                    "Shorten it."
                )
        for name in ("prefix", "suffix", "selection", "draft"):
            num_chars = len(getattr(self, name))
            if num_chars > MAX_TEXT_CHARS:
                raise RequestTooLarge(
                    f"{name} has {num_chars} characters; at most {MAX_TEXT_CHARS} are accepted. "
                    "Send only the text around the cursor."
                )


@dataclass(frozen=True, slots=True)
class InfillUpdate:
    """State after one denoising step.

    Attributes:
        step_idx: denoising step within the request, from 0, over all canvases.
        canvas_idx: which canvas is being denoised, from 0.
        text: the middle as it stands: committed canvases, then the argmax canvas to its end mark.
        settled_chars: leading characters of `text` that will not change any more.
        token_entropies: nats, one per canvas position, in order.
        num_accepted: canvas positions accepted in this step.
        token_chars: characters of `text` that each canvas position spells, in order; 0 from the
            end mark on. Their sum is less than the text's length by what came before the canvas.
        leading_confidence: as a result's, of what has settled so far.
    """

    step_idx: int
    canvas_idx: int
    text: str
    settled_chars: int
    token_entropies: tuple[float, ...]
    num_accepted: int
    token_chars: tuple[int, ...] = ()
    leading_confidence: tuple[tuple[int, float], ...] = ()

    def num_trusted_chars(self, least_confidence: float) -> int:
        """Settled characters of `text` that are right with at least this probability, 0 to 1."""
        trusted = _num_trusted(self.leading_confidence, self.settled_chars, least_confidence)
        return min(trusted, self.settled_chars)


@dataclass(frozen=True, slots=True)
class InfillResult:
    """The filled gap and what it cost.

    Attributes:
        text: the middle; insert it between prefix and suffix (or in place of the selection).
        finish_reason: why denoising ended.
        num_steps: denoising steps over all canvases.
        num_canvases: canvases started.
        num_tokens: tokens in `text`.
        cached_tokens: prompt tokens found in the KV cache.
        prefilled_tokens: prompt tokens computed for this request.
        mean_entropy: mean nats over the middle's tokens when each was last decoded; low is sure.
        timings_ms: "prefill", "denoise", "total".
        leading_confidence: pairs of leading characters of `text` and the probability that they
            are right, characters growing; where it has become tiny the pairs end. Empty where the
            checkpoint is not calibrated, which claims nothing.
        drafted_tokens: leading tokens copied from elsewhere in the file, which needed no denoising.
    """

    text: str
    finish_reason: FinishReason
    num_steps: int
    num_canvases: int
    num_tokens: int
    cached_tokens: int
    prefilled_tokens: int
    mean_entropy: float
    timings_ms: dict[str, float] = field(default_factory=dict)
    leading_confidence: tuple[tuple[int, float], ...] = ()
    drafted_tokens: int = 0

    def num_trusted_chars(self, least_confidence: float) -> int:
        """Leading characters of `text` that are right with at least this probability, 0 to 1.

        All of them for 0, and where the checkpoint claims nothing.
        """
        return _num_trusted(self.leading_confidence, len(self.text), least_confidence)


def _num_trusted(
    leading_confidence: tuple[tuple[int, float], ...], num_chars: int, least_confidence: float
) -> int:
    if not leading_confidence or least_confidence <= 0:
        return num_chars
    return max((chars for chars, p in leading_confidence if p >= least_confidence), default=0)


class CancelToken:
    """Set from any thread; the engine polls it between denoising steps."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the engine to stop within one denoising step."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` has been called."""
        return self._event.is_set()


class InfillEngine(Protocol):
    """What the engine's process and the tests need of an engine."""

    def infill(self, request: InfillRequest, cancel: CancelToken | None = None) -> InfillResult:
        """Fill the gap and return the final text."""
        ...

    def stream(
        self, request: InfillRequest, cancel: CancelToken | None = None
    ) -> Iterator[InfillUpdate | InfillResult]:
        """Yield an update after every denoising step, then exactly one result."""
        ...


class InfillError(Exception):
    """Root of all errors a user may see; `str(error)` is one clear sentence or two."""

    code = "internal"


class ConfigError(InfillError):
    """A setting is wrong; names the setting, the value and what is allowed."""

    code = "config"


class CheckpointError(InfillError):
    """Model files are missing, damaged or do not fit the configuration."""

    code = "checkpoint"


class RequestInvalid(InfillError):
    """A request field is outside its range."""

    code = "request_invalid"


class RequestTooLarge(InfillError):
    """A request is over a size limit; names the limit."""

    code = "request_too_large"


class EngineBusy(InfillError):
    """The engine's queue is full; trying again later helps."""

    code = "engine_busy"


class EngineUnavailable(InfillError):
    """No engine answers: not started, still loading, killed or out of reach."""

    code = "engine_unavailable"


class OutOfMemory(InfillError):
    """The device has too little memory for the model or the request."""

    code = "out_of_memory"
