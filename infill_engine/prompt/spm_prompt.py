"""Prompts of the embedded model: its own infill tokens, suffix first, prefix last (SPM).

The middle ends with an end-of-middle token, so the model itself chooses its length.
"""

from infill_engine.api import InfillRequest
from infill_engine.canvas import Noise
from infill_engine.generation_config import GenerationConfig
from infill_engine.prompt.budget import (
    head_window,
    keep_tail,
    round_up,
    stride_tokens,
    tail_window,
)
from infill_engine.prompt.healing import heal
from infill_engine.prompt.prompt import Prompt
from infill_engine.prompt_format import (
    MAX_PATH_TOKENS,
    NUM_PROMPT_MARKERS,
    SpecialIds,
    assemble_prompt,
    split_budget,
)
from infill_engine.tokenizer import Tokenizer

_SNIPPET_SHARE = 4  # snippets may take a quarter of the budget: the cursor's own file comes first


class SpmPrompt:
    """Strategy of checkpoints whose vocabulary has the infill tokens."""

    def __init__(self, tokenizer: Tokenizer, generation: GenerationConfig) -> None:
        self._tokenizer = tokenizer
        self._special = SpecialIds.from_vocabulary(tokenizer.token_id)
        self._max_context_tokens = generation.max_context_tokens
        self.noise = Noise(self._special.mask if generation.noise == "mask" else None)
        # A pad behind no end mark would be a hole in the text; as an end it costs nothing.
        self.end_ids = (self._special.end_of_middle, self._special.eos, self._special.pad)
        self.filler_id = self._special.pad
        self.anchored_shapes: tuple[tuple[int, int], ...] = ()  # it ends its middles itself
        self.banned_ids = tuple(i for i in tokenizer.special_ids if i not in self.end_ids)

    @staticmethod
    def fits(tokenizer: Tokenizer) -> bool:
        """Whether the vocabulary has what this strategy needs."""
        return tokenizer.has_special("<|prefix|>") and tokenizer.has_special("<|end_of_middle|>")

    def build(self, request: InfillRequest) -> Prompt:
        """Lay out path, language, snippets, suffix and prefix within the token budget.

        A rewrite fills the selection's place anew: this model follows no instructions.
        """
        encode = self._tokenizer.encode
        language_ids = encode(request.language_id)
        path_ids = encode(request.path)[-MAX_PATH_TOKENS:]
        budget = self._max_context_tokens - NUM_PROMPT_MARKERS - len(language_ids) - len(path_ids)
        snippets = self._snippets_within(request, budget // _SNIPPET_SHARE)
        budget -= sum(len(path) + len(text) + 2 for path, text in snippets)

        prefix_ids = encode(tail_window(request.prefix, budget))
        suffix_ids = encode(head_window(request.suffix, budget))
        # Rounded up, the prefix can grow for a while before it takes room from the suffix, which
        # comes first in the prompt and would void the cache.
        num_prefix, num_suffix = split_budget(
            round_up(len(prefix_ids), stride_tokens(budget)), len(suffix_ids), budget
        )
        prefix_ids, healed = heal(
            keep_tail(prefix_ids, num_prefix), request.prefix, self._tokenizer
        )
        token_ids = assemble_prompt(
            self._special,
            language_ids,
            path_ids,
            snippets,
            suffix_ids[:num_suffix],
            prefix_ids,
        )
        allowed = self._tokenizer.ids_starting_with(healed) if healed else []
        return Prompt(tuple(token_ids), healed, tuple(allowed))

    def _snippets_within(
        self, request: InfillRequest, budget: int
    ) -> list[tuple[list[int], list[int]]]:
        kept: list[tuple[list[int], list[int]]] = []
        for snippet in request.snippets:
            path_ids = self._tokenizer.encode(snippet.path)[-MAX_PATH_TOKENS:]
            text_ids = self._tokenizer.encode(head_window(snippet.text, budget))
            budget -= len(path_ids) + len(text_ids) + 2
            if budget < 0:
                break
            kept.append((path_ids, text_ids))
        return kept
