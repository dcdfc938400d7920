"""How close two texts are. Knows nothing of what they are."""


def edit_similarity(one: str, other: str) -> float:
    """Return 1 - Levenshtein distance / length of the longer: 1 for equal texts, 0 at worst."""
    longest = max(len(one), len(other))
    return 1.0 - _levenshtein(one, other) / longest if longest else 1.0


def _levenshtein(one: str, other: str) -> int:
    """Fewest characters inserted, deleted or replaced; row by row, O(len(one) * len(other))."""
    above = list(range(len(other) + 1))
    for row_idx, char in enumerate(one, start=1):
        row = [row_idx]
        for column_idx, other_char in enumerate(other, start=1):
            replaced = above[column_idx - 1] + (char != other_char)
            row.append(min(replaced, above[column_idx] + 1, row[-1] + 1))
        above = row
    return above[-1]
