"""Drops files that repeat what has been kept already, exactly or nearly.

Near duplicates are found by line overlap: a file of whose longer lines most have been seen in kept
files adds little. One pass, first come first kept. Knows nothing of packages or languages.
"""

import hashlib

_MIN_LINE_CHARS = 16  # shorter lines ("return None", "}") are shared by unrelated files
_MIN_NUM_LINES = 5
_MAX_SEEN_FRACTION = 0.6


class Deduplicator:
    """Remembers hashes of kept texts and of their lines."""

    def __init__(self) -> None:
        self._texts: set[bytes] = set()
        self._lines: set[int] = set()

    def reason_to_drop(self, text: str) -> str | None:
        """Return why a text repeats what was kept; None keeps it and remembers it.

        Modifies: the memory of seen texts and lines, only when None is returned.
        """
        digest = hashlib.blake2b("".join(text.split()).encode(), digest_size=16).digest()
        if digest in self._texts:
            return "exact duplicate"
        stripped = (line.strip() for line in text.splitlines())
        hashes = {hash(line) for line in stripped if len(line) >= _MIN_LINE_CHARS}
        num_seen = len(hashes & self._lines)
        if len(hashes) >= _MIN_NUM_LINES and num_seen > _MAX_SEEN_FRACTION * len(hashes):
            return "near duplicate"
        self._texts.add(digest)
        self._lines |= hashes
        return None
