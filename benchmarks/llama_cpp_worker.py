"""llama.cpp in a process of its own: reads one JSON request a line, answers in one line each.

Started by `llama_cpp_process`, away from torch, whose OpenMP runtime and settings would become
llama.cpp's in the same process. Uses the standard library and llama-cpp-python only. Decodes
greedily and reuses what is in its KV cache, evaluating only what is new of a prompt. Knows nothing
of gaps, of suffixes or of what is right.
"""

import bisect
import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

_CUTS_PER_CONTEXT = 8  # a cut jumps by an eighth of what is kept, so that typing seldom moves it


def kept_tail(token_ids: Sequence[int], most_tokens: int) -> list[int]:
    """The last tokens, at most `most_tokens`, dropping whole strides as the engine's prompts do."""
    excess = len(token_ids) - most_tokens
    if excess <= 0:
        return list(token_ids)
    stride = max(1, most_tokens // _CUTS_PER_CONTEXT)
    return list(token_ids[-(-excess // stride) * stride :])


def num_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common prefix, in tokens."""
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def line_in(written: bytes, num_given: int) -> bytes | None:
    """The first line behind `num_given` bytes that the prompt had already; None before its end."""
    line, newline, _ = written[num_given:].partition(b"\n")
    return line if newline else None


class PieceIndex:
    """The bytes of every token, and which tokens begin with given bytes."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._order = sorted((i for i, p in enumerate(pieces) if p), key=pieces.__getitem__)

    def __getitem__(self, token_id: int) -> bytes:
        """The bytes of a token; none for a special token, which ends the text."""
        return self._pieces[token_id]

    def beginning_with(self, head: bytes) -> list[int]:
        """Ids of the tokens whose bytes begin with `head`."""
        begin = bisect.bisect_left(self._order, head, key=self._pieces.__getitem__)
        end = begin
        while end < len(self._order) and self._pieces[self._order[end]].startswith(head):
            end += 1
        return self._order[begin:end]


class Writer:
    """A loaded model that writes behind prompts; keeps the KV cache between them."""

    def __init__(self, model_path: str, num_threads: int, context_tokens: int) -> None:
        self._library: Any = importlib.import_module("llama_cpp")
        self._numpy: Any = importlib.import_module("numpy")
        self._context_tokens = context_tokens
        self._llama: Any = self._library.Llama(
            model_path,
            n_ctx=context_tokens + 256,  # room for what is written
            n_threads=num_threads,
            n_threads_batch=num_threads,
            flash_attn=True,  # 5 % less time than without, prompt and writing
            verbose=False,
        )
        num_ids = self._llama.n_vocab()
        self._pieces = PieceIndex([self._llama.detokenize([idx]) for idx in range(num_ids)])
        self._held: list[int] = []

    def describe(self) -> dict[str, Any]:
        """Versions, and the instructions that the library was built for."""
        return {
            "llama_cpp_python": self._library.__version__,
            "system_info": self._library.llama_print_system_info().decode().strip(),
            "num_threads": self._llama.n_threads,
            "model": self._llama.metadata.get("general.name", "unknown"),
        }

    def forget(self) -> None:
        """Empty the KV cache."""
        self._llama.reset()
        self._held = []

    def read(self, prompt: str) -> None:
        """Bring the KV cache to a prompt without writing."""
        token_ids, _ = self._healed(prompt)
        self._evaluate(token_ids)

    def write(self, prompt: str, fixed_tokens: int, most_tokens: int) -> dict[str, Any]:
        """Write the rest of a line and, whatever it holds, at least `fixed_tokens` tokens.

        Args:
            prompt: all that stands before the cursor.
            fixed_tokens: go on to this many, beyond the line's end or the text's.
            most_tokens: a line that has not ended by then ends there; at least `fixed_tokens`.

        Returns:
            The line without its newline; milliseconds from the request to the first token, to the
            line's end and to the last of the fixed tokens; the line's tokens, and the prompt's
            tokens that were evaluated.
        """
        begin_s = time.perf_counter()
        token_ids, given = self._healed(prompt)
        num_evaluated = self._evaluate(token_ids)
        token_id = self._likeliest(self._pieces.beginning_with(given) if given else None)
        first_ms = line_ms = fixed_ms = (time.perf_counter() - begin_s) * 1000.0
        written, line, num_tokens, line_tokens = b"", None, 0, 0
        while True:
            num_tokens += 1
            elapsed_ms = (time.perf_counter() - begin_s) * 1000.0
            if line is None:
                piece = self._pieces[token_id]
                written += piece
                line = line_in(written, len(given))
                if line is None and (not piece or num_tokens == most_tokens):
                    line = written[len(given) :]
                line_ms, line_tokens = elapsed_ms, num_tokens
            if num_tokens == fixed_tokens:
                fixed_ms = elapsed_ms
            if line is not None and num_tokens >= fixed_tokens:
                break
            self._llama.eval([token_id])
            self._held.append(token_id)
            token_id = self._likeliest()
        return {
            "line": line.decode("utf-8", errors="replace"),
            "first_ms": first_ms,
            "line_ms": line_ms,
            "fixed_ms": fixed_ms,
            "line_tokens": line_tokens,
            "prompt_tokens": len(token_ids),
            "evaluated_tokens": num_evaluated,
        }

    def _healed(self, prompt: str) -> tuple[list[int], bytes]:
        """The prompt's tokens less the last, and its bytes: the first token must begin with them.

        A tokenizer joins a line's end and the next line's indentation; a prompt that ends between
        the two ends in a token that the model has hardly seen there. Unhealed, SmolLM2 indented
        none of 40 lines rightly and left 27 blank; healed, 38 and none.
        """
        token_ids = self._llama.tokenize(prompt.encode("utf-8"), add_bos=True, special=False)
        token_ids = kept_tail(token_ids, self._context_tokens)
        if len(token_ids) < 2:
            return token_ids, b""
        return token_ids[:-1], self._pieces[token_ids[-1]]

    def _evaluate(self, token_ids: list[int]) -> int:
        """Bring the KV cache to these tokens; returns how many were computed, one at least."""
        num_kept = min(num_common(self._held, token_ids), len(token_ids) - 1)
        self._llama.n_tokens = num_kept
        self._llama.eval(token_ids[num_kept:])
        self._held = list(token_ids)
        return len(token_ids) - num_kept

    def _likeliest(self, allowed: list[int] | None = None) -> int:
        """The next token, of the allowed ones if any are named."""
        pointer = self._library.llama_get_logits_ith(self._llama.ctx, -1)
        logits = self._numpy.ctypeslib.as_array(pointer, shape=(self._llama.n_vocab(),))
        if allowed:
            return allowed[int(logits[allowed].argmax())]
        return int(logits.argmax())


def main() -> None:
    """Load the model that the arguments name, say what it is, then answer until stdin ends."""
    model_path, num_threads, context_tokens = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # whatever the library prints is no answer
        writer = Writer(model_path, num_threads, context_tokens)
        _answer(answers, writer.describe())
        for line in sys.stdin:
            request = json.loads(line)
            if request.pop("is_cold", False):
                writer.forget()
            if request.get("fixed_tokens"):
                _answer(answers, writer.write(**request))
            else:
                writer.read(request["prompt"])
                _answer(answers, {})


def _answer(answers: Any, values: dict[str, Any]) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
