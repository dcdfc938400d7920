"""Downloads packages by name through the ordinary clients and yields the files inside.

pip for PyPI wheels, `npm pack` for npm, apt-get for Debian. Nothing is installed and no code of a
package is run. Judges nothing: licence and quality are decided by the callers.
"""

import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpus.licenses import (
    DebianCopyright,
    Verdict,
    judge_package_json,
    judge_pypi_metadata,
)
from training.corpus.sources import Source

_MAX_MEMBER_BYTES = 2_000_000  # larger members are never source text worth keeping


class FetchError(Exception):
    """A package could not be downloaded or holds no metadata; the manifest says why."""


@dataclass(frozen=True, slots=True)
class Package:
    """A downloaded package: its version, its licence, and its files as (path, bytes).

    `file_licenses` holds per-file licences where the ecosystem has them (Debian).
    """

    version: str
    license: Verdict
    files: dict[str, bytes]
    file_licenses: DebianCopyright | None = None


def fetch(source: Source, downloads: Path) -> Package:
    """Download (once) and open a package.

    Raises:
        FetchError: the client failed or the package has no readable metadata.
    """
    folder = downloads / source.ecosystem / source.name.replace("/", "+")
    folder.mkdir(parents=True, exist_ok=True)
    if source.ecosystem == "stdlib":
        return _open_stdlib()
    if source.ecosystem == "pypi":
        return _fetch_pypi(source.name, folder)
    if source.ecosystem == "npm":
        return _fetch_npm(source.name, folder)
    if source.ecosystem == "debian":
        return _fetch_debian_binary(source.name, folder)
    return _fetch_debian_source(source.name, folder, downloads)


def _run(command: list[str], cwd: Path) -> None:
    # Commands are relative to the package's own download folder.
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        told = next((line for line in lines if line.startswith(("E:", "ERROR"))), lines[-1])
        # The message goes to the manifest, where mirrors and addresses have no business.
        reason = re.sub(r"\S+://\S+|\[IP:[^]]*\]", "...", told)
        raise FetchError(f"{Path(command[0]).name} failed: {reason[:200]}")


def _only(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)


def _members_of_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            handle = archive.extractfile(member) if member.isfile() else None
            if handle is not None and member.size <= _MAX_MEMBER_BYTES:
                yield member.name, handle.read()


def _open_stdlib() -> Package:
    root = Path(sysconfig.get_paths()["stdlib"])
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*.py"))
        if not {"site-packages", "dist-packages", "idlelib", "lib2to3"} & set(path.parts)
    }
    return Package(sys.version.split()[0], Verdict("PSF-2.0", True), files)


def _fetch_pypi(name: str, folder: Path) -> Package:
    if _only(folder, "*.whl") is None:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        _run([*pip, "--dest", ".", name], folder)
    wheel = _only(folder, "*.whl")
    if wheel is None:
        raise FetchError("pip downloaded no wheel")
    with zipfile.ZipFile(wheel) as archive:
        metadata_name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = archive.read(metadata_name).decode("utf-8", "replace")
        files = {
            info.filename: archive.read(info)
            for info in archive.infolist()
            if info.filename.endswith(".py") and info.file_size <= _MAX_MEMBER_BYTES
        }
    version = wheel.name.split("-")[1]
    return Package(version, judge_pypi_metadata(metadata), files)


def _fetch_npm(name: str, folder: Path) -> Package:
    if _only(folder, "*.tgz") is None:
        _run(["npm", "pack", "--silent", name], folder)
    tarball = _only(folder, "*.tgz")
    if tarball is None:
        raise FetchError("npm packed nothing")
    # Members sit in one top folder, usually "package/".
    files = {path.split("/", 1)[-1]: data for path, data in _members_of_tar(tarball)}
    if "package.json" not in files:
        raise FetchError("no package.json")
    match = re.search(r"-(\d[^/]*)\.tgz$", tarball.name)
    version = match.group(1) if match else "unknown"
    return Package(version, judge_package_json(files["package.json"].decode("utf-8")), files)


def _fetch_debian_binary(name: str, folder: Path) -> Package:
    if _only(folder, "*.deb") is None:
        _run(["apt-get", "download", "-q", name], folder)
    deb = _only(folder, "*.deb")
    if deb is None:
        raise FetchError("apt-get downloaded nothing")
    unpacked = folder / "unpacked"
    if not unpacked.exists():
        _run(["dpkg-deb", "-x", deb.name, "unpacked"], folder)
    copyright_file = unpacked / "usr/share/doc" / name / "copyright"
    if not copyright_file.is_file():
        raise FetchError("no copyright file in the package")
    files = {
        path.relative_to(unpacked).as_posix(): path.read_bytes()
        for path in sorted(unpacked.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MAX_MEMBER_BYTES
    }
    text = copyright_file.read_text(encoding="utf-8", errors="replace")
    return _debian_package(deb.name.split("_")[1], text, files)


def _fetch_debian_source(name: str, folder: Path, downloads: Path) -> Package:
    if _only(folder, "*.dsc") is None:
        _run(
            ["apt-get", *_source_options(downloads), "source", "-q", "--download-only", name],
            folder,
        )
    dsc = _only(folder, "*.dsc")
    orig = _only(folder, "*.orig.tar.*[!c]")
    packaging = _only(folder, "*.debian.tar.*")
    if dsc is None or orig is None or packaging is None:
        raise FetchError("no orig and debian tarballs in the source package")
    debian_files = dict(_members_of_tar(packaging))
    copyright_text = debian_files.get("debian/copyright", b"").decode("utf-8", "replace")
    return _debian_package(dsc.stem.split("_")[1], copyright_text, dict(_members_of_tar(orig)))


def _source_options(downloads: Path) -> list[str]:
    """Options that give apt-get the machine's own archives as source archives, privately."""
    root = (downloads / "apt").resolve()
    options = [
        f"-oDir::Etc::sourceparts={root}/parts",
        "-oDir::Etc::sourcelist=/dev/null",
        f"-oDir::State::lists={root}/lists",
    ]
    if not (root / "lists").exists():
        (root / "parts").mkdir(parents=True, exist_ok=True)
        (root / "lists" / "partial").mkdir(parents=True)
        for path in Path("/etc/apt/sources.list.d").glob("debian*.sources"):
            text = re.sub(r"(?m)^Types:.*$", "Types: deb-src", path.read_text(encoding="utf-8"))
            (root / "parts" / path.name).write_text(text, encoding="utf-8")
        _run(["apt-get", *options, "update", "-q"], root)
    return options


def _debian_package(version: str, copyright_text: str, files: dict[str, bytes]) -> Package:
    file_licenses = DebianCopyright(copyright_text)
    if not file_licenses.is_machine_readable:
        return Package(version, Verdict("debian/copyright is not machine-readable", False), {})
    return Package(version, file_licenses.judge("any-file"), files, file_licenses)
