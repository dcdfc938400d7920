"""What a server is asked: a conversation with both sides of the gap, or a prompt with FIM tokens.

Suffix first, prefix last, so that typing changes only the end and the server's own prefix cache
holds. Sizes are in characters: the server's tokenizer is not here. Knows nothing of HTTP.
"""

import re
from dataclasses import dataclass
from typing import Any

from infill_client.openai.fim import FimTokens
from infill_engine.api import InfillRequest, RequestTooLarge

_CHAT_TASK = (
    "You fill gaps in source files. You are shown the text after the gap, then the text before it. "
    "Answer with one code block that holds the missing text only: repeat neither the text before "
    "the gap nor the text after it, and explain nothing."
)
_LINE_TASK = " Only the rest of one line is missing."
_REWRITE_TASK = (
    "You rewrite the selected part of a source file as you are told. Answer with one code block "
    "that holds the new text of the selected part only, without the text before or after it, and "
    "explain nothing."
)
_TURN_LINES = 16
"""The model's turn begins at a multiple of this many lines, so that it rarely moves."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation.

    Attributes:
        messages: as the API takes them.
        is_continued: the last is the model's own and to be gone on with.
        fence: of the code block that it stands in.
    """

    messages: list[dict[str, str]]
    is_continued: bool
    fence: str


def chat_prompt(request: InfillRequest, budget_chars: int, can_continue: bool) -> ChatPrompt:
    """Lay out a conversation.

    Args:
        request: the gap.
        budget_chars: about how long all of it may be.
        can_continue: whether the server goes on with a message of the model's own.

    Raises:
        RequestTooLarge: a selection takes more than half of the budget.
    """
    selection = request.selection
    if len(selection) > budget_chars // 2:
        raise RequestTooLarge(
            f"The selection has {len(selection)} characters; the model behind engine.url is given "
            f"{budget_chars // 2} at most, half of what it reads. Select less."
        )
    budget_chars -= len(selection)
    snippets = _snippets(request, budget_chars // 4)
    budget_chars -= sum(len(path) + len(text) for path, text in snippets)
    prefix, suffix = sides(request, budget_chars)
    turn = ""
    if can_continue and request.mode != "rewrite":
        prefix, turn = split_at_turn(prefix)
    fence = _fence_for(prefix, turn, suffix, selection, *(text for _, text in snippets))
    opened = f"{fence}{request.language_id}\n"

    parts = [f"The file is {request.path}.\n"] if request.path else []
    parts += [f"From {path}:\n{fence}\n{text}\n{fence}\n" for path, text in snippets]
    parts.append(f"After the gap:\n{opened}{suffix}\n{fence}\n")
    if request.mode == "rewrite":
        parts.append(f"Before the selected part:\n{opened}{prefix}\n{fence}\n")
        parts.append(f"The selected part:\n{opened}{selection}\n{fence}\n")
        parts.append(f"What to do: {request.instruction}\n")
    elif prefix or not turn:
        parts.append(f"Before the gap:\n{opened}{prefix}\n{fence}\n")
    task = _REWRITE_TASK if request.mode == "rewrite" else _CHAT_TASK
    task += _LINE_TASK if request.mode == "line" else ""
    # One message: some templates refuse a system message, none this.
    messages = [{"role": "user", "content": _valid("\n".join([task + "\n", *parts]))}]
    if can_continue:
        # Blanks at its end would be cut by many templates; the cutter knows they are not there.
        messages.append({"role": "assistant", "content": _valid(opened + turn.rstrip(" \t"))})
    return ChatPrompt(messages, can_continue, fence)


def fim_prompt(
    request: InfillRequest, budget_chars: int, tokens: FimTokens | None
) -> dict[str, Any]:
    """Return what a completion is asked with: with the model's own FIM tokens, or `suffix`."""
    prefix, suffix = sides(request, budget_chars)
    prefix, suffix = _valid(prefix), _valid(suffix)
    if tokens is None:
        return {"prompt": prefix, "suffix": suffix}
    return {"prompt": tokens.join(prefix, suffix), "stop": list(tokens.all_tokens)}


def sides(request: InfillRequest, budget_chars: int) -> tuple[str, str]:
    """Return prefix and suffix cut to a budget, nearest the gap first.

    The prefix' beginning jumps by whole strides: between two jumps typing leaves it where it is.
    """
    share = 2 if len(request.prefix) <= budget_chars // 2 else 4
    suffix = request.suffix[: budget_chars // share]
    room = max(1, budget_chars - len(suffix))
    excess = len(request.prefix) - room
    if excess <= 0:
        return request.prefix, suffix
    stride = max(1, room // 8)
    begin = min(-(-excess // stride) * stride, len(request.prefix))
    line = request.prefix.find("\n", begin, begin + stride) + 1
    return request.prefix[line or begin :], suffix


def split_at_turn(prefix: str) -> tuple[str, str]:
    """Cut before the last 16 to 31 lines, at a place that stays while a few lines are typed."""
    lines = prefix.split("\n")
    begin = max(0, -(-len(lines) // _TURN_LINES) * _TURN_LINES - 2 * _TURN_LINES)
    head = "".join(f"{line}\n" for line in lines[:begin])
    return head, prefix[len(head) :]


def _snippets(request: InfillRequest, budget_chars: int) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    for snippet in request.snippets:
        budget_chars -= len(snippet.text) + len(snippet.path)
        if budget_chars < 0:
            break
        kept.append((snippet.path, snippet.text))
    return kept


def _fence_for(*texts: str) -> str:
    """Return a fence longer than any in the texts."""
    runs = [run for text in texts for run in re.findall(r"`{3,}", text)]
    return "`" * max(3, 1 + max(map(len, runs), default=2))


def _valid(text: str) -> str:
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
