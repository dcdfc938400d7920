"""The text next to a gap: its line on both sides. Knows nothing of answers."""

_MIN_REST_CHARS = 3


def line_before(prefix: str) -> str:
    """Return the gap's line up to the gap."""
    return prefix[prefix.rfind("\n") + 1 :]


def trailing_blanks(prefix: str) -> str:
    """Return the spaces and tabs directly before the gap."""
    line = line_before(prefix)
    return line[len(line.rstrip(" \t")) :]


def num_common(first: str, second: str) -> int:
    """Return how many leading characters two texts have in common."""
    shorter = min(len(first), len(second))
    return next((n for n in range(shorter) if first[n] != second[n]), shorter)


def rest_of_line(suffix: str) -> str:
    """Return the gap's line behind the gap where an answer that ends with it must be repeating.

    Not for brackets alone: an answer has its own to close.
    """
    rest = suffix.partition("\n")[0].rstrip()
    is_telling = len(rest) >= _MIN_REST_CHARS and any(char.isalnum() for char in rest)
    return rest if is_telling else ""
