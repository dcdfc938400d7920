"""Remembers answers by the text around their gap, so that coming back to a place is free.

Undo and redo, leaving a line and returning to it, deleting what was just typed: the text nearby is
then what it was, and so is the answer. Keys are digests: of the user's code only the answers are
kept, in memory and within a bound. Knows nothing of where in a document
an answer was.
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from lsp_server.speaking.gap import Gap

MAX_BYTES = 1_000_000
"""Of all answers together; one takes some 150 bytes, so this is a day's work."""
KEY_LINES = 12
"""Lines before the cursor that tell one place from another."""
KEY_PREFIX_CHARS = 1500
KEY_SUFFIX_CHARS = 400
LOOK_BACK_CHARS = 60
"""Typed characters over which an answer from before them is found: also a line's end and the
indentation of the next one, when an answer goes on there."""
_OVERHEAD_BYTES = 200


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer of the model.

    Attributes:
        text: what belongs in the gap.
        confidence: probability that all of it is right; None when nobody claims any.
        is_invoked: whether it was asked for by hand.
    """

    text: str
    confidence: float | None = None
    is_invoked: bool = False


class Neighbours:
    """The latest answers, the longest unused dropped first.

    Attributes:
        num_bytes: memory taken, by estimate; never above `max_bytes`.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.num_bytes = 0
        self._max_bytes = max_bytes
        self._answers: OrderedDict[bytes, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def remember(self, uri: str, gap: Gap, answer: Remembered) -> None:
        """Keep an answer; the older one of the same place goes. Modifies: self."""
        self._store(_key(uri, gap, gap.prefix), answer)

    def recall(self, uri: str, gap: Gap) -> Remembered | None:
        """Return what belongs at `gap` in this document, None when that is not known.

        Up to `LOOK_BACK_CHARS` typed since are taken off the answer, if they are how it begins.
        Modifies: the order in which answers are dropped.
        """
        for num_typed in range(min(len(gap.prefix), LOOK_BACK_CHARS) + 1):
            end = len(gap.prefix) - num_typed
            key = _key(uri, gap, gap.prefix[max(end - KEY_PREFIX_CHARS, 0) : end])
            answer = self._answers.get(key)
            if answer is None:
                continue
            typed = gap.prefix[end:]
            if answer.text.startswith(typed) and len(answer.text) > num_typed:
                self._answers.move_to_end(key)
                return Remembered(answer.text[num_typed:], answer.confidence, answer.is_invoked)
        return None

    def clear(self) -> None:
        """Forget everything: after other settings or another model nothing of it holds.

        Modifies: self.
        """
        self._answers.clear()
        self.num_bytes = 0

    def _store(self, key: bytes, answer: Remembered) -> None:
        older = self._answers.pop(key, None)
        if older is not None:
            self.num_bytes -= _num_bytes(older)
        self._answers[key] = answer
        self.num_bytes += _num_bytes(answer)
        while self.num_bytes > self._max_bytes:
            _, dropped = self._answers.popitem(last=False)
            self.num_bytes -= _num_bytes(dropped)


def _num_bytes(answer: Remembered) -> int:
    return _OVERHEAD_BYTES + len(answer.text.encode(errors="replace"))


def _key(uri: str, gap: Gap, prefix: str) -> bytes:
    """Digest of what stands around the end of `prefix`.

    The document is part of it: two that have just been begun look alike and are not.
    """
    near = "\n".join(prefix[-KEY_PREFIX_CHARS:].rsplit("\n", KEY_LINES)[-KEY_LINES:])
    parts = (uri, gap.language_id, near, gap.suffix[:KEY_SUFFIX_CHARS])
    return blake2b("\0".join(parts).encode(errors="replace"), digest_size=16).digest()
