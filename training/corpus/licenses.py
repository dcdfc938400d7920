"""Decides from a package's own metadata whether its files may be trained on.

Permissive licences only. Reads PyPI core metadata, npm's package.json and Debian's
machine-readable copyright files; does not read licence texts and does not guess.
"""

import json
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from fnmatch import fnmatchcase

_PERMISSIVE = re.compile(
    r"""^(the\ )?(
    (x11-?|expat|modified\ )?mit([ -]cmu|-0|-style|\ license)?|expat([ -].*)?|
    (new|modified|simplified|revised|[23]-clause)?[ -]*bsd([- ](2|3|google|new|style).*)?|
    bsd[- ]licen[cs]e|0bsd|(2|3)-clause\ bsd.*|bsd,?\ (2|3)-clause.*|
    apache([- ]?(software\ )?(licen[cs]e)?,?[ -]?v?(version\ )?2?(\.0)?)?|
    apache-2(\.0)?|asl-?2(\.0)?|
    isc(\ licen[cs]e.*)?|psf(-2\.0|l)?|python-2\.0(\.1)?|
    python\ software\ foundation.*|zlib(-acknowledgement|/libpng)?|libpng(-2\.0)?|
    unlicense|the\ unlicense.*|cc0(-1\.0)?.*|public[- ]domain|
    curl|postgresql|hpnd|biopython.*|blessing|boost.*|bsl-1\.0|unicode-(3\.0|dfs-2016|dfs-2015)|
    zpl-?2\.1|ncsa|w3c|blueoak-1\.0\.0
    )(\ licen[cs]e)?$""",
    re.IGNORECASE | re.VERBOSE,
)
_MAX_LICENSE_FIELD_CHARS = 120  # longer "License:" fields hold the whole text, not a name


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the metadata said, and whether all of it is permissive."""

    license: str
    is_permissive: bool


def _is_permissive_name(name: str) -> bool:
    name = re.sub(r"\s+with\s+.*exception.*$", "", name.strip(), flags=re.IGNORECASE)
    return bool(_PERMISSIVE.match(name.strip(" .,\"'")))


def judge_expression(expression: str) -> Verdict:
    """Judge an SPDX-like expression; of alternatives joined by OR one permissive is enough."""
    flat = re.sub(r"[()]", " ", expression).strip()
    has_both = re.search(r"\bor\b", flat, re.I) and re.search(r"\band\b", flat, re.I)
    if "(" in expression and has_both:
        # Nesting is not resolved: every name in a mixed expression has to be permissive.
        alternatives = [re.sub(r"\bor\b", "and", flat, flags=re.IGNORECASE)]
    else:
        alternatives = re.split(r"\s+or\s+|\s*/\s*(?!libpng)", flat, flags=re.IGNORECASE)
    permissive = any(
        all(
            _is_permissive_name(name)
            for name in re.split(r"\s+and\s+|\s*[&;]\s*", alternative, flags=re.I)
        )
        for alternative in alternatives
    )
    return Verdict(expression.strip(), permissive)


def judge_pypi_metadata(metadata: str) -> Verdict:
    """Judge a METADATA file: License-Expression, else the classifiers, else a short License."""
    headers = HeaderParser().parsestr(metadata)
    expression = headers.get("License-Expression")
    if expression:
        return judge_expression(expression)
    classifiers = [
        value.split("::")[-1].strip()
        for value in headers.get_all("Classifier") or []
        if value.startswith("License ::") and not value.endswith("OSI Approved")
    ]
    named = headers.get("License") or ""
    is_short = 0 < len(named.strip()) <= _MAX_LICENSE_FIELD_CHARS and "\n" not in named.strip()
    if classifiers:
        verdicts = [judge_expression(name) for name in classifiers]
        return Verdict(" AND ".join(classifiers), all(v.is_permissive for v in verdicts))
    if is_short:
        return judge_expression(named)
    return Verdict("not stated in the metadata", False)


def judge_package_json(text: str) -> Verdict:
    """Judge npm's `license` field."""
    field = json.loads(text).get("license", "")
    if isinstance(field, dict):
        field = field.get("type", "")
    if not isinstance(field, str) or not field:
        return Verdict("not stated in package.json", False)
    return judge_expression(field)


class DebianCopyright:
    """Licence by file, from a machine-readable debian/copyright."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[str, Verdict]] = []
        for stanza in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
            files = re.search(r"^Files:((?:.*\n?)(?:[ \t].*\n?)*)", stanza, re.MULTILINE)
            license_name = re.search(r"^License:[ \t]*(.*)$", stanza, re.MULTILINE)
            if files and license_name:
                verdict = judge_expression(license_name.group(1))
                self._rules += [
                    (pattern, verdict) for pattern in re.split(r"[\s,]+", files.group(1)) if pattern
                ]

    @property
    def is_machine_readable(self) -> bool:
        """False when no stanza names files: then nothing can be said and nothing is kept."""
        return bool(self._rules)

    def judge(self, path: str) -> Verdict:
        """Judge one file by the last stanza that matches it, as the format prescribes."""
        verdict = Verdict("no stanza matches", False)
        for pattern, candidate in self._rules:
            if fnmatchcase(path, pattern):
                verdict = candidate
        return verdict
