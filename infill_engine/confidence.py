"""How likely the leading part of a middle is right, from the entropies its tokens were taken at.

Calibrated per checkpoint by `training.calibrate`; a checkpoint without the two numbers makes no
claim. Knows nothing of what a suggestion is shown for.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LEAST = 0.01  # a probability below this is not worth a character count


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(a token is right | all before it are) = sigmoid(bias - slope * entropy in nats).

    Of tokens that the denoiser took.
    """

    bias: float
    slope: float

    def of_token(self, entropy: float) -> float:
        """The probability for one token, 0 to 1."""
        return 1.0 / (1.0 + math.exp(min(self.slope * entropy - self.bias, 700.0)))


def leading_confidence(
    token_confidences: Sequence[float], num_chars_of_first: Callable[[int], int], num_chars: int
) -> tuple[tuple[int, float], ...]:
    """Pairs of (characters, probability that these leading characters are right), growing.

    Args:
        token_confidences: of each token of the middle, that it is right where all before it are.
        num_chars_of_first: how many characters so many leading tokens spell.
        num_chars: characters of the middle, which may end within a token.
    """
    pairs: list[tuple[int, float]] = []
    probability = 1.0
    for num_tokens, confidence in enumerate(token_confidences, start=1):
        probability *= confidence
        if probability < _LEAST:
            break
        chars = min(num_chars_of_first(num_tokens), num_chars)
        pairs.append((chars, round(probability, 4)))
    return tuple(pairs)
