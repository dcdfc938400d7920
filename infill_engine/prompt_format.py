"""The token layout of the embedded model's prompt: the one place training and engine share.

Standard library only. Works on ids that are already encoded and already cut to their budgets;
knows neither the tokenizer nor the model. The canvas starts directly behind the last prompt token
and holds `middle <|end_of_middle|> <pad>...`; when the middle is longer than the canvas, the
committed canvas is appended to the prompt and the middle goes on in the next one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

NUM_SPECIAL_TOKENS = 32
"""Ids below this are special; every other id is text."""

_NAMED = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<mask>",
    "<|end_of_middle|>",
    "<|suffix|>",
    "<|prefix|>",
    "<|path|>",
    "<|language|>",
    "<|snippet|>",
    "<|instruction|>",
)
SPECIAL_TOKEN_NAMES: tuple[str, ...] = (
    *_NAMED,
    *(f"<|reserved_{idx}|>" for idx in range(len(_NAMED), NUM_SPECIAL_TOKENS)),
)
"""Special tokens by id: `SPECIAL_TOKEN_NAMES[7]` is "<|prefix|>"."""

MAX_PATH_TOKENS = 16
"""A path longer than this keeps its last tokens: the file name says more than the top folder."""


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of the special tokens that the prompt and the canvas are built from.

    `newline` is the id of the text token for a line feed, which separates a snippet's path from
    its text.
    """

    newline: int
    pad: int = 0
    eos: int = 1
    bos: int = 2
    mask: int = 4
    end_of_middle: int = 5
    suffix: int = 6
    prefix: int = 7
    path: int = 8
    language: int = 9
    snippet: int = 10
    instruction: int = 11

    @classmethod
    def from_vocabulary(cls, token_to_id: Callable[[str], int | None]) -> "SpecialIds":
        """Read the ids from a tokenizer's `token_to_id`.

        Raises:
            ValueError: the tokenizer lacks one of them, so it is not the embedded model's.
        """

        def find(name: str) -> int:
            token_id = token_to_id(name)
            if token_id is None:
                raise ValueError(f"the tokenizer has no token {name!r}")
            return token_id

        return cls(
            newline=find("\u010a"),  # how a byte-level vocabulary spells a line feed
            pad=find("<pad>"),
            eos=find("<eos>"),
            bos=find("<bos>"),
            mask=find("<mask>"),
            end_of_middle=find("<|end_of_middle|>"),
            suffix=find("<|suffix|>"),
            prefix=find("<|prefix|>"),
            path=find("<|path|>"),
            language=find("<|language|>"),
            snippet=find("<|snippet|>"),
            instruction=find("<|instruction|>"),
        )


def assemble_prompt(
    special: SpecialIds,
    language_ids: Sequence[int],
    path_ids: Sequence[int],
    snippets: Iterable[tuple[Sequence[int], Sequence[int]]],
    suffix_ids: Sequence[int],
    prefix_ids: Sequence[int],
) -> list[int]:
    """Lay out a prompt, suffix first so that typing only appends to it.

    `<bos> <|language|> lang <|path|> path [<|snippet|> path "\\n" text]* <|suffix|> suffix
    <|prefix|> prefix`

    Args:
        special: ids of the special tokens.
        language_ids: encoded LSP language identifier, empty when unknown.
        path_ids: encoded path, empty when unknown; see MAX_PATH_TOKENS.
        snippets: (path_ids, text_ids) of other places, most useful first.
        suffix_ids: text behind the cursor, empty for plain left-to-right completion.
        prefix_ids: text before the cursor.

    Returns:
        The prompt; all markers are present even where their content is empty.
    """
    prompt = [special.bos, special.language, *language_ids, special.path, *path_ids]
    for snippet_path_ids, snippet_ids in snippets:
        prompt += [special.snippet, *snippet_path_ids, special.newline, *snippet_ids]
    return [*prompt, special.suffix, *suffix_ids, special.prefix, *prefix_ids]


NUM_PROMPT_MARKERS = 5
"""`<bos>`, `<|language|>`, `<|path|>`, `<|suffix|>`, `<|prefix|>`: in every prompt."""


def split_budget(num_prefix: int, num_suffix: int, budget: int) -> tuple[int, int]:
    """Divide a token budget between prefix and suffix, 2:1, the unused part going to the other.

    Returns:
        (prefix tokens, suffix tokens) to keep nearest the cursor; never more than there are.
    """
    for_suffix = min(num_suffix, budget // 3)
    for_prefix = min(num_prefix, budget - for_suffix)
    return for_prefix, min(num_suffix, budget - for_prefix)
