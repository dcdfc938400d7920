"""Files that are nothing like the training data: what a model is asked about all the same."""

import json
import random
from collections.abc import Callable, Iterator

_WORDS = (
    "the model reads both sides of a gap and answers with what belongs there while nobody waits "
    "größer naïve 日本語 текст 🙂 über façade ελληνικά"
).split()


def prose(rng: random.Random) -> str:
    return "\n\n".join(
        " ".join(rng.choices(_WORDS, k=rng.randint(5, 60))).capitalize() + "." for _ in range(8)
    )


def minified(rng: random.Random) -> str:
    names = "abcdefgh"
    parts = [
        f"function {rng.choice(names)}({rng.choice(names)}){{return {rng.random():.3f}*x}}"
        for _ in range(rng.randint(20, 120))
    ]
    return ";".join(parts)


def long_line(rng: random.Random) -> str:
    return "x = [" + ", ".join(str(rng.randrange(10**6)) for _ in range(1_400)) + "]\n"


def mixed_tabs(rng: random.Random) -> str:
    return "".join(
        rng.choice(["\t", "    ", " \t", "\t  ", ""])
        + rng.choice(["if x:", "y = 1", "return", ""])
        + rng.choice(["\n", "\r\n"])
        for _ in range(40)
    )


def assembler(rng: random.Random) -> str:
    registers = ["r0", "r1", "sp", "lr"]
    return "".join(
        f"    {rng.choice(['mov', 'add', 'ldr', 'b.ne'])} {rng.choice(registers)}, "
        f"#{rng.randrange(4096):#x}\n"
        for _ in range(60)
    )


def lisp(rng: random.Random) -> str:
    def form(depth: int) -> str:
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(["x", "'y", "42", "nil", '"s"'])
        inner = " ".join(form(depth - 1) for _ in range(rng.randint(1, 4)))
        return f"({rng.choice(['car', 'lambda', 'let*', 'cond'])} {inner})"

    return "\n".join(form(6) for _ in range(12))


def table(rng: random.Random) -> str:
    return "".join(",".join(f"{rng.random():.6f}" for _ in range(12)) + "\n" for _ in range(40))


def data(rng: random.Random) -> str:
    return json.dumps(
        {str(n): [rng.random(), None, {"k": "v" * rng.randint(0, 9)}] for n in range(60)}
    )


def control_characters(rng: random.Random) -> str:
    return "".join(chr(rng.choice([0, 7, 27, 32, 65, 127, 133, 8232, 65279])) for _ in range(400))


def one_character(rng: random.Random) -> str:
    return rng.choice("a(\t \n=🙂") * rng.randint(1, 3_000)


def special_names(rng: random.Random) -> str:
    names = [
        "<|prefix|>",
        "<|suffix|>",
        "<|end_of_middle|>",
        "<mask>",
        "<bos>",
        "<pad>",
        "<|path|>",
    ]
    return " ".join(rng.choices(names, k=60))


def markup(rng: random.Random) -> str:
    return "".join(
        f"<{tag} class='{rng.choice(_WORDS)}'>{rng.choice(_WORDS)}</{tag}>"
        for tag in rng.choices(["div", "p", "td", "svg:g"], k=80)
    )


def half_typed(rng: random.Random) -> str:
    code = 'def f(a, b:\n    if (a [ == {\n  return "\n\nclass :\n   @\n  for for in in:\n'
    return "".join(rng.sample(code, k=len(code)))


KINDS: tuple[Callable[[random.Random], str], ...] = (
    prose, minified, long_line, mixed_tabs, assembler, lisp, table, data, control_characters,
    one_character, special_names, markup, half_typed,
)  # fmt: skip


def odd_gaps(count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, prefix, suffix), each kind as often as any other."""
    rng = random.Random(seed)
    for idx in range(count):
        kind = KINDS[idx % len(KINDS)]
        text = kind(rng)
        cut = rng.randint(0, len(text))
        yield kind.__name__, text[:cut], text[cut:]
