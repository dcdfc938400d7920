"""What every prompt strategy hands to the engine. Knows nothing of how it was built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from infill_engine.api import InfillRequest
from infill_engine.canvas import Noise


@dataclass(frozen=True, slots=True)
class Anchor:
    """The suffix' first tokens, to stand pinned in the canvas behind a gap of fitting length.

    Attributes:
        token_ids: enough suffix tokens to fill the canvas behind the shortest gap.
        gap_lengths: candidate lengths of the middle, ascending; one canvas row each.
        canvas_length: the longest gap and some of the suffix behind it.
    """

    token_ids: tuple[int, ...]
    gap_lengths: tuple[int, ...]
    canvas_length: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """Tokens for the encoder, and what the canvas behind them must respect.

    Attributes:
        token_ids: the prompt, ending directly before the middle (less what is healed).
        healed: the prefix' last characters, cut off so that the canvas can merge them into a
            longer token; the canvas begins with them and the answer leaves them out.
        first_allowed_ids: the only ids for the first position, when something is healed.
        anchor: suffix in the canvas, for models that cannot end a middle by themselves.
        stop_text: text that ends the middle besides an end token, or "".
    """

    token_ids: tuple[int, ...]
    healed: str = ""
    first_allowed_ids: tuple[int, ...] = ()
    anchor: Anchor | None = None
    stop_text: str = ""


class PromptStrategy(Protocol):
    """How one kind of checkpoint is asked to fill a gap."""

    @property
    def end_ids(self) -> Sequence[int]:
        """Tokens that end a middle."""
        ...

    @property
    def filler_id(self) -> int:
        """What stands behind the end of a middle."""
        ...

    @property
    def banned_ids(self) -> Sequence[int]:
        """Tokens that may not stand in a canvas at all."""
        ...

    @property
    def noise(self) -> Noise:
        """What undecided positions hold."""
        ...

    @property
    def anchored_shapes(self) -> Sequence[tuple[int, int]]:
        """Rows and positions of the canvases that usual requests with an anchor go through."""
        ...

    def build(self, request: InfillRequest) -> Prompt:
        """Lay out the prompt within the token budget."""
        ...
