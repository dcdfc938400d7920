"""The tokens with which models that were trained to fill in the middle are asked to.

Which of them a server's model has is found by counting (see `probe`), its name is only a hint.
Knows nothing of HTTP.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FimTokens:
    """One family's tokens.

    Attributes:
        family: its name.
        hints: what a model's name holds, in lower case, when it may be one of them.
        prefix, suffix, middle: what stands before each part.
    """

    family: str
    hints: tuple[str, ...]
    prefix: str
    suffix: str
    middle: str

    @property
    def all_tokens(self) -> tuple[str, str, str]:
        """The three of them."""
        return self.prefix, self.suffix, self.middle

    def join(self, prefix: str, suffix: str) -> str:
        """Return the prompt for a gap, in the order that all these models were trained with."""
        return f"{self.prefix}{prefix}{self.suffix}{suffix}{self.middle}"

    def may_carry(self, *texts: str) -> bool:
        """Whether none of the texts holds such a token, which would be taken for one."""
        return not any(token in text for token in self.all_tokens for text in texts)


FAMILIES = (
    FimTokens(
        "qwen", ("coder", "qwen", "gemma"), "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
    ),
    FimTokens(
        "starcoder",
        ("starcoder", "granite", "stable-code", "santacoder"),
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
    ),
    FimTokens(
        "deepseek",
        ("deepseek",),
        "<\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>",
        "<\uff5cfim\u2581end\uff5c>",
    ),
)


def families_of(model: str) -> tuple[FimTokens, ...]:
    """Return the families that a model of this name may be of."""
    name = model.lower()
    return tuple(family for family in FAMILIES if any(hint in name for hint in family.hints))
