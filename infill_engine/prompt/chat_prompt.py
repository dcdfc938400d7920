"""Prompts of DiffusionGemma, which knows no infill tokens: a chat turn asks for the middle.

Both sides stand in the user's turn, suffix first; the model's turn already holds the prefix' last
lines, so that the first canvas position is the first character of the middle. The suffix' first
tokens are pinned in the canvas behind gaps of several lengths. Not run against the published
weights on the project's own machines, which cannot fetch them.
"""

from infill_engine.api import InfillRequest, RequestTooLarge
from infill_engine.canvas import Noise
from infill_engine.generation_config import GenerationConfig
from infill_engine.prompt.budget import head_window, keep_tail, round_up, tail_window
from infill_engine.prompt.healing import heal
from infill_engine.prompt.prompt import Anchor, Prompt
from infill_engine.tokenizer import Tokenizer

_TURN_LINES = 16  # the model's turn begins at a multiple of this many lines, so it rarely moves
_ANCHOR_TOKENS = 24
_LINE_GAPS = (4, 8, 12, 16, 24, 32)
_BLOCK_GAPS = (8, 16, 32, 64, 128, 192)
_FENCE = "```"
_TASK = (
    "Write the code that belongs in the gap of this file. Answer with the missing code only: "
    "repeat neither the code before the gap nor the code after it."
)
_REWRITE_TASK = (
    "Rewrite the selected part of this file as the instruction asks. Answer with the new code "
    "only, without the code before or after the selection."
)


class ChatPrompt:
    """Strategy of checkpoints that speak Gemma 4's chat format."""

    def __init__(
        self, tokenizer: Tokenizer, generation: GenerationConfig, canvas_length: int
    ) -> None:
        self._tokenizer = tokenizer
        self._max_context_tokens = generation.max_context_tokens
        self._canvas_length = canvas_length
        special = tokenizer.special_id
        self._bos = special("<bos>")
        self._turn, self._end_of_turn = special("<|turn>"), special("<turn|>")
        # A closed, empty thought channel: without it the canvas would begin with one.
        self._no_thought = (
            special("<|channel>"),
            *tokenizer.encode("thought\n"),
            special("<channel|>"),
        )
        self.noise = Noise()
        self.end_ids = tuple(sorted({*generation.eos_token_ids, generation.pad_token_id}))
        self.filler_id = generation.pad_token_id
        self.banned_ids: tuple[int, ...] = ()
        lengths = [
            (len(gaps), gaps[-1] + _ANCHOR_TOKENS)
            for gaps in (_LINE_GAPS, _BLOCK_GAPS)
            if gaps[-1] + _ANCHOR_TOKENS <= canvas_length
        ]
        # After its first step a canvas goes on with one of its rows.
        self.anchored_shapes = [
            shape for rows, length in lengths for shape in ((rows, length), (1, length))
        ]

    @staticmethod
    def fits(tokenizer: Tokenizer) -> bool:
        """Whether the vocabulary has what this strategy needs."""
        return tokenizer.has_special("<|turn>") and tokenizer.has_special("<|channel>")

    def build(self, request: InfillRequest) -> Prompt:
        """Lay out the conversation within the token budget.

        Raises:
            RequestTooLarge: a selection takes more than half of it.
        """
        encode = self._tokenizer.encode
        budget = self._max_context_tokens - self._num_selected_tokens(request)
        head, turn_text = _split_at_turn(tail_window(request.prefix, budget))
        turn_ids = keep_tail(encode(turn_text), budget // 3)
        turn_ids, healed = heal(turn_ids, request.prefix, self._tokenizer)
        head_ids = keep_tail(encode(head), budget // 3)
        suffix_ids = encode(head_window(request.suffix, budget))[: budget // 4]

        fence = f"{_FENCE}{request.language_id}\n"
        user_ids = [
            *encode(f"user\n{self._task(request)}\n\nAfter the gap:\n{fence}"),
            *suffix_ids,
            *encode(f"\n{_FENCE}\n{self._snippets(request)}\nBefore the gap:\n{fence}"),
            *head_ids,
            *encode(f"\n{_FENCE}\n"),
        ]
        token_ids = [
            self._bos,
            *(self._turn, *user_ids, self._end_of_turn, *encode("\n")),
            *(self._turn, *encode("model\n"), *self._no_thought),
            *encode(fence),
            *turn_ids,
        ]
        allowed = self._tokenizer.ids_starting_with(healed) if healed else []
        return Prompt(
            tuple(token_ids),
            healed,
            tuple(allowed),
            anchor=self._anchor(request, suffix_ids),
            stop_text=_FENCE,
        )

    def _num_selected_tokens(self, request: InfillRequest) -> int:
        most = self._max_context_tokens // 2
        num_tokens = len(self._tokenizer.encode(head_window(request.selection, 2 * most)))
        if num_tokens > most:
            raise RequestTooLarge(
                f"The selection has more than {most} tokens, half of what this model is given to "
                "read. Select less, or raise max_context_tokens."
            )
        return num_tokens

    def _task(self, request: InfillRequest) -> str:
        where = f" The file is {request.path}." if request.path else ""
        if request.mode != "rewrite":
            return _TASK + where
        return (
            f"{_REWRITE_TASK}{where}\n\nInstruction: {request.instruction}\n\n"
            f"Selected:\n{_FENCE}{request.language_id}\n{request.selection}\n{_FENCE}"
        )

    def _snippets(self, request: InfillRequest) -> str:
        parts: list[str] = []
        budget_chars = self._max_context_tokens  # about a quarter of the budget in tokens
        for snippet in request.snippets:
            budget_chars -= len(snippet.text)
            if budget_chars < 0:
                break
            parts.append(f"\nFrom {snippet.path}:\n{_FENCE}\n{snippet.text}\n{_FENCE}\n")
        return "".join(parts)

    def _anchor(self, request: InfillRequest, suffix_ids: list[int]) -> Anchor | None:
        """None where there is nothing to anchor to, or where the length must stay free."""
        if not request.suffix.strip() or request.mode == "rewrite" or request.draft:
            return None
        longest = min(request.max_new_tokens, self._canvas_length - _ANCHOR_TOKENS)
        gaps = _LINE_GAPS if request.mode == "line" else _BLOCK_GAPS
        gaps = tuple(gap for gap in gaps if gap <= longest)
        if not gaps:
            return None
        length = gaps[-1] + _ANCHOR_TOKENS
        tail = [*suffix_ids, self._end_of_turn]
        tail += [self.end_ids[0]] * max(0, length - gaps[0] - len(tail))
        return Anchor(tuple(tail), gaps, length)


def _split_at_turn(prefix: str) -> tuple[str, str]:
    """Cut before the last 16 to 31 lines, at a place that stays while a few lines are typed."""
    lines = prefix.splitlines(keepends=True)
    begin = max(0, round_up(len(lines), _TURN_LINES) - 2 * _TURN_LINES)
    return "".join(lines[:begin]), "".join(lines[begin:])
