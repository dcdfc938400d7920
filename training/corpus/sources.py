"""Reads sources.toml: which packages the corpus is made of and what is to be done with each.

Knows only names and settings; does not fetch anything and does not judge licences.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Ecosystem = Literal["stdlib", "pypi", "npm", "debian", "debian_source"]
Split = Literal["heldout", "dev", "train"]
Size = Literal["small", "full"]

SOURCES_FILE = Path(__file__).with_name("sources.toml")


@dataclass(frozen=True, slots=True)
class Source:
    """One package: where it comes from, which split it feeds, and how much of it is kept."""

    ecosystem: Ecosystem
    name: str
    split: Split
    max_bytes: int
    include: tuple[str, ...] = ()


def load_sources(size: Size, path: Path = SOURCES_FILE) -> list[Source]:
    """Return the packages of a corpus size.

    Held-out packages come first and training packages last, so that a duplicate file stays on
    the side that is measured and leaves the side that is trained on.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    caps, includes = table["max_mb"], table["include"]
    keys: dict[Split, list[str]] = {
        "heldout": ["heldout"],
        "dev": ["dev"],
        "train": ["train_small"] if size == "small" else ["train_small", "train_full"],
    }
    sources: list[Source] = []
    for split, split_keys in keys.items():
        for ecosystem in get_args(Ecosystem):
            for key in split_keys:
                for name in table.get(ecosystem, {}).get(key, []):
                    max_mb = caps.get(name, table["default_max_mb"])
                    include = tuple(includes.get(name, ()))
                    sources.append(
                        Source(ecosystem, name, split, round(max_mb * 1_000_000), include)
                    )
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"sources.toml names these packages twice: {', '.join(twice)}")
    return sources
