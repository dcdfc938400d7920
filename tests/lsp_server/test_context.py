"""Line or block, code or comment or string: texts with the cursor at ‸."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.context import choose_mode, position_kind
from lsp_server.context.definitions import definitions_in
from lsp_server.context.scopes import enclosing_scopes, place_in_tree, sibling_signatures
from lsp_server.documents import OpenDocument, split_lines
from lsp_server.gap_view import view_of_sides
from lsp_server.grammars import GRAMMARS

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
    ("c", "int f(int a) {\n    ‸\n}\n"),
    ("c", "struct S {\n  ‸\n};\n"),
    ("cpp", "void A::f() {\n  // x\n  ‸\n}\n"),
    ("cpp", "class A {\n  ‸\n};"),
    ("java", "class A {\n  int f() {\n    if (x) {\n      ‸\n"),
    ("java", "class A {\n  ‸\n}\n"),
    ("csharp", "class A\n{\n  int F()\n  {\n    ‸\n  }\n}\n"),
    ("rust", "fn f() -> i32 {\n    ‸\n}\n"),
    ("rust", "impl A {\n    ‸\n}\n"),
    ("ruby", "class A\n  def f\n    ‸\n  end\nend\n"),
    ("ruby", "def f(a)\n  ‸\n"),
    ("ruby", "[1].each do |x|\n  ‸\nend\n"),
    ("php", "<?php\nclass A {\n    function f() {\n        ‸\n    }\n}\n"),
    ("shellscript", "f() {\n  ‸\n}\n"),
    ("shellscript", "for a in b; do\n  ‸\ndone\n"),
    ("lua", "function f(a)\n  ‸\nend\n"),
    ("lua", "local function f(a)\n  ‸\n"),
    ("css", ".a {\n  ‸\n}\n"),
    ("typescript", "interface A {\n  ‸\n}\n"),
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
    ("c", "int f(int a) {\n    int b = 1;\n    ‸\n}\n"),
    ("c", "int a[] = {\n  ‸\n};\n"),
    ("java", "class A {\n  int x;\n  ‸\n}\n"),
    ("java", "int[] a = {\n  ‸\n};\n"),
    ("csharp", "class A {\n  int F() {\n    int a = 1;\n    ‸\n  }\n}\n"),
    ("rust", "let v = Foo {\n  ‸\n};\n"),
    ("ruby", "def f(a)\n  b = 1\n  ‸\nend\n"),
    ("php", "<?php\nfunction f($a) {\n    $b = 1;\n    ‸\n}\n"),
    ("shellscript", "f() {\n  a=1\n  ‸\n}\n"),
    ("lua", "function f(a)\n  local b = 1\n  ‸\nend\n"),
    ("css", ".a {\n  color: red;\n  ‸\n}\n"),
    ("json", "{\n  ‸\n}\n"),
    ("yaml", "a:\n  ‸\n"),
    ("toml", "[a]\n‸\n"),
    ("html", "<div>\n  ‸\n</div>"),
    ("sql", "SELECT (\n  ‸\n)"),
    ("markdown", "# A\n\n‸\n"),
]
STRING = [
    ("python", 'x = "ab‸c"'),
    ("python", 'x = "abc‸\ny = 1\n'),
    ("python", 'def f():\n    """Doc ‸\n    """\n'),
    ("python", 'def f():\n    """Doc ‸\n\ndef g(): pass\n'),
    ("javascript", "const a = `x ‸ ${b}`"),
    ("javascript", 'foo("a‸);\nbar();'),
    ("typescriptreact", 'const a = <div title="x‸">b</div>'),
    ("c", 'int main() { printf("a‸"); }'),
    ("c", "#include <a‸>\n"),
    ("cpp", 'auto a = R"(x‸)";'),
    ("java", 'String a = "x‸";'),
    ("csharp", 'var a = $"x‸";'),
    ("go", "a := `x‸`"),
    ("rust", 'let a = "x‸";'),
    ("ruby", 'x = "a‸"'),
    ("php", "<?php $a = 'x‸';"),
    ("shellscript", 'echo "a‸"'),
    ("lua", "x = [[a‸]]"),
    ("css", 'a { content: "x‸"; }'),
    ("sql", "SELECT * FROM a WHERE b = 'x‸'"),
]
COMMENT = [
    ("python", "# ab‸\nx = 1\n"),
    ("python", "x = (1,  # ab‸"),
    ("javascript", "/* a ‸ */"),
    ("typescript", "// it's a‸\n"),
    ("c", "// a‸\nint x;\n"),
    ("java", "/** ‸ */ class A {}"),
    ("csharp", "// ‸"),
    ("go", "// ‸\n"),
    ("rust", "/// x‸\nfn a() {}"),
    ("ruby", "# a‸"),
    ("php", "<?php // x‸\n"),
    ("shellscript", "# a‸\n"),
    ("lua", "-- a‸\n"),
    ("html", "<!-- a‸ -->"),
    ("css", "/* ‸ */"),
    ("jsonc", "// a‸\n{}"),
    ("yaml", "# a‸\n"),
    ("toml", "# a‸\n"),
    ("sql", "-- a‸\n"),
]
CODE = [
    ("python", 'x = "abc"‸\n'),
    ("python", 'x = ‸"abc"\n'),
    ("python", 'x = f"a{b‸}"\n'),
    ("python", 'foo("a", ‸\nbar(1)\n'),
    ("python", "‸# why\n"),
    ("javascript", "const a = `x ${b‸}`"),
    ("csharp", 'var a = $"x{y‸}";'),
    ("rust", "fn a<'a>(x: &'a ‸"),
    ("ruby", 'x = "#{a‸}"'),
    ("shellscript", 'echo "$(a‸)"'),
    ("html", "<p>a‸</p>"),
    ("json", '{"a": "b‸"}'),
    ("yaml", "a: b‸\n"),
    ("markdown", "It's a‸\n"),
    ("sql", "SELECT ‸ FROM a;"),
    ("cobol", '"x‸"'),
]


