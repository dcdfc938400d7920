"""One request put to the server once: what is asked, and what comes of the answer's pieces.

Knows nothing of trying again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from infill_client.openai.calls import CHAT_PATH, COMPLETIONS_PATH, ApiCalls
from infill_client.openai.cutting import AnswerCutter, Cut
from infill_client.openai.errors import shown
from infill_client.openai.probe import CONTINUE, Capabilities
from infill_client.openai.prompt import chat_prompt, fim_prompt
from infill_client.transport import InfillEvent
from infill_engine.api import (
    FinishReason,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    RequestInvalid,
)

_SLACK_TOKENS = 48
"""For the fence and the words around code that was not begun for the model."""
_MAX_CHARS_PER_TOKEN = 40
"""An answer with more ends there: a server may not heed `max_tokens`."""


@dataclass(slots=True)
class Attempt:
    """A request as it is put to the server.

    Attributes:
        request: the gap.
        path: which part of the API is asked.
        body: what it is sent.
        cutter: makes the middle of the answer.
        started_s: when the request came, by `clock`: its deadline counts from there.
        clock: seconds.
        begun: the model's own message as it was begun for it, to be gone on with.
    """

    request: InfillRequest
    path: str
    body: dict[str, Any]
    cutter: AnswerCutter
    started_s: float
    clock: Callable[[], float]
    begun: str = ""

    async def run(self, calls: ApiCalls) -> AsyncGenerator[InfillEvent, None]:
        """Yield updates, then one result.

        Raises:
            InfillError: the server refused or the connection failed.
        """
        answer, num_pieces, num_tokens, reason = "", 0, 0, None
        first_s = None
        cut = Cut("", 0)
        max_chars = self.body["max_tokens"] * _MAX_CHARS_PER_TOKEN
        finish_reason: FinishReason | None = None
        async with aclosing(calls.pieces(self.path, self.body)) as pieces:
            while finish_reason is None:
                try:
                    async with asyncio.timeout(self._seconds_left()):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    finish_reason = "deadline"
                    break
                if piece is None:
                    finish_reason = "max_steps" if reason == "length" else self._ended
                    break
                reason = piece.finish_reason or reason
                num_tokens = piece.usage.completion_tokens if piece.usage else num_tokens
                if not piece.text:
                    continue
                first_s = first_s or self.clock()
                # llama.cpp repeats it in an answer that comes whole, though not in a streamed one.
                answer += piece.text if answer else piece.text.removeprefix(self.begun)
                cut = self.cutter.cut(answer, is_whole=False)
                yield InfillUpdate(num_pieces, 0, cut.text, cut.settled_chars, (), 1)
                num_pieces += 1
                if cut.is_ended:
                    finish_reason = self._ended
                elif len(answer) > max_chars:
                    finish_reason = "max_steps"
        if finish_reason != "deadline" and not cut.is_ended:
            cut = self.cutter.cut(answer, is_whole=True)
        yield self._result(cut.text, finish_reason, num_pieces, num_tokens, first_s)

    @property
    def _ended(self) -> FinishReason:
        return "line_settled" if self.request.mode == "line" else "converged"

    def _seconds_left(self) -> float | None:
        if self.request.deadline_ms is None:
            return None
        return max(0.0, self.started_s + self.request.deadline_ms / 1000 - self.clock())

    def _result(
        self,
        text: str,
        finish_reason: FinishReason,
        num_pieces: int,
        num_tokens: int,
        first_s: float | None,
    ) -> InfillResult:
        now_s = self.clock()
        first_s = now_s if first_s is None else first_s
        return InfillResult(
            text=text,
            finish_reason=finish_reason,
            num_steps=num_pieces,
            num_canvases=1,
            num_tokens=num_tokens or num_pieces,
            cached_tokens=0,
            prefilled_tokens=0,
            mean_entropy=0.0,  # not known; no `leading_confidence` says that nothing is claimed
            timings_ms={
                "prefill": (first_s - self.started_s) * 1000,
                "denoise": (now_s - first_s) * 1000,
                "total": (now_s - self.started_s) * 1000,
            },
        )


def attempt_for(
    request: InfillRequest,
    can: Capabilities,
    budget_chars: int,
    started_s: float,
    clock: Callable[[], float],
) -> Attempt:
    """Choose how a server is asked, and lay out the request within a budget.

    Raises:
        RequestTooLarge: a selection takes more than half of the budget.
        RequestInvalid: the text holds what the model would take for its own tokens.
    """
    common = {
        "stream": can.streams,
        **(_sampling(request) if can.takes_sampling else {}),
        "max_tokens": request.max_new_tokens,
    }
    is_safe = can.fim is None or can.fim.may_carry(request.prefix, request.suffix)
    has_fim = can.takes_suffix or can.fim is not None
    if not (is_safe or can.has_chat):
        raise RequestInvalid(
            f"The text around the gap holds a special token of {shown(can.model)}, which has no "
            "other way to be asked. Choose a model that chats in engine.model."
        )
    if has_fim and ((is_safe and request.mode != "rewrite") or not can.has_chat):
        asked = fim_prompt(request, budget_chars, can.fim)
        stop = [*asked.pop("stop", []), *(["\n"] if request.mode == "line" else [])]
        body = {**common, **asked, **({"stop": stop} if stop else {})}
        cutter = AnswerCutter(request, is_chat=False, is_continued=True)
        return Attempt(request, COMPLETIONS_PATH, body, cutter, started_s, clock)
    prompt = chat_prompt(request, budget_chars, can.continues)
    body = {**common, "messages": prompt.messages}
    if prompt.is_continued:
        body |= {**CONTINUE, "stop": [f"\n{prompt.fence}"]}
    else:
        body["max_tokens"] += _SLACK_TOKENS
    cutter = AnswerCutter(request, True, prompt.is_continued, prompt.fence)
    begun = prompt.messages[-1]["content"] if prompt.is_continued else ""
    return Attempt(request, CHAT_PATH, body, cutter, started_s, clock, begun)


def _sampling(request: InfillRequest) -> dict[str, float]:
    seed: dict[str, float] = {"seed": request.seed % 2**31}
    if request.temperature is not None:
        return {"temperature": request.temperature, **seed}
    if request.mode == "rewrite" and request.seed:
        # Another try: greedily it would be the same text again. As the server draws by itself.
        return seed
    return {"temperature": 0, **seed}
