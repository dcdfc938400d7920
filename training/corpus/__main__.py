"""Command line of the corpus: `python -m training.corpus build`.

Only reads flags and writes the manifest; the work is in build.py.
"""

import argparse
import json
from pathlib import Path

from training.corpus.build import build
from training.corpus.contamination import load_filter
from training.corpus.sources import load_sources


def main() -> None:
    """Parse the flags, build the corpus, write the manifest."""
    parser = argparse.ArgumentParser(prog="python -m training.corpus")
    command = parser.add_subparsers(required=True).add_parser("build", help="download and clean")
    command.add_argument("--out", type=Path, default=Path(".training/corpus"))
    command.add_argument("--downloads", type=Path, default=Path(".training/downloads"))
    command.add_argument("--size", choices=["small", "full"], default="small")
    command.add_argument("--manifest", type=Path, default=Path("training/manifest.json"))
    command.add_argument(
        "--contamination-data",
        type=Path,
        help="folder of benchmark *.jsonl.gz files whose text is excluded, never trained on",
    )
    flags = parser.parse_args()
    contamination = load_filter(flags.contamination_data) if flags.contamination_data else None
    if contamination is None:
        print("warning: no --contamination-data, benchmark text is not excluded")
    manifest = build(load_sources(flags.size), flags.out, flags.downloads, contamination)
    text = json.dumps({"size": flags.size, **manifest}, indent=1, ensure_ascii=False)
    flags.manifest.write_text(text + "\n", encoding="utf-8")
    print(json.dumps({key: manifest[key] for key in ("kept_bytes", "dropped_files")}))


if __name__ == "__main__":
    main()
