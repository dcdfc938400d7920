"""Post-processing rules: what the engine wrote, where, and what is shown.

Each row: the text with ‸ at the cursor, the engine's middle, what is left of it.
"""

import pytest

from lsp_server import postprocess
from lsp_server.postprocess.gap import Gap

CASES: dict[str, list[tuple[str, str, str]]] = {
    "cut_at_undecodable": [
        ("x = ‸", "1 + 2", "1 + 2"),
        ("x = ‸", "1\ufffd2", "1"),
        ("x = ‸", "\0\0", ""),
    ],
    "cut_at_line_end": [
        ("x = ‸", "1\ny = 2", "1"),
        ("x = ‸", "\ny = 2", ""),
        ("x = ‸", "1", "1"),
    ],
    "unify_line_endings": [
        ("‸", "1\r\n2\r3\n4", "1\n2\n3\n4"),
    ],
    "drop_repeated_rest_of_line": [
        ("if (‸) {", "a) {", "a"),
        ("if (‸) {", "f(a) {", "f(a) {"),
        ("foo(‸b)", "a, b)", "a, "),
        ("x = ‸ + offset", "base + offset", "base "),
        ("x = ‸", "base", "base"),
        ("foo(‸)", "f(x)", "f(x)"),  # closers alone are another rule's
        ("x = ‸b", "b", ""),
    ],
    "drop_doubled_closers": [
        ("print(‸)", "x)", "x"),
        ("print(‸)", "f(x)", "f(x)"),
        ("print(‸)", "f(x))", "f(x)"),
        ('print("‸")', 'hello")', "hello"),
        ('print("‸")', "don't\")", "don't"),
        ("say(‸)", '"hi")', '"hi"'),
        ("x = {‸}", '"a": [1]}', '"a": [1]'),
        ("x = [‸]", "i for i in y]", "i for i in y"),
        ("foo(a, ‸);", "b);", "b"),
        ("foo(a, ‸", "b)", "b)"),
        ("foo(‸) + 1", "bar()", "bar()"),
        ("if (‸) {", "a) {", "a) {"),  # more than closers: another rule's
        ("f(g(‸)", "x)", "x)"),  # one is still lacking
        ("print(‸)", "", ""),
    ],
    "drop_repeated_next_lines": [
        ("a = 1\n‸\nb = 2\n", "b = 2", ""),
        ("    a = 1\n    ret‸\n    return a\n", "urn a", ""),
        ("def f():\n    ‸\n    return a\n", "a = 1\n    return a", "a = 1"),
        ("def f() {\n  ‸\n}\n", "a()\n}", "a()"),
        ("def f() {\n  ‸\n}\n", "if (a) {\n    b()\n  }", "if (a) {\n    b()\n  }"),
        ("f {\n  ‸\n}\n", "a\n  b\n}\n\n", "a\n  b"),
        ("x\n‸\n\n\nnext = 1\nother = 2\n", "y = 1\nnext = 1\nother = 2", "y = 1"),
        ("x\n‸\nnext = 1\nother = 2\n", "y = 1\nnext = 1\nmore = 3", "y = 1\nnext = 1\nmore = 3"),
        ("foo(‸)\nbar\n", "bar", "bar"),  # code follows on the line: the text is part of it
        ("x = ‸", "1", "1"),
        ("‸\n}\n", "", ""),
    ],
    "drop_trailing_blanks": [
        ("x = ‸", "1  ", "1"),
        ("x = ‸\n", "1\n  ", "1"),
        ("foo(‸b)", "a, ", "a, "),
        ("x = ‸ + 1", "a ", "a"),
    ],
    "drop_if_blank": [
        ("x‸", " \t\n", ""),
        ("x‸", " = 1", " = 1"),
    ],
}


@pytest.mark.parametrize(
    ("rule", "text", "middle", "expected"),
    [(rule, *case) for rule, cases in CASES.items() for case in cases],
)
def test_rule(rule: str, text: str, middle: str, expected: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert getattr(postprocess, rule)(middle, Gap(prefix, suffix)) == expected


@pytest.mark.parametrize(
    ("text", "middle", "expected"),
    [
        ("def f():\n    return ‸\n\nf()\n", "1  \n\nf()\n", "1"),
        ('print("‸")\n', 'hello")\nx = 1', "hello"),
        ("a = 1\n‸\nb = 2", "b = 2\nb = 2", ""),
        ("a = 1\n‸", "\n\n", ""),
    ],
)
def test_the_chain_in_line_mode(text: str, middle: str, expected: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert postprocess.clean_middle(middle, prefix, suffix, "line") == expected


def test_the_chain_in_block_mode() -> None:
    prefix, suffix = "function f(a) {\n  ", "\n}\n"
    middle = "if (a) {\n    g();\n  }\n  return a;\n}\n"
    shown = postprocess.clean_middle(middle, prefix, suffix, "block")
    assert shown == "if (a) {\n    g();\n  }\n  return a;"
