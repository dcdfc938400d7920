"""Turns the list of packages into cleaned, deduplicated corpus files and a manifest.

Order per file: licence, path, text, contamination, duplicates, the package's caps. Writes
`heldout.jsonl`, `dev.jsonl` and `train.jsonl`, one file a line:
{"package", "language", "path", "text"}. Knows nothing of tokens.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

from training.corpus.cleaning import clean, is_test_path, language_of, reason_to_drop_path
from training.corpus.contamination import ContaminationFilter
from training.corpus.dedup import Deduplicator
from training.corpus.fetch import FetchError, Package, fetch
from training.corpus.sources import Source

_MAX_TEST_FRACTION = 0.15
_NUM_DOWNLOADS_AHEAD = 3


@dataclass(slots=True)
class PackageRecord:
    """One row of the manifest."""

    package: str
    ecosystem: str
    split: str
    version: str = ""
    license: str = ""
    kept_files: int = 0
    kept_bytes: int = 0
    refused: str = ""
    dropped: dict[str, int] = field(default_factory=dict)
    contaminated: list[str] = field(default_factory=list)


def _is_included(path: str, patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return True
    return any(
        path.startswith(pattern) if pattern.endswith("/") else fnmatchcase(path, pattern)
        for pattern in patterns
    )


def select_files(
    source: Source,
    package: Package,
    contamination: ContaminationFilter | None,
    duplicates: Deduplicator,
    record: PackageRecord,
) -> Iterator[tuple[str, str, str]]:
    """Yield (path, language, text) of the files worth keeping.

    Modifies: `duplicates` remembers the kept files; `record` counts what was kept and dropped.
    """
    dropped: Counter[str] = Counter()
    num_test_bytes = 0
    paths = sorted(path for path in package.files if language_of(path))
    # A seeded order, so that a cap keeps a cross-section rather than the first folders.
    random.Random(source.name).shuffle(paths)
    for path in paths:
        language = language_of(path)
        if language is None or not _is_included(path, source.include):
            continue
        if (
            package.file_licenses
            and not package.file_licenses.judge(_bare_path(path)).is_permissive
        ):
            dropped["file licence"] += 1
            continue
        reason = reason_to_drop_path(path)
        if reason is None:
            text, reason = clean(package.files[path])
            if text is not None:
                num_bytes = len(text.encode())
                is_test = is_test_path(path)
                if record.kept_bytes + num_bytes > source.max_bytes:
                    reason = "package cap"
                elif is_test and num_test_bytes + num_bytes > _MAX_TEST_FRACTION * max(
                    record.kept_bytes, source.max_bytes // 20
                ):
                    reason = "test cap"
                else:
                    reason = contamination.reason_to_drop(text) if contamination else None
                    if reason:
                        record.contaminated.append(f"{path}: {reason}")
                    reason = reason or duplicates.reason_to_drop(text)
                if not reason:
                    num_test_bytes += num_bytes if is_test else 0
                    record.kept_files += 1
                    record.kept_bytes += num_bytes
                    yield path, language, text
        if reason:
            dropped[reason] += 1
    record.dropped = dict(sorted(dropped.items()))


def _bare_path(path: str) -> str:
    """Return a path as debian/copyright names it: without the tarball's top folder."""
    for marker in ("usr/share/gocode/src/", "usr/share/cargo/registry/", "usr/src/"):
        if path.startswith(marker):
            return path.removeprefix(marker)
    return path.split("/", 1)[-1]


def build(
    sources: list[Source],
    out: Path,
    downloads: Path,
    contamination: ContaminationFilter | None,
) -> dict[str, object]:
    """Build the corpus of `sources` in `out` and return the manifest."""
    out.mkdir(parents=True, exist_ok=True)
    duplicates = Deduplicator()
    records: list[PackageRecord] = []
    num_bytes_by_language: Counter[str] = Counter()
    with ThreadPoolExecutor(_NUM_DOWNLOADS_AHEAD) as pool:
        writers = {name: _open(out / f"{name}.jsonl") for name in ("heldout", "dev", "train")}
        for start in range(0, len(sources), _NUM_DOWNLOADS_AHEAD):
            group = sources[start : start + _NUM_DOWNLOADS_AHEAD]
            for source, package in zip(
                group, pool.map(lambda s: _try_fetch(s, downloads), group), strict=True
            ):
                record = PackageRecord(source.name, source.ecosystem, source.split)
                records.append(record)
                if isinstance(package, str):
                    record.refused = package
                    continue
                record.version, record.license = package.version, package.license.license
                if not package.license.is_permissive:
                    record.refused = "licence is not on the permissive list"
                    continue
                for path, language, text in select_files(
                    source, package, contamination, duplicates, record
                ):
                    row = {"package": source.name, "language": language, "path": path, "text": text}
                    writers[source.split].write(json.dumps(row, ensure_ascii=False) + "\n")
                    num_bytes_by_language[f"{source.split}/{language}"] += len(text.encode())
                print(f"{source.name}: {record.kept_bytes / 1e6:.1f} MB", flush=True)
        for writer in writers.values():
            writer.close()
    return _manifest(records, num_bytes_by_language, contamination)


def _open(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="\n")


def _try_fetch(source: Source, downloads: Path) -> Package | str:
    try:
        return fetch(source, downloads)
    except (FetchError, OSError, StopIteration) as error:
        return f"not fetched: {error}"


def _manifest(
    records: list[PackageRecord],
    num_bytes_by_language: Counter[str],
    contamination: ContaminationFilter | None,
) -> dict[str, object]:
    dropped: Counter[str] = Counter()
    for record in records:
        dropped.update(record.dropped)
    return {
        "kept_bytes": {
            split: sum(r.kept_bytes for r in records if r.split == split)
            for split in ("train", "dev", "heldout")
        },
        "kept_files": {
            split: sum(r.kept_files for r in records if r.split == split)
            for split in ("train", "dev", "heldout")
        },
        "bytes_by_split_and_language": dict(sorted(num_bytes_by_language.items())),
        "dropped_files": dict(sorted(dropped.items())),
        "contamination": {
            "was_checked": contamination is not None,
            "hits": sum(n for reason, n in dropped.items() if reason.startswith("benchmark")),
            "benchmark_windows": contamination.num_windows if contamination else 0,
        },
        "packages": [{k: v for k, v in asdict(r).items() if v} for r in records],
    }
