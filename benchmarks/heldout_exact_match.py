"""Exact match by language on packages never trained on: `python -m benchmarks.heldout_exact_match`.

Rest-of-line gaps, filled by the engine in line mode as an editor asks for them, with and without
drafts from the file. The last line is one JSON object. Knows nothing of how gaps are filled.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import read_generation_config
from lsp_server.settings import ServerSettings
from training.examples import SourceFile, read_corpus
from training.gap_filling import Gap, Guess, gaps, guess
from training.gap_filling import summary as summary_line

LANGUAGES = ("python", "typescript", "javascript", "go", "rust", "c", "java")
_SHOWN_AT = ServerSettings().min_confidence


def score(guesses: list[Guess]) -> dict[str, float]:
    """Shares of all gaps: exactly right, something shown, all that is shown right."""
    count = max(len(guesses), 1)
    shown = [(one.result.num_trusted_chars(_SHOWN_AT), one.num_right_chars) for one in guesses]
    num_shown = sum(chars > 0 for chars, _ in shown)
    num_right = sum(0 < chars <= right for chars, right in shown)
    return {
        "exact_match": sum(one.is_exact for one in guesses) / count,
        "shown": num_shown / count,
        "shown_right": num_right / max(num_shown, 1),
    }


def gaps_of(files: list[SourceFile], language: str, count: int, seed: int) -> list[Gap]:
    """Gaps in files of one language.

    Raises:
        ValueError: there is no such file.
    """
    chosen = [file for file in files if file.language == language]
    if not chosen:
        found = sorted({file.language for file in files})
        raise ValueError(f"no file in {language!r}; the corpus has {', '.join(found)}")
    return list(gaps(chosen, count, seed))


def main() -> None:
    """Score every language twice; print a line for each and one JSON object."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.heldout_exact_match", description=__doc__
    )
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--split", choices=["dev", "heldout"], default="heldout")
    add("--languages", nargs="+", default=list(LANGUAGES))
    add("--gaps", type=int, default=200, help="per language")
    add("--seed", type=int, default=0)
    flags = parser.parse_args()
    machine = describe_machine()
    files = read_corpus(flags.corpus / f"{flags.split}.jsonl")
    generation = read_generation_config(flags.model)
    engines = {
        drafts: Engine.load(
            EngineConfig(model=str(flags.model)),
            generation=generation if drafts else dataclasses.replace(generation, drafting=None),
        )
        for drafts in (True, False)
    }
    scores: dict[str, Any] = {}
    for language in flags.languages:
        found = gaps_of(files, language, flags.gaps, flags.seed)
        packages = sorted({file.package for file in files if file.language == language})
        scores[language] = {"packages": packages}
        for drafts, engine in engines.items():
            guesses = [guess(engine, gap) for gap in found]
            kind = "with drafts" if drafts else "model alone"
            print(summary_line(f"{language}, {kind}", guesses), flush=True)
            scores[language][kind] = score(guesses)
    settings = {"split": flags.split, "gaps": flags.gaps, "seed": flags.seed}
    print(json.dumps({"machine": machine.to_dict(), **settings, "languages": scores}))


if __name__ == "__main__":
    main()
