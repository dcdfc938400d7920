"""The engine: prompt, prefill, canvas, denoising, text. Read `stream` first, then `_fill`.

Takes and returns plain data. Knows nothing of LSP, HTTP or processes, nor of what other requests
run beside one; does no file or network access once loaded.
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
    OutOfMemory,
)
from infill_engine.batching.batch import EngineBatch
from infill_engine.batching.fill import Fill, FillEvent, FillEvents
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.batching.slots import Slots
from infill_engine.canvas import Canvas
from infill_engine.canvas_layout import CanvasLayout
from infill_engine.config import EngineConfig
from infill_engine.denoising import denoising, next_step
from infill_engine.drafting import Drafter, JudgedDraft
from infill_engine.forward import Prediction
from infill_engine.forward.choice import choose_forward
from infill_engine.forward.together import Together
from infill_engine.generation_config import GenerationConfig, read_generation_config
from infill_engine.gpu_format import GpuFormat
from infill_engine.middle import Ending, Middle
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model_loading import (
    describe_weights,
    has_memory_for,
    load_configured,
    out_of_memory,
)
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
    """One loaded model and its KV slots; a request at a time, or several in a batch."""

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
        # Who names a number of requests expects company; who types alone starts sooner without.
        num_expected = config.max_batch or 1
        forward = choose_forward(
            model,
            capacity_tokens,
            sorted(shapes),
            progress,
            config.kv_cache,
            num_together=num_expected,
        )
        self._canvas_device = canvas_device = forward.canvas_device
        self._layout = CanvasLayout(self._strategy, tokenizer, num_canvas, num_line, canvas_device)
        end_ids = list(self._strategy.end_ids)
        self._drafter = Drafter(tokenizer.encode, end_ids[0])
        self._together = Together()
        if num_expected > 1:
            self._together.prove(forward)
        num_slot_bytes = forward.describe()["num_cache_bytes"]
        self._slots = Slots(
            forward,
            config.chosen_kv_slots(num_slot_bytes),
            lambda: has_memory_for(num_slot_bytes, model.device),
        )
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
            EngineBusy: a batch of this engine has lent all slots.
        """
        with self._lock, self._open(request, cancel) as fill:
            yield from fill.alone()

    def open_batch(
        self,
        on_step: Callable[[int], None] = lambda _num_rows: None,
        guard: LatencyGuard | None = None,
    ) -> EngineBatch:
        """Run several requests at once, each as `stream` runs it alone.

        Args:
            on_step: told the number of requests that took part in each denoising step.
            guard: says how many may run, if not one that has measured nothing yet.
        """
        guard = guard or LatencyGuard(self._config.chosen_max_batch())
        return EngineBatch(self._open, self._slots, self._together, guard, self._lock, on_step)

    def forget_prompts(self) -> None:
        """Have the next requests find nothing in the KV slots, for whoever measures or compares."""
        with self._lock:
            self._slots.forget()

    def judge_context_draft(self, request: InfillRequest) -> JudgedDraft | None:
        """What the file suggests for the gap, for whoever calibrates; None where it does not."""
        with self._lock:
            run = self._prepare(request, RunLimits(None, None))
            with self._fill_of(run, self._prefill_prompt(run)) as fill:
                for _ in fill.alone():
                    pass
                return self._drafter.judge(run)

    def infill_at_length_of(self, request: InfillRequest, middle: str) -> InfillResult:
        """Fill the gap with exactly as many tokens as `middle` has, for whoever measures length.

        Nothing but the number of tokens is taken from `middle`: what perfect length control would
        give, without drafts. Only of use with a checkpoint that ends its middles with a mark.
        """
        with self._lock:
            run = self._prepare(request, RunLimits(request.deadline_ms, None))
            with self._fill_of(run, self._fill(run)) as fill:
                run.fix_length(len(self._tokenizer.encode(run.prompt.healed + middle)))
                return _last(fill.alone())

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
            **self._slots.describe(),
            "kernels_reason": choose_kernels(self._device).reason,
        }

    def _open(self, request: InfillRequest, cancel: CancelToken | None) -> Fill:
        """A request on a slot of its own, not begun."""
        run = self._prepare(request, RunLimits(request.deadline_ms, cancel))
        return self._fill_of(run, self._fill(run))

    def _fill(self, run: Run) -> FillEvents:
        """A request's course: what it wants predicted, what it tells, and its result."""
        yield from self._prefill_prompt(run)
        yield "pause"  # judging a draft is a prefill, too
        reason = run.limits.stop_reason() or self._take_draft(run)
        canvas = self._layout.first(run)
        while reason is None:
            reason = yield from self._denoise_canvas(run, canvas)
            run.entropies += canvas.entropy[0].tolist()
            if reason is None:
                canvas = yield from self._next_canvas(run)
                reason = run.limits.stop_reason()
        yield run.result(reason, self._generation.calibration)

    def _prepare(self, request: InfillRequest, limits: RunLimits) -> Run:
        """Lay out the prompt and lend it the slot that suits it."""
        prompt = self._strategy.build(request)
        middle = Middle(
            self._tokenizer, prompt, self._strategy.end_ids, request.mode, request.max_new_tokens
        )
        random = SeededRandom(request.seed, self._model.config.vocab_size, self._canvas_device)
        rules = rules_for(prompt, self._strategy, self._device)
        closing_ids = self._line_closing_ids if request.mode == "line" else self._closing_ids
        forward = self._slots.take(prompt.token_ids)  # last: what fails before has lent nothing
        return Run(request, limits, prompt, forward, middle, random, rules, closing_ids)

    def _fill_of(self, run: Run, events: FillEvents) -> Fill:
        def explain() -> OutOfMemory:
            return out_of_memory(self._on_gpu, self._device)

        return Fill(events, run.forward, run.limits, self._slots, explain)

    def _prefill_prompt(self, run: Run) -> FillEvents:
        """Bring the cache up to the prompt."""
        cache, token_ids = run.forward.cache, run.prompt.token_ids
        run.num_cached = cache.roll_back_to(token_ids)
        yield from self._prefill(run, token_ids[run.num_cached :])
        run.num_prefilled = cache.num_tokens - run.num_cached

    def _prefill(self, run: Run, token_ids: Sequence[int]) -> FillEvents:
        """Append tokens to the cache, chunk by chunk; stops early when the request must."""
        chunk_tokens = run.forward.prefill_chunk_tokens
        run.limits.add_ms("prefill", 0.0)  # told even where the cache held all of it
        for begin in range(0, len(token_ids), chunk_tokens):
            yield "pause"
            if run.limits.stop_reason() is not None:
                return
            begin_ms = run.limits.elapsed_ms()
            run.forward.prefill(token_ids[begin : begin + chunk_tokens])
            run.limits.add_ms("prefill", run.limits.elapsed_ms() - begin_ms)

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

    def _next_canvas(self, run: Run) -> Generator[FillEvent, Prediction | None, Canvas]:
        """Commit the canvas: what it holds joins the prompt, and a new one begins behind it."""
        yield from self._prefill(run, run.middle.commit())
        run.rules = run.rules.after_first_canvas()
        run.num_canvases += 1
        return self._layout.following(run)

    def _denoise_canvas(
        self, run: Run, canvas: Canvas
    ) -> Generator[FillEvent, Prediction | None, FinishReason | None]:
        """Denoise one canvas; returns why the request is done, or None to go on behind it."""
        calibration = self._generation.calibration
        settler = Settler(self._generation.settle_steps, self._generation.settle_entropy)
        noise = self._strategy.noise
        steps = denoising(canvas, self._schedule(run.request), noise, run.random, run.rules)
        while (step := (yield from next_step(steps))) is not None:
            if len(canvas.current) > 1 and run.prompt.anchor is not None:
                row_idx = choose_gap(canvas.entropy, run.prompt.anchor.gap_lengths)
                canvas.keep_row(row_idx)
                run.middle.limit_to(run.prompt.anchor.gap_lengths[row_idx])
            if noise.is_absorbing:
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
