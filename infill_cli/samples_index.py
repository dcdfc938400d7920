"""The sample files that ship with the project, and the gap to cut into each.

Every sample is a whole, valid file; `samples/gaps.json` says which piece the demo takes out
before the model sees the rest. Knows nothing of models.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from infill_cli.gap import Gap
from infill_cli.source_file import read_source_file

SAMPLES_FOLDER = Path(__file__).parent / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample file with the piece to take out.

    Attributes:
        file: file name inside `SAMPLES_FOLDER`.
        language: its language, for people.
        line: 1-based line at which the gap starts.
        column: 1-based column at which it starts, in characters.
        middle: what stands there, and what the demo takes out.
    """

    file: str
    language: str
    line: int
    column: int
    middle: str

    def cut(self) -> Gap:
        """Return the file with the gap in place of `middle`."""
        source = read_source_file(SAMPLES_FOLDER / self.file)
        start = source.offset(self.line, self.column)
        return Gap(source, start, start + len(self.middle))


def read_samples() -> list[Sample]:
    """Return all samples in the order to show them."""
    entries = json.loads((SAMPLES_FOLDER / "gaps.json").read_text(encoding="utf-8"))
    return [Sample(**entry) for entry in entries]
