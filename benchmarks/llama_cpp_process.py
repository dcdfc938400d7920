"""Starts `llama_cpp_worker`, asks it and ends it.

The process gets this one's cores and environment, less the two OpenMP settings that our engine
makes for itself: llama.cpp keeps its own defaults. Knows nothing of gaps.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infill_engine.api import ConfigError, EngineUnavailable

_ROOT = Path(__file__).parent.parent
_SETTINGS_OF_OUR_ENGINE = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Written:
    """One line that llama.cpp wrote, and what it cost; see `llama_cpp_worker.Writer.write`.

    Attributes:
        line: without its newline.
        first_ms: from request to the first token.
        line_ms: to the line's end.
        fixed_ms: to the last of the fixed number of tokens, whatever they hold.
        line_tokens: tokens up to the line's end.
        prompt_tokens: tokens of the prompt.
        evaluated_tokens: of those, computed; the others were in the KV cache.
    """

    line: str
    first_ms: float
    line_ms: float
    fixed_ms: float
    line_tokens: int
    prompt_tokens: int
    evaluated_tokens: int


class LlamaCpp:
    """The running process.

    Attributes:
        described: what it says of itself: versions, instructions it was built for, model.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.described = self._receive()

    def read(self, prompt: str) -> None:
        """Bring its KV cache to a prompt, as an editor's request a keystroke ago did.

        Raises:
            EngineUnavailable: the process has ended.
        """
        self._ask(prompt=prompt)

    def write(
        self, prompt: str, fixed_tokens: int, most_tokens: int, is_cold: bool = False
    ) -> Written:
        """Write behind a prompt; when cold, with an empty KV cache.

        Raises:
            EngineUnavailable: the process has ended.
        """
        answer = self._ask(
            prompt=prompt, fixed_tokens=fixed_tokens, most_tokens=most_tokens, is_cold=is_cold
        )
        return Written(**answer)

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._has_ended() from None
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._has_ended()
        return json.loads(line)

    def _has_ended(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"llama.cpp's process has ended with exit code {self._process.wait(_PATIENCE_S)}; what "
            "it said stands above. A llama-cpp-python built on another processor must be built "
            "anew here."
        )


def require_llama_cpp() -> None:
    """Refuse to go on where llama-cpp-python is missing.

    Raises:
        ConfigError: says how to install it.
    """
    if find_spec("llama_cpp") is None:
        raise ConfigError(
            "llama-cpp-python is not installed. It is built for this processor in about ten "
            "minutes, with a C++ compiler: pip install -e '.[peers]'."
        )


@contextmanager
def running_llama_cpp(
    model_path: Path, num_threads: int, context_tokens: int
) -> Iterator[LlamaCpp]:
    """Run llama.cpp with a GGUF file while the block runs.

    Args:
        model_path: the file.
        num_threads: for prompts and for writing.
        context_tokens: of a prompt that are kept.

    Raises:
        EngineUnavailable: it did not start.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _SETTINGS_OF_OUR_ENGINE}
    arguments = [str(model_path.resolve()), str(num_threads), str(context_tokens)]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.llama_cpp_worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        env=environment,
        text=True,
        encoding="utf-8",
    )
    try:
        yield LlamaCpp(process)
    finally:
        process.kill()
        process.communicate()
