"""What a client asks to have rewritten, read from a command's arguments.

Arguments are plain JSON that any editor's plugin may send: everything is checked, and what is wrong
is said by name. Knows nothing of documents or of the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

REWRITE_COMMAND = "infill.rewriteSelection"
CANCEL_COMMAND = "infill.cancelRewrite"
_KNOWN = ("uri", "range", "instruction", "version", "strength", "seed", "apply")
_MAX_INSTRUCTION_CHARS = 10_000
DEFAULT_STRENGTH = 0.7


class RewriteRefused(Exception):
    """A rewrite that cannot be done; the message is for the user."""


@dataclass(frozen=True, slots=True)
class RewriteOrder:
    """One selection to rewrite.

    Attributes:
        uri: of an open document.
        range: the selection, in the negotiated position encoding.
        instruction: what is wanted, empty when it is left to the model.
        version: of the document the range belongs to; None when the client does not say.
        strength: 0 to 1, how much of the selection is given up at the start: 1 begins from noise,
            less begins from the selection's own tokens, so many of them renoised.
        seed: another seed, another try.
        apply: whether the edit is made; else the text is only told, and the client's plugin makes
            the edit when its user has seen it.
    """

    uri: str
    range: types.Range
    instruction: str = ""
    version: int | None = None
    strength: float = DEFAULT_STRENGTH
    seed: int | None = None
    apply: bool = True


def read_order(arguments: Sequence[object]) -> RewriteOrder:
    """Read the arguments of `REWRITE_COMMAND`: one object.

    Raises:
        RewriteRefused: names what is missing or wrong and what is allowed.
    """
    if len(arguments) != 1 or not isinstance(arguments[0], Mapping):
        raise RewriteRefused(
            f"{REWRITE_COMMAND} takes one object with uri, range and, if wanted, instruction, "
            "version, strength, seed and apply."
        )
    given: Mapping[str, Any] = arguments[0]
    unknown = sorted(set(given) - set(_KNOWN))
    if unknown:
        raise RewriteRefused(f"{unknown[0]} is unknown; known are {', '.join(_KNOWN)}.")
    uri, instruction = given.get("uri"), given.get("instruction") or ""
    if not isinstance(uri, str) or not uri:
        raise RewriteRefused("uri is missing: the address of an open document.")
    if not isinstance(instruction, str) or len(instruction) > _MAX_INSTRUCTION_CHARS:
        raise RewriteRefused(
            f"instruction must be a text of at most {_MAX_INSTRUCTION_CHARS} characters."
        )
    return RewriteOrder(
        uri,
        _range(given.get("range")),
        instruction.strip(),
        _whole(given.get("version"), "version"),
        _strength(given.get("strength")),
        _whole(given.get("seed"), "seed"),
        _yes_or_no(given.get("apply", True), "apply"),
    )


def _range(value: object) -> types.Range:
    if not isinstance(value, Mapping):
        raise RewriteRefused("range is missing: {start: {line, character}, end: {...}}.")
    ends: list[types.Position] = []
    for name in ("start", "end"):
        end = value.get(name)
        line, character = _number(end, "line"), _number(end, "character")
        if line is None or character is None:
            raise RewriteRefused(f"range.{name} must have a line and a character, both from 0 up.")
        ends.append(types.Position(line, character))
    if (ends[1].line, ends[1].character) < (ends[0].line, ends[0].character):
        ends.reverse()
    return types.Range(*ends)


def _number(position: object, key: str) -> int | None:
    value = position.get(key) if isinstance(position, Mapping) else None
    return value if type(value) is int and value >= 0 else None


def _whole(value: object, name: str) -> int | None:
    if value is not None and type(value) is not int:
        raise RewriteRefused(f"{name} must be a whole number.")
    return value if isinstance(value, int) else None


def _yes_or_no(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise RewriteRefused(f"{name} must be true or false.")
    return value


def _strength(value: object) -> float:
    if value is None:
        return DEFAULT_STRENGTH
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise RewriteRefused("strength must be a number above 0 and up to 1.")
    return float(value)
