"""What a keystroke costs before the engine is asked: `python -m benchmarks.context_overhead`.

Types and deletes in Python files of 10,000 and 100,000 lines, beside two other open documents, and
times what the language server does of syntax and context. Needs no engine, no editor and no model.
Knows nothing of what the snippets are worth.
"""

import argparse
import json
import random
import sysconfig
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.distribution import percentile
from benchmarks.machine import describe_machine
from lsp_server.context import fill_mode, position_kind
from lsp_server.context.snippets import SnippetChooser
from lsp_server.documents import OpenDocument, TextEdit

_SOURCES = ("argparse.py", "tarfile.py", "ast.py", "typing.py", "inspect.py")
_OTHERS = ("textwrap.py", "shutil.py")
_STEPS = ("edit", "view", "snippets", "all")
"""Applying the edit; code, comment or string, and line or block; the choice of snippets, with
bringing the tree up to date; the sum."""
_IDLE_SLICES = 8  # of 2 ms, with pauses of 4 ms, in the 50 ms that are left after 50 of quiet
_TYPED = 'result = self.format_item(key, [1, 2], "a {} b")  # done\n        '


def measure(num_lines: int, num_keystrokes: int, seed: int) -> dict[str, Any]:
    """Return the distributions in milliseconds for a file of about `num_lines` lines."""
    choose = random.Random(seed)
    document = _document("big.py", _text_of(num_lines))
    others = [_document(name, _stdlib(name)) for name in _OTHERS]
    chooser = SnippetChooser()
    times: dict[str, list[float]] = {name: [] for name in _STEPS}
    begin_s = time.perf_counter()
    num_slices = 1
    while document.syntax.parse(document.lines) is None:
        num_slices += 1
    first_parse_ms = (time.perf_counter() - begin_s) * 1000
    line_idx = char_offset = num_same = 0
    previous: object = None
    for stroke in range(num_keystrokes):
        if stroke % len(_TYPED) == 0:
            line_idx, char_offset = _some_place(document, choose)
            previous = None
        char = _TYPED[stroke % len(_TYPED)]
        stamps = [time.perf_counter()]
        edit = document.apply(
            TextEdit(line_idx, char_offset, line_idx, char_offset, char), "utf-16"
        )
        document.version += 1
        chooser.recent.note_edit(document, edit)
        line_idx, char_offset = (line_idx + 1, 0) if char == "\n" else (line_idx, char_offset + 1)
        stamps.append(time.perf_counter())
        view = document.gap_view(line_idx, char_offset)
        position_kind(view)
        if view is not None:
            fill_mode(view)
        stamps.append(time.perf_counter())
        snippets = chooser.choose(
            document, line_idx, char_offset, [document, *others], lambda uri: uri
        )
        stamps.append(time.perf_counter())
        _pause(document)
        num_same += previous is not None and snippets == previous
        previous = snippets
        steps = [(b - a) * 1000 for a, b in pairwise(stamps)]
        for name, took_ms in zip(times, [*steps, sum(steps)], strict=True):
            times[name].append(took_ms)
    num_places = -(-num_keystrokes // len(_TYPED))
    return {
        "num_lines": len(document.lines),
        "first_parse_ms": round(first_parse_ms, 1),
        "first_parse_slices": num_slices,
        "same_snippets_share": round(num_same / (num_keystrokes - num_places), 4),
        **{f"{name}_ms": _percentiles(values) for name, values in times.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keystrokes", type=int, default=600, help="per file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    machine = describe_machine()
    print(machine)
    files = [measure(count, arguments.keystrokes, arguments.seed) for count in (10_000, 100_000)]
    for file in files:
        print(
            f"\n{file['num_lines']} lines: first parse {file['first_parse_ms']} ms in "
            f"{file['first_parse_slices']} slices, snippets the same at "
            f"{file['same_snippets_share']:.1%} of keystrokes at one place"
        )
        for name in _STEPS:
            values = file[f"{name}_ms"]
            print(f"  {name:<8} p50 {values['p50']:7.3f}  p99 {values['p99']:7.3f} ms")
    if arguments.json:
        print(json.dumps({"machine": machine.to_dict(), "seed": arguments.seed, "files": files}))


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{percent}": round(percentile(values, percent), 3) for percent in (50, 95, 99, 100)}


def _pause(document: OpenDocument) -> None:
    """Parse as `IdleParsing` does until the next keystroke, 100 ms later."""
    for _ in range(_IDLE_SLICES):
        if document.syntax.parse(document.lines) is not None:
            break


def _some_place(document: OpenDocument, choose: random.Random) -> tuple[int, int]:
    """Return the end of some line of code within a function."""
    while True:
        line_idx = choose.randrange(len(document.lines) - 1)
        line = document.lines[line_idx].rstrip("\n")
        if line.startswith("        ") and line.endswith(")"):
            edit = TextEdit(line_idx, len(line), line_idx, len(line), "\n        ")
            document.apply(edit, "utf-16")
            return line_idx + 1, 8


def _text_of(num_lines: int) -> str:
    text = "".join(_stdlib(name) for name in _SOURCES)
    lines = text.splitlines(keepends=True)
    return "".join((lines * (num_lines // len(lines) + 1))[:num_lines])


def _stdlib(name: str) -> str:
    return Path(sysconfig.get_path("stdlib"), name).read_text(encoding="utf-8")


def _document(name: str, text: str) -> OpenDocument:
    return OpenDocument(name, "python", 1, text)


if __name__ == "__main__":
    main()
