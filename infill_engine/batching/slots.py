"""KV slots: caches that keep one prompt each, lent to requests and found again by what they hold.

A request gets the free slot that holds most of its prompt; where none holds enough to be worth
losing the rest of it, the one not used for longest. Slots are made as they are first needed, so
that a lone user has one prompt's memory. Knows nothing of text or of who asks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from infill_engine.api import EngineBusy
from infill_engine.forward import Forward


class Slots:
    """Forwards of one model, each with its own cache. Not safe for use from several threads."""

    def __init__(
        self, first: Forward, max_slots: int, has_room: Callable[[], bool] = lambda: True
    ) -> None:
        """Begin with one slot.

        Args:
            first: the slot made ready when the model was loaded.
            max_slots: never have more, at least 1.
            has_room: whether the device has the memory for one more.
        """
        self._first, self._max_slots, self._has_room = first, max_slots, has_room
        self._free: list[Forward] = [first]  # least recently used first
        self._taken: list[Forward] = []

    @property
    def num_taken(self) -> int:
        """Slots lent at the moment."""
        return len(self._taken)

    @property
    def num_free(self) -> int:
        """Requests that could begin now, counting slots that do not exist yet."""
        return self._max_slots - len(self._taken)

    def forget(self) -> None:
        """Empty every slot that is not lent."""
        for forward in self._free:
            forward.cache.truncate(0)

    def describe(self) -> dict[str, Any]:
        """How requests run and on how many slots, for status displays."""
        held = [forward.describe() for forward in (*self._free, *self._taken)]
        num_cache_bytes = sum(one["num_cache_bytes"] for one in held)
        return {**held[0], "num_cache_bytes": num_cache_bytes, "max_batch": self._max_slots}

    def take(self, prompt_ids: Sequence[int]) -> Forward:
        """Lend the slot that suits a prompt best; `give_back` must follow.

        Raises:
            EngineBusy: all are lent.
        """
        best = max(self._free, key=lambda f: f.cache.num_shared(prompt_ids), default=None)
        if best is None or not _is_worth_keeping(best, prompt_ids):
            best = self._empty() or self._grow() or next(iter(self._free), None)
        if best is None:
            raise EngineBusy(
                f"The engine works on {len(self._taken)} requests and has room for no more. "
                "Try again in a moment."
            )
        self._free = [forward for forward in self._free if forward is not best]
        self._taken.append(best)
        return best

    def give_back(self, forward: Forward) -> None:
        """End the loan; what the slot holds stays for whoever asks for the like of it."""
        self._taken = [taken for taken in self._taken if taken is not forward]
        self._free.append(forward)

    def _empty(self) -> Forward | None:
        return next((forward for forward in self._free if forward.cache.num_tokens == 0), None)

    def _grow(self) -> Forward | None:
        num_slots = len(self._free) + len(self._taken)
        if num_slots >= self._max_slots:
            return None
        if not self._has_room():
            self._max_slots = num_slots
            return None
        try:
            return self._first.sibling()
        except (torch.OutOfMemoryError, MemoryError):
            self._max_slots = num_slots
            return None


def _is_worth_keeping(forward: Forward, prompt_ids: Sequence[int]) -> bool:
    """Whether at least half is shared of what is held or of what is wanted.

    Every prompt begins with the same few tokens; for these no other document's cache is given up.
    """
    num_shared = forward.cache.num_shared(prompt_ids)
    return 2 * num_shared >= min(forward.cache.num_tokens, len(prompt_ids))
