"""A gap in a source file: what is asked of the engine and how the answer goes back in.

Knows nothing of where the answer comes from.
"""

from dataclasses import dataclass

from infill_cli.language import language_of, shown_path
from infill_cli.source_file import SourceFile, with_plain_newlines
from infill_engine.api import InfillRequest, Mode

_MAX_SIDE_CHARS = 1_000_000
"""Kept on each side of the gap: more than the longest context of any checkpoint can hold."""
DEFAULT_MAX_NEW_TOKENS: dict[Mode, int] = {"line": 64, "block": 256, "rewrite": 512}


@dataclass(frozen=True, slots=True)
class Gap:
    """The characters `start` to `end` of a file, to be replaced; empty at a bare cursor."""

    source: SourceFile
    start: int
    end: int

    @property
    def prefix(self) -> str:
        """Text before the gap, as much as a model can use, with plain newlines."""
        kept_from = max(0, self.start - _MAX_SIDE_CHARS)
        return with_plain_newlines(self.source.text[kept_from : self.start])

    @property
    def suffix(self) -> str:
        """Text after the gap, as much as a model can use, with plain newlines."""
        return with_plain_newlines(self.source.text[self.end : self.end + _MAX_SIDE_CHARS])

    def request(
        self,
        mode: Mode,
        instruction: str = "",
        max_new_tokens: int | None = None,
        seed: int = 0,
    ) -> InfillRequest:
        """Return the request that fills this gap; raises as `InfillRequest` does."""
        selection = self.source.text[self.start : self.end] if mode == "rewrite" else ""
        return InfillRequest(
            prefix=self.prefix,
            suffix=self.suffix,
            language_id=language_of(self.source.path),
            path=shown_path(self.source.path),
            mode=mode,
            selection=with_plain_newlines(selection),
            instruction=instruction,
            max_new_tokens=(
                max_new_tokens if max_new_tokens is not None else DEFAULT_MAX_NEW_TOKENS[mode]
            ),
            seed=seed,
        )

    def filled(self, middle: str) -> str:
        """Return the file's whole text with `middle` in the gap, in the file's newlines."""
        text = self.source.text
        return text[: self.start] + self.source.in_its_newlines(middle) + text[self.end :]
