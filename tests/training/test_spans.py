"""Cuts never lose text and each kind of gap has the shape it promises."""

import random
from collections import Counter
from dataclasses import fields

import pytest

from training.spans import EVALUATION_MIX, SINGLE_LINE_KINDS, FileCutter, SpanKind, SpanMix
from training.syntax_nodes import syntax_node_ranges

TEXT = (
    "import os\n\n\ndef área(x: int) -> int:\n    # Größe 😀\n    total = x * x\n"
    "    if total > 10:\n        return os.cpu_count() or 1\n    return total\n"
)


def only(kind: SpanKind) -> SpanMix:
    return SpanMix(**{f.name: float(f.name == kind.name.lower()) for f in fields(SpanMix)})


@pytest.mark.parametrize("kind", list(SpanKind))
@pytest.mark.parametrize("text", [TEXT, "x", "\n\n\n", "no line end", "a = 1\n"])
def test_every_cut_is_the_file_in_three_parts(kind: SpanKind, text: str) -> None:
    cutter, rng = FileCutter(text, "python"), random.Random(1)
    for _ in range(100):
        cut = cutter.cut(rng, only(kind))
        if cut.kind is SpanKind.LEFT_TO_RIGHT:
            assert cut.suffix == "" and text.startswith(cut.prefix + cut.middle)
        else:
            assert cut.prefix + cut.middle + cut.suffix == text


def test_whole_line_holds_indentation_and_line_end() -> None:
    cutter, rng = FileCutter(TEXT, "python"), random.Random(2)
    for _ in range(100):
        cut = cutter.cut(rng, only(SpanKind.WHOLE_LINE))
        assert cut.prefix == "" or cut.prefix.endswith("\n")
        assert cut.middle in TEXT.splitlines(keepends=True) and cut.middle.strip()


def test_rest_of_line_stops_before_the_line_end() -> None:
    cutter, rng = FileCutter(TEXT, "python"), random.Random(3)
    for _ in range(100):
        cut = cutter.cut(rng, only(SpanKind.REST_OF_LINE))
        assert cut.middle and "\n" not in cut.middle
        assert cut.suffix.startswith("\n")


def test_empty_gap_is_at_a_line_end() -> None:
    cut = FileCutter(TEXT, "python").cut(random.Random(4), only(SpanKind.EMPTY))
    assert cut.middle == "" and cut.suffix.startswith("\n")


def test_character_spans_cut_inside_words() -> None:
    cutter, rng = FileCutter(TEXT, "python"), random.Random(5)
    cuts = [cutter.cut(rng, only(SpanKind.CHARACTERS)) for _ in range(200)]
    assert any(c.prefix[-1:].isalnum() and c.middle[:1].isalnum() for c in cuts)


def test_syntax_nodes_are_character_ranges_behind_wide_characters() -> None:
    nodes = {TEXT[start:end] for start, end in syntax_node_ranges(TEXT, "python")}
    assert {"os.cpu_count()", "x * x", "return total"} <= nodes


@pytest.mark.parametrize(
    ("language", "text", "node"),
    [
        ("javascript", "const a = f(1, 2)\n", "f(1, 2)"),
        ("typescript", "let a: number = f(1)\n", "f(1)"),
        ("typescriptreact", "const a = <b>{c.d}</b>\n", "<b>{c.d}</b>"),
        ("go", "package a\nfunc f() { g(1) }\n", "g(1)"),
        ("rust", "fn f() { g(1) }\n", "g(1)"),
        ("c", "int f() { return g(1); }\n", "g(1)"),
        ("java", "class A { int f() { return g(1); } }\n", "g(1)"),
    ],
)
def test_each_grammar_loads(language: str, text: str, node: str) -> None:
    assert node in {text[start:end] for start, end in syntax_node_ranges(text, language)}


def test_unknown_language_falls_back_to_characters() -> None:
    assert syntax_node_ranges("(a b)", "scheme") == []
    cut = FileCutter("(a b)", "scheme").cut(random.Random(6), only(SpanKind.SYNTAX_NODE))
    assert cut.kind is SpanKind.CHARACTERS


def test_mix_is_ninety_percent_infilling_and_weights_follow_the_enum() -> None:
    weights = dict(zip(SpanKind, SpanMix().weights(), strict=True))
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights[SpanKind.LEFT_TO_RIGHT] == pytest.approx(0.1)
    assert weights[SpanKind.REST_OF_LINE] == SpanMix().rest_of_line
    evaluation = dict(zip(SpanKind, EVALUATION_MIX.weights(), strict=True))
    assert sum(evaluation[kind] for kind in SINGLE_LINE_KINDS) > 0.5


def test_same_seed_gives_the_same_cuts() -> None:
    first, second = random.Random(7), random.Random(7)
    cutter = FileCutter(TEXT, "python")
    cuts = [cutter.cut(first, SpanMix()) for _ in range(50)]
    assert cuts == [cutter.cut(second, SpanMix()) for _ in range(50)]
    assert len(Counter(cut.kind for cut in cuts)) >= 4