@pytest.mark.parametrize(("language_id", "text"), BLOCK)
def test_empty_bodies_are_filled_whole(language_id: str, text: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert choose_mode(prefix, suffix, language_id) == "block"


@pytest.mark.parametrize(("language_id", "text"), LINE)
def test_elsewhere_a_line(language_id: str, text: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert choose_mode(prefix, suffix, language_id) == "line"


@pytest.mark.parametrize(
    ("kind", "language_id", "text"),
    [("string", *case) for case in STRING]
    + [("comment", *case) for case in COMMENT]
    + [("code", *case) for case in CODE],
)
def test_in_what_the_cursor_stands(kind: str, language_id: str, text: str) -> None:
    prefix, _, suffix = text.partition("‸")
    assert position_kind(view_of_sides(prefix, suffix, language_id)) == kind
    document = OpenDocument("file:///a", language_id, 1, prefix + suffix)
    line_idx, char_offset = prefix.count("\n"), len(prefix.rpartition("\n")[2])
    assert position_kind(document.gap_view(line_idx, char_offset)) == kind


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*GRAMMARS, "cobol"]), half_typed, half_typed)
def test_never_raises_on_half_typed_code(language_id: str, prefix: str, suffix: str) -> None:
    assert choose_mode(prefix, suffix, language_id) in ("line", "block")
    view = view_of_sides(prefix, suffix, language_id)
    assert position_kind(view) in ("code", "comment", "string")
    document = OpenDocument("file:///a", language_id, 1, prefix + suffix)
    line_idx = len(split_lines(prefix)) - 1
    place = place_in_tree(document, line_idx, len(split_lines(prefix)[-1]), budget_ms=None)
    if place is not None and "\0" not in prefix:
        list(sibling_signatures(place, enclosing_scopes(place)))
        list(definitions_in(place.root, place.syntax, place.lines))


def test_a_cursor_in_the_middle_of_a_large_file() -> None:
    many = "def f():\n    return 1\n\n" * 20_000
    assert choose_mode(many + "def g():\n    ", "\n" + many, "python") == "block"
