"""Line or block: texts with the cursor at ‸."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.context import choose_mode

PIECES = [*"(){}[]:;'\"`\n\t\\#/*<> =.,é😀\ud800\0", "def ", "if ", "return ", "{\n"]
half_typed = st.lists(st.sampled_from(PIECES)).map("".join)

BLOCK = [
    ("python", "def f(x):\n    ‸\n"),
    ("python", "def f(x):‸\n"),
    ("python", 'def f(x):\n    """Doc."""\n    ‸\n\n\ndef g():\n    pass\n'),
    ("python", "class A:\n    def f(self):\n        # why\n        ‸\n\n    def g(self): ...\n"),
    ("python", "for a in b(:\n    ‸\n"),
    ("javascript", "function f(a) {\n  ‸\n}\n"),
    ("javascriptreact", "const f = (a) => {\n  ‸"),
    ("typescript", "export async function f(a: number): Promise<void> {\n  // x\n  ‸\n}\n"),
    ("typescript", "class A {\n  ‸\n}\n"),
    ("typescriptreact", "function A() {\n  ‸\n}\n"),
    ("go", "package a\n\nfunc f(a int) error {\n\t‸\n}\n"),
    ("go", "package a\n\nfunc f(a int) error {\n\tif a > 0 {‸\n"),
]
LINE = [
    ("python", "x = ‸\n"),
    ("python", "foo(‸)\n"),
    ("python", "def f(x):\n    a = 1\n    ‸\n"),
    ("python", "def f(x):\n    ‸\n    return a\n"),
    ("python", "x = (1, ‸\ndef g():\n    foo(\n"),
    ("python", "x = {\n    ‸\n}\n"),
    ("python", ""),
    ("python", "‸"),
    ("javascript", "const f = () => { ‸ }\n"),
    ("javascript", "const f = {\n  ‸\n}\n"),
    ("go", "package a\n\nfunc f(a int) error {\n\tx := 1\n\t‸\n}\n"),
    ("typescriptreact", "function A() { return <div>\n  ‸\n</div>}\n"),
    ("plaintext", "Some words {\n  ‸\n}\n"),
    ("", "def f():\n    ‸\n"),
]


@pytest.mark.parametrize(("language_id", "text"), BLOCK)
def test_empty_bodies_are_filled_whole(language_id: str, text: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert choose_mode(prefix, suffix, language_id) == "block"


@pytest.mark.parametrize(("language_id", "text"), LINE)
def test_elsewhere_a_line(language_id: str, text: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert choose_mode(prefix, suffix, language_id) == "line"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["python", "javascript", "typescript", "typescriptreact", "go", "cobol"]),
    half_typed,
    half_typed,
)
def test_never_raises_on_half_typed_code(language_id: str, prefix: str, suffix: str) -> None:
    assert choose_mode(prefix, suffix, language_id) in ("line", "block")


def test_a_cursor_in_the_middle_of_a_large_file() -> None:
    many = "def f():\n    return 1\n\n" * 20_000
    assert choose_mode(many + "def g():\n    ", "\n" + many, "python") == "block"
