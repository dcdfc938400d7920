"""Which prompt tokens a KV cache stands for, and how many of them are computed.

The bookkeeping shared by every cache that serves one prompt after another. Knows nothing of keys,
values or memory.
"""

from collections.abc import Sequence


class PromptTokens:
    """Token ids in order; the first `num_tokens` of them have valid keys and values."""

    def __init__(self) -> None:
        self._token_ids: list[int] = []
        self._num_committed = 0

    @property
    def num_tokens(self) -> int:
        """Prompt tokens whose keys and values are valid."""
        return self._num_committed

    @property
    def token_ids(self) -> Sequence[int]:
        """The tokens the cache stands for, `num_tokens` of them."""
        return self._token_ids

    def roll_back_to(self, prompt_ids: Sequence[int]) -> int:
        """Keep the longest common prefix with `prompt_ids`; returns its length in tokens.

        Keys and values of what is cut stay in memory but count no more.
        """
        length = self.num_shared(prompt_ids)
        self.truncate(length)
        return length

    def num_shared(self, prompt_ids: Sequence[int]) -> int:
        """Length in tokens of the longest common prefix with `prompt_ids`; changes nothing."""
        length = 0
        for held, wanted in zip(self._token_ids, prompt_ids, strict=False):
            if held != wanted:
                break
            length += 1
        return length

    def truncate(self, num_tokens: int) -> None:
        """Forget every token from index `num_tokens` on."""
        del self._token_ids[num_tokens:]
        self._num_committed = min(self._num_committed, num_tokens)

    def expect(self, new_ids: Sequence[int], num_canvas_tokens: int) -> None:
        """Announce the tokens of the next prefill, and room for a canvas behind them."""
        self._token_ids[self._num_committed :] = new_ids
        self._reserve(len(self._token_ids) + num_canvas_tokens)

    def commit(self, num_new_tokens: int) -> None:
        """Count `num_new_tokens` that every layer has written since the last commit."""
        self._num_committed += num_new_tokens

    def _reserve(self, num_tokens: int) -> None:
        """Make room for as many tokens; what is held stays."""
        raise NotImplementedError
