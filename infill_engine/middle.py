"""The text being filled in, as it grows from canvas to canvas: where it ends, what is settled.

Knows nothing of the model; works on token ids and their text.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from infill_engine.api import Mode
from infill_engine.prompt.prompt import Prompt
from infill_engine.tokenizer import Tokenizer

Ending = Literal["mark", "line", "limit"]
"""What ends a middle: an end token or stop text, the line's end in line mode, the token limit."""

_BROKEN_CHARACTER = "\N{REPLACEMENT CHARACTER}"


class Middle:
    """Tokens committed so far, and the canvas that is being denoised behind them."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt: Prompt,
        end_ids: Sequence[int],
        mode: Mode,
        max_tokens: int,
    ) -> None:
        self._tokenizer, self._prompt, self._mode = tokenizer, prompt, mode
        self._end_ids, self._max_tokens = frozenset(end_ids), max_tokens
        self._committed: list[int] = []
        self._canvas: list[int] = []
        self._num_settled = 0

    def limit_to(self, max_tokens: int) -> None:
        """Lower the limit: the gap turned out to be this long."""
        self._max_tokens = min(self._max_tokens, max_tokens)

    def show(self, canvas_ids: list[int], num_settled: int) -> None:
        """Replace the canvas behind the committed tokens by its newest state."""
        self._canvas, self._num_settled = canvas_ids, num_settled

    def take_over(self, token_ids: Sequence[int]) -> None:
        """Append tokens for good that no canvas has held."""
        self._committed += token_ids

    def drop_unsettled(self) -> None:
        """End the canvas behind what has settled."""
        self._canvas = self._canvas[: self._num_settled]

    def commit(self) -> list[int]:
        """Take the whole canvas over for good; returns the tokens to prefill."""
        committed, self._canvas, self._num_settled = self._canvas, [], 0
        self._committed += committed
        return committed

    @property
    def num_committed(self) -> int:
        """Tokens that stand for good before the canvas."""
        return len(self._committed)

    @property
    def token_ids(self) -> list[int]:
        """All tokens before the end mark and within the token limit."""
        return self._before_end([*self._committed, *self._canvas])

    @property
    def text(self) -> str:
        """The middle as it stands."""
        return self._cut(self._decode(self.token_ids))

    def num_chars_of_first(self, num_tokens: int) -> int:
        """How many characters so many leading tokens spell for good; `text` may end before."""
        return len(self._decode(self.token_ids[:num_tokens]).rstrip(_BROKEN_CHARACTER))

    def num_chars_begun(self) -> list[int]:
        """As `num_chars_of_first` of 1, 2, ... tokens, by counting: cheap enough for every step.

        A character whose last bytes stand in a later token counts with its first.
        """
        num_healed = len(self._prompt.healed)
        begun = accumulate(self._tokenizer.num_chars_of(self.token_ids))
        return [max(0, num_chars - num_healed) for num_chars in begun]

    def canvas_token_chars(self, num_chars: int) -> tuple[int, ...]:
        """How many of the `num_chars` characters of `text` each canvas position spells.

        0 for all from the end on, and for what token healing took from the prefix.
        """
        ends = self.num_chars_begun()
        num_before = len(self._committed)
        begin = ends[num_before - 1] if 0 < num_before <= len(ends) else 0
        counts: list[int] = []
        for end in ends[num_before:]:
            counts.append(min(end, num_chars) - min(begin, num_chars))
            begin = end
        return (*counts, *([0] * (len(self._canvas) - len(counts))))

    @property
    def settled_text(self) -> str:
        """The leading part of `text` that will not change any more."""
        settled = self._cut(self._decode(self._before_end(self._settled_ids)))
        # The last bytes of a character may still be open.
        return settled.rstrip(_BROKEN_CHARACTER)

    def ending(self, settled_only: bool) -> Ending | None:
        """What ends the middle within the canvas as it stands, or None if it goes on behind it.

        Args:
            settled_only: look no further than what will not change any more.
        """
        ids = self._settled_ids if settled_only else [*self._committed, *self._canvas]
        visible_ids = self._before_end(ids)
        text = self._decode(visible_ids)
        if self._mode == "line" and "\n" in text:
            return "line"
        if self._prompt.stop_text and self._prompt.stop_text in text:
            return "mark"
        if len(visible_ids) >= self._max_tokens:
            return "limit"
        return "mark" if len(visible_ids) < len(ids) else None

    @property
    def _settled_ids(self) -> list[int]:
        return [*self._committed, *self._canvas[: self._num_settled]]

    def _before_end(self, token_ids: list[int]) -> list[int]:
        token_ids = token_ids[: self._max_tokens]
        for idx, token_id in enumerate(token_ids):
            if token_id in self._end_ids:
                return token_ids[:idx]
        return token_ids

    def _decode(self, token_ids: list[int]) -> str:
        return self._tokenizer.decode(token_ids)[len(self._prompt.healed) :]

    def _cut(self, text: str) -> str:
        if self._prompt.stop_text and self._prompt.stop_text in text:
            text = text.partition(self._prompt.stop_text)[0].removesuffix("\n")
        if self._mode == "line":
            text = text.partition("\n")[0].removesuffix("\r")
        return text
