"""The engine: prompt, prefill, canvas, denoising, text. Read `stream` first.

Takes and returns plain data. Knows nothing of LSP, HTTP or processes; does no file or network
access once loaded.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from infill_kernels.backend import choose_kernels

from infill_engine.anchoring import choose_gap
from infill_engine.api import (
    CancelToken,
    CheckpointError,
    FinishReason,
    InfillRequest,
    InfillResult,
    InfillUpdate,
)
from infill_engine.canvas import Canvas
from infill_engine.canvas_layout import CanvasLayout
from infill_engine.config import EngineConfig
from infill_engine.denoising import denoise
from infill_engine.drafting import Drafter, JudgedDraft
from infill_engine.forward.choice import choose_forward
from infill_engine.generation_config import GenerationConfig, read_generation_config
from infill_engine.gpu_format import GpuFormat
from infill_engine.middle import Ending, Middle
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model_loading import describe_weights, load_configured, out_of_memory
from infill_engine.prompt.chat_prompt import ChatPrompt
from infill_engine.prompt.prompt import PromptStrategy
from infill_engine.prompt.spm_prompt import SpmPrompt
from infill_engine.prompt_rules import rules_for
from infill_engine.random_source import SeededRandom
from infill_engine.run import Run
from infill_engine.run_limits import RunLimits
from infill_engine.settling import Settler
from infill_engine.tokenizer import Tokenizer

_FINISH_REASONS: dict[Ending, FinishReason] = {
    "line": "line_settled",
    "mark": "converged",
    "limit": "max_steps",
}


class Engine:
    """One loaded model, one KV cache, one request at a time (others wait their turn)."""

    _on_gpu: GpuFormat | None = None

    def __init__(
        self,
        config: EngineConfig,
        model: DiffusionGemma,
        tokenizer: Tokenizer,
        generation: GenerationConfig,
        progress: Callable[[str, float], None],
    ) -> None:
        self._config, self._model, self._tokenizer = config, model, tokenizer
        self._generation = generation
        self._device = model.device
        self._strategy: PromptStrategy = (
            SpmPrompt(tokenizer, generation)
            if SpmPrompt.fits(tokenizer)
            else ChatPrompt(tokenizer, generation, model.config.canvas_length)
        )
        self._lock = threading.Lock()
        num_canvas = model.config.canvas_length
        num_line = min(generation.line_canvas_tokens or num_canvas, num_canvas)
        shapes = {(1, num_canvas), (1, num_line), *self._strategy.anchored_shapes}
        # A middle of several canvases grows behind the longest prompt.
        capacity_tokens = generation.max_context_tokens + 2 * num_canvas
        self._forward = choose_forward(
            model, capacity_tokens, sorted(shapes), progress, config.kv_cache
        )
        self._cache = self._forward.cache
        canvas_device = self._forward.canvas_device
        self._layout = CanvasLayout(self._strategy, tokenizer, num_canvas, num_line, canvas_device)
        end_ids = list(self._strategy.end_ids)
        self._drafter = Drafter(self._forward, tokenizer.encode, end_ids[0])
        self._closing_ids = torch.tensor(end_ids, device=canvas_device)
        line_ends = tokenizer.ids_containing("\n")
        self._line_closing_ids = torch.tensor([*end_ids, *line_ends], device=canvas_device)

    @classmethod
    def load(
        cls,
        config: EngineConfig,
        progress: Callable[[str, float], None] | None = None,
        generation: GenerationConfig | None = None,
    ) -> "Engine":
        """Read the model that `config` names.

        Args:
            config: model, device and limits.
            progress: called with what is being done and the share done, 0 to 1.
            generation: how to denoise, if not as the checkpoint says.

        Raises:
            ConfigError: the device asked for is not there, or cannot compute as asked.
            CheckpointError: files are missing, damaged or do not fit.
            OutOfMemory: the device cannot hold the weights.
        """
        device = config.torch_device()
        if device.type == "cpu":
            torch.set_num_threads(config.chosen_num_threads())
        generation = generation or read_generation_config(config.folder)
        if config.max_context_tokens is not None:
            generation = replace(generation, max_context_tokens=config.max_context_tokens)
        tokenizer = Tokenizer.from_folder(config.folder)
        model, on_gpu = load_configured(config, progress)
        if tokenizer.vocab_size > model.config.vocab_size:
            raise CheckpointError(
                f"The tokenizer in {config.folder} has {tokenizer.vocab_size} ids, but the model's "
                f"vocab_size is {model.config.vocab_size}. Fetch both from the same release."
            )
        model.requires_grad_(False).eval()
        report = progress or (lambda _what, _share: None)
        try:
            engine = cls(config, model, tokenizer, generation, report)
        except (torch.OutOfMemoryError, MemoryError):
            raise out_of_memory(on_gpu, device) from None
        engine._on_gpu = on_gpu
        return engine

    def infill(self, request: InfillRequest, cancel: CancelToken | None = None) -> InfillResult:
        """Fill the gap and return the final text; see `stream`."""
        return _last(self.stream(request, cancel))

    def stream(
        self, request: InfillRequest, cancel: CancelToken | None = None
    ) -> Iterator[InfillUpdate | InfillResult]:
        """Yield an update after every denoising step, then exactly one result.

        The middle grows canvas by canvas: each is denoised until its text has ended and settled,
        or is full; a full one is prefilled and the next begins behind it.

        Raises:
            OutOfMemory: the device ran out of memory; the engine can go on with other requests.
        """
        with self._lock:
            try:
                yield from self._fill(
                    self._prepare(request, RunLimits(request.deadline_ms, cancel))
                )
            except (torch.OutOfMemoryError, MemoryError):
                self._cache.truncate(0)
                raise out_of_memory(self._on_gpu, self._device) from None

    def judge_context_draft(self, request: InfillRequest) -> JudgedDraft | None:
        """What the file suggests for the gap, for whoever calibrates; None where it does not."""
        with self._lock:
            return self._drafter.judge(self._prepare(request, RunLimits(None, None)))

    def infill_at_length_of(self, request: InfillRequest, middle: str) -> InfillResult:
        """Fill the gap with exactly as many tokens as `middle` has, for whoever measures length.

        Nothing but the number of tokens is taken from `middle`: what perfect length control would
        give, without drafts. Only of use with a checkpoint that ends its middles with a mark.
        """
        with self._lock:
            run = self._prepare(request, RunLimits(request.deadline_ms, None))
            run.fix_length(len(self._tokenizer.encode(run.prompt.healed + middle)))
            return _last(self._fill(run))

    def describe(self) -> dict[str, Any]:
        """What is running, for status displays."""
        return {
            "model": self._config.model,
            "device": str(self._device),
            **describe_weights(self._model, self._on_gpu),
            "canvas_length": self._model.config.canvas_length,
            "max_context_tokens": self._generation.max_context_tokens,
            "prompt": type(self._strategy).__name__,
            "num_threads": torch.get_num_threads(),
            **self._forward.describe(),
            "kernels_reason": choose_kernels(self._device).reason,
        }

    def _fill(self, run: Run) -> Iterator[InfillUpdate | InfillResult]:
        reason = run.limits.stop_reason() or self._take_draft(run)
        canvas = self._layout.first(run)
        while reason is None:
            reason = yield from self._denoise_canvas(run, canvas)
            run.entropies += canvas.entropy[0].tolist()
            if reason is None:
                canvas = self._next_canvas(run)
                reason = run.limits.stop_reason()
        yield run.result(reason, self._generation.calibration)

    def _prepare(self, request: InfillRequest, limits: RunLimits) -> Run:
        """Lay out the prompt and bring the cache up to it."""
        prompt = self._strategy.build(request)
        num_cached = self._cache.roll_back_to(prompt.token_ids)
        self._prefill(prompt.token_ids[num_cached:], limits)
        return Run(
            request,
            limits,
            prompt,
            Middle(
                self._tokenizer,
                prompt,
                self._strategy.end_ids,
                request.mode,
                request.max_new_tokens,
            ),
            SeededRandom(request.seed, self._model.config.vocab_size, self._forward.canvas_device),
            rules_for(prompt, self._strategy, self._device),
            self._line_closing_ids if request.mode == "line" else self._closing_ids,
            num_cached,
            self._cache.num_tokens - num_cached,
        )

    def _prefill(self, token_ids: Sequence[int], limits: RunLimits) -> None:
        """Append tokens to the cache, chunk by chunk; stops early when the request must."""
        begin_ms = limits.elapsed_ms()
        chunk_tokens = self._forward.prefill_chunk_tokens
        for begin in range(0, len(token_ids), chunk_tokens):
            if limits.stop_reason() is not None:
                break
            self._forward.prefill(token_ids[begin : begin + chunk_tokens])
        limits.add_ms("prefill", limits.elapsed_ms() - begin_ms)

    def _take_draft(self, run: Run) -> FinishReason | None:
        """Begin with what the file suggests; returns why the request is done, if it is."""
        if self._generation.drafting is None or run.known_length is not None:
            return None
        if run.request.temperature:
            return None  # to be drawn by chance, every token of it
        begin_ms = run.limits.elapsed_ms()
        ending = self._drafter.take_over(run, self._generation.drafting)
        run.limits.add_ms("draft", run.limits.elapsed_ms() - begin_ms)
        return None if ending is None else _FINISH_REASONS[ending]

    def _schedule(self, request: InfillRequest) -> GenerationConfig:
        """How to denoise: as the checkpoint wants, but at the request's temperature."""
        if request.temperature is None:
            return self._generation
        return replace(self._generation, t_min=request.temperature, t_max=request.temperature)

    def _next_canvas(self, run: Run) -> Canvas:
        """Commit the canvas: what it holds joins the prompt, and a new one begins behind it."""
        self._prefill(run.middle.commit(), run.limits)
        run.rules = run.rules.after_first_canvas()
        run.num_canvases += 1
        return self._layout.following(run)

    def _denoise_canvas(
        self, run: Run, canvas: Canvas
    ) -> Generator[InfillUpdate, None, FinishReason | None]:
        """Denoise one canvas; returns why the request is done, or None to go on behind it."""
        calibration = self._generation.calibration
        settler = Settler(self._generation.settle_steps, self._generation.settle_entropy)
        steps = denoise(
            self._forward,
            canvas,
            self._schedule(run.request),
            self._strategy.noise,
            run.random,
            run.rules,
        )
        for step in steps:
            if len(canvas.current) > 1 and run.prompt.anchor is not None:
                row_idx = choose_gap(canvas.entropy, run.prompt.anchor.gap_lengths)
                canvas.keep_row(row_idx)
                run.middle.limit_to(run.prompt.anchor.gap_lengths[row_idx])
            if self._strategy.noise.is_absorbing:
                canvas.close_behind(run.closing_ids, self._strategy.filler_id)
            num_settled = settler.settle(canvas)
            run.middle.show(canvas.argmax[0].tolist(), num_settled)
            yield run.update(canvas, int(step.accepted[0].sum()), num_settled, calibration)
            run.num_steps += 1
            is_final = bool(canvas.pinned.all()) or bool(step.converged.all())
            ending = run.middle.ending(settled_only=not is_final)
            if ending is not None:
                # A gap of fixed length that is full has converged, not run out of room.
                is_full_gap = ending == "limit" and run.has_fixed_length
                return "converged" if is_full_gap else _FINISH_REASONS[ending]
            if calibration is not None and run.is_hopeless(calibration, canvas, num_settled):
                run.middle.drop_unsettled()
                return "unsure"
            if (reason := run.limits.stop_reason()) is not None:
                return reason
            if is_final:
                return None
        return None if run.middle.ending(settled_only=False) is None else "max_steps"


def _last(events: Iterator[InfillUpdate | InfillResult]) -> InfillResult:
    *_, result = events
    assert isinstance(result, InfillResult), "a stream ends with its result"
    return result
