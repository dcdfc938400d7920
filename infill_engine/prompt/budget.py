"""Cutting text and tokens to size, nearest the cursor first, without moving at every keystroke.

The cache is reused only while the prompt's head stays the same, so cuts jump by whole strides:
between two jumps, typing leaves everything before the cursor where it was.
"""

_CHARS_PER_TOKEN_AT_MOST = 12  # generous: code averages 3 to 4; only bounds the tokenizer's work
_STRIDE_CHARS = 4096


def stride_tokens(budget: int) -> int:
    """How many tokens a cut jumps at once: an eighth of what is kept, so little is wasted."""
    return max(1, budget // 8)


def tail_window(text: str, budget: int) -> str:
    """The end of `text`, long enough for `budget` tokens, starting at a line where possible."""
    excess = len(text) - budget * _CHARS_PER_TOKEN_AT_MOST
    if excess <= 0:
        return text
    begin = excess // _STRIDE_CHARS * _STRIDE_CHARS
    line_begin = text.find("\n", begin, begin + _STRIDE_CHARS) + 1
    return text[line_begin or begin :]


def head_window(text: str, budget: int) -> str:
    """The beginning of `text`, long enough for `budget` tokens."""
    return text[: budget * _CHARS_PER_TOKEN_AT_MOST]


def keep_tail(token_ids: list[int], budget: int) -> list[int]:
    """The last tokens, at most `budget`, dropping whole strides."""
    excess = len(token_ids) - budget
    if excess <= 0:
        return token_ids
    return token_ids[round_up(excess, stride_tokens(budget)) :]


def round_up(number: int, stride: int) -> int:
    """The next multiple of `stride` that is not below `number`."""
    return -(-number // stride) * stride
