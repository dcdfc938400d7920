"""What else the model is shown, and that it stays while someone types."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from lsp_server.context.definitions import definitions_in, outline_of
from lsp_server.context.recent_places import MAX_PLACES, RecentPlaces
from lsp_server.context.scopes import enclosing_scopes, place_in_tree
from lsp_server.context.snippets import SnippetChooser, estimate_tokens
from lsp_server.documents import OpenDocument, TextEdit
from lsp_server.grammars import parser_for
from lsp_server.languages import syntax_of
from lsp_server.syntax_tree import LineEdit

STORE = '''"""Keeps things."""

TIMEOUT_MS = 300


class Store:
    """Keeps things by their key.

    More about it.
    """

    def fetch_item(self, key: str) -> bytes:
        """Return what is kept."""
        path = self._folder / key
        if not path.exists():
            raise KeyError(key)
        return path.read_bytes()


def open_store(folder: str) -> Store:
    """Open it."""
    store = Store()
    store.folder = folder
    store.check()
    store.count += 1
    return store
'''
FILLER = "".join(f"def filler_{idx}(x):\n    return x + {idx}\n\n\n" for idx in range(120))
MAIN = f'''from store import Store, open_store
from elsewhere import unused


{FILLER}class Shop:
    """Sells things."""

    def sell(self, name):
        store = open_store("here")
        ‸
        return name

    def close(self):
        pass
'''


def document(name: str, text: str, language_id: str = "python") -> OpenDocument:
    return OpenDocument(name, language_id, 1, text)


def at_mark(name: str, marked: str) -> tuple[OpenDocument, int, int]:
    prefix, _, suffix = marked.partition("‸")
    line_idx = prefix.count("\n")
    return document(name, prefix + suffix), line_idx, len(prefix.rpartition("\n")[2])


def new_chooser(budget_tokens: int = 768) -> SnippetChooser:
    return SnippetChooser(budget_tokens, parse_budget_ms=None)


def chosen_at(
    chooser: SnippetChooser, place: tuple[OpenDocument, int, int], others: Iterable[OpenDocument]
) -> list[str]:
    here, line_idx, char_offset = place
    here.syntax.parse(here.lines, None)
    snippets = chooser.choose(here, line_idx, char_offset, [here, *others], lambda uri: uri)
    return [f"{snippet.path}\n{snippet.text}" for snippet in snippets]


def test_definitions_that_the_code_names_come_from_other_documents() -> None:
    chosen = chosen_at(new_chooser(), at_mark("main.py", MAIN), [document("store.py", STORE)])
    assert 'store.py\ndef open_store(folder: str) -> Store:\n    """Open it."""' in chosen
    outline = next(text for text in chosen if "class Store:" in text)
    assert '    """Keeps things by their key.' in outline
    assert "    def fetch_item(self, key: str) -> bytes:" in outline
    assert "read_bytes" not in outline
    assert chosen.index(outline) > 0
    assert not any("TIMEOUT_MS" in text for text in chosen)


def test_imports_that_are_far_away_are_shown_and_near_code_is_not() -> None:
    chosen = chosen_at(new_chooser(), at_mark("main.py", MAIN), [])
    assert chosen[0] == "main.py\nfrom store import Store, open_store"
    assert not any("class Shop" in text or "def close" in text for text in chosen)


def test_what_encloses_the_cursor_comes_first_when_it_begins_far_away() -> None:
    methods = "".join(f"    def m{idx}(self):\n        pass\n\n" for idx in range(200))
    marked = f'class Big:\n    """Doc."""\n\n{methods}    def last(self):\n        ‸\n'
    chosen = chosen_at(new_chooser(), at_mark("big.py", marked), [])
    assert chosen[0] == 'big.py\nclass Big:\n    """Doc."""'
    assert "big.py\n    def m0(self):" not in chosen[:3]


def test_the_budget_is_kept() -> None:
    for budget_tokens in (0, 20, 60, 200):
        chooser = new_chooser(budget_tokens)
        chosen = chosen_at(chooser, at_mark("main.py", MAIN), [document("store.py", STORE)])
        assert sum(map(estimate_tokens, chosen)) <= budget_tokens
    assert chosen


@pytest.mark.parametrize("language_id", ["go", "plaintext"])
def test_other_languages_do_not_mix(language_id: str) -> None:
    other = document("store.py", STORE)
    place = at_mark("main", MAIN)
    place[0].language_id = language_id
    assert not any("store.py" in text for text in chosen_at(new_chooser(), place, [other]))


def typed(marked: str, text: str) -> tuple[OpenDocument, list[tuple[int, int, str]]]:
    """The document at the mark, and each keystroke: where, and what."""
    here, line_idx, char_offset = at_mark("main.py", marked)
    keys: list[tuple[int, int, str]] = []
    for char in text:
        keys.append((line_idx, char_offset, char))
        if char == "\n":
            line_idx, char_offset = line_idx + 1, 0
        else:
            char_offset += 1
    return here, keys


SESSION = '''item = store.fetch_item("key of {name!r}")
        if item is None:  # it's gone
            raise KeyError(f"no {name}: {self.missing(\'x\')}")
        for part in [open_store(p) for p in (1, 2)]:
            part.update({"a": [1, (2, 3)], **item})
        text = """more
        than a line"""
        try:
            return lambda x: (x + 1)
        finally:
            pass
        with open(name) as file:
            total = sum(len(line.split(",")[0]) for line in file)
'''


def test_snippets_stay_while_someone_types_within_a_function() -> None:
    chooser, other = new_chooser(), document("store.py", STORE)
    here, keys = typed(MAIN, SESSION)
    here.syntax.parse(here.lines, None)
    seen: list[object] = []
    for version, (line_idx, char_offset, char) in enumerate(keys):
        edit = here.apply(TextEdit(line_idx, char_offset, line_idx, char_offset, char), "utf-32")
        chooser.recent.note_edit(here, edit)
        here.version = version
        at = (line_idx + 1, 0) if char == "\n" else (line_idx, char_offset + 1)
        seen.append(chooser.choose(here, *at, [here, other], lambda uri: uri))
    num_same = sum(a == b for a, b in pairwise(seen))
    assert len(seen) > 400
    assert seen[0]
    assert num_same >= 0.95 * (len(seen) - 1)


def test_another_document_that_changes_is_read_anew_and_the_rest_stays_in_place() -> None:
    chooser, other = new_chooser(), document("store.py", STORE)
    place = at_mark("main.py", MAIN)
    before = chosen_at(chooser, place, [other])
    other.apply(TextEdit(19, 0, 19, 3, "async def"), "utf-32")
    other.version = 2
    after = chosen_at(chooser, place, [other])
    assert any("async def open_store" in text for text in after)
    staying = [text for text in before if text in after]
    assert after[: len(staying)] == staying
    assert len(staying) == len(before) - 1


def test_places_edited_in_other_documents_are_shown() -> None:
    chooser = new_chooser()
    notes = document("notes.py", "a = 1\n" * 30 + "special = compute()\n" + "b = 2\n" * 30)
    edit = notes.apply(TextEdit(30, 0, 30, 0, "very_"), "utf-32")
    chooser.recent.note_edit(notes, edit)
    chosen = chosen_at(chooser, at_mark("main.py", MAIN), [notes])
    assert any("very_special = compute()" in text for text in chosen)
    secret = chosen_at(chooser, at_mark("other.py", MAIN), [])
    assert not any("very_special" in text for text in secret)
    chooser.forget("notes.py")
    chosen = chosen_at(chooser, (document("x.py", "x\n"), 0, 1), [])
    assert not any("very_special" in text for text in chosen)


def test_near_edits_are_one_place_and_places_move_with_the_text() -> None:
    recent, here = RecentPlaces(), document("a.py", "x\n" * 2000)
    recent.note_edit(here, LineEdit(100, 1, 1))
    recent.note_edit(here, LineEdit(104, 1, 2))
    recent.note_visit(here, 101)
    assert [(place.first_line, place.last_line) for place in recent] == [(100, 105)]
    recent.note_edit(here, LineEdit(10, 1, 6))
    assert [(place.first_line, place.last_line) for place in recent] == [(10, 15), (105, 110)]
    for line_idx in range(0, 2000, 40):
        recent.note_visit(here, line_idx)
    assert len(list(recent)) == MAX_PLACES


OUTLINES = [
    ("go", "package a\n\n// Adds.\nfunc Add(a int) int {\n\treturn 1\n\n\n\n\n\n}\n", "Add"),
    ("go", "package a\n\ntype S struct {\n\tA int\n}\n", "S"),
    ("rust", "/// Adds.\npub fn add(a: i32) -> i32 {\n    1\n}\n", "add"),
    ("rust", "impl Shape for Circle {\n    fn area(&self) -> f64 { 1.0 }\n}\n", "Circle area"),
    ("c", "#include <a.h>\nstatic char *name_of(int a) {\n  return 0;\n}\n", "name_of"),
    ("c", "#ifndef A\n#define A\nint f(int a);\nstruct S { int a; };\n#endif\n", "A f S a"),
    ("cpp", "namespace n {\nclass A {\n  int f();\n};\n}\nint n::A::f() { return 1; }\n", "n A f"),
    ("cpp", "template <typename T>\nT twice(T a) { return a; }\n", "twice"),
    ("java", "class A {\n  int x = 1;\n  int f(int a) { return a; }\n}\n", "A x f"),
    ("csharp", "class A {\n  private int x;\n  int F(int a) { return a; }\n}\n", "A x F"),
    ("javascript", "export const twice = (a) => {\n  return a;\n};\n", "twice"),
    ("javascript", "class A extends B { run(a) {} }\nfunction f() {}\n", "A run f"),
    ("typescript", "export interface I { a: number; m(): void }\ntype T = string;\n", "I a m T"),
    ("typescriptreact", "export abstract class A<T> { go(): void {} }\n", "A go"),
    ("ruby", "module M\n  class A\n    def f(a)\n    end\n  end\nend\n", "M A"),
    ("php", "<?php\nclass A {\n  public $x;\n  function f($a) {}\n}\n", "A $x f"),
    ("lua", "local function f(a)\nend\nfunction M.g(a)\nend\n", "f M.g"),
    ("shellscript", "f() {\n  echo a\n}\n", "f"),
    ("sql", "CREATE TABLE users (id INT, name TEXT);\n", "users"),
    ("css", ".a { color: red; }\n", ".a"),
    ("markdown", "# Title\n\ntext\n\n## Part\n", "Title Part"),
    ("python", "@cache\ndef f():\n    pass\n\nLIMIT = 3\n", "f LIMIT"),
]


@pytest.mark.parametrize(("language_id", "text", "names"), OUTLINES)
def test_names_in_every_language(language_id: str, text: str, names: str) -> None:
    parser, syntax = parser_for(language_id), syntax_of(language_id)
    assert parser is not None
    assert syntax is not None
    tree = parser.parse(text.encode())
    lines = text.splitlines(keepends=True)
    found = list(definitions_in(tree.root_node, syntax, lines))
    assert [definition.name for definition in found] == names.split()
    for definition in found:
        assert definition.name in outline_of(definition, syntax, lines)


SCOPES = [
    ("python", "class A:\n    @x\n    def f(self):\n        for a in b:\n            ‸\n", "A f"),
    ("python", "class A:\n    def f(self):\n        a = 1\n\n        ‸\n\nx = 1\n", "A f"),
    ("python", "class A:\n    def f(self):\n        a = 1\n\n    ‸\n\nx = 1\n", "A"),
    ("python", "class A:\n    def f(self):\n        a = 1\n\n‸\n\nx = 1\n", ""),
    ("java", "class A {\n  int f() {\n  }\n  ‸\n}\n", "A"),
    ("python", "class A:\n    def f(self, ‸):\n        pass\n", "A"),
    ("javascript", "class A { m(a) { const f = (x) => { ‸ }; } }", "A m f"),
    ("typescript", "namespace N { class A { get m(): void { ‸ } } }", "N A m"),
    ("go", "package a\nfunc (s *S) M(a int) error {\n\t‸\n}\n", "M"),
    ("rust", "impl T for S {\n    fn m(&self) -> i32 {\n        ‸\n    }\n}\n", "S m"),
    ("c", "static int *add(int a) {\n  if (a) {\n    ‸\n  }\n}\n", "add"),
    ("cpp", "namespace n {\nint A::f() {\n  ‸\n}\n}\n", "n f"),
    ("java", "class A {\n  int f() {\n    ‸\n  }\n}\n", "A f"),
    ("csharp", "namespace N {\nclass A {\n  int F() {\n    ‸\n  }\n}\n}\n", "N A F"),
    ("ruby", "module M\n  class A\n    def f(a)\n      ‸\n    end\n  end\nend\n", "M A f"),
    ("php", "<?php\nclass A {\n  function f() {\n    ‸\n  }\n}\n", "A f"),
    ("lua", "function M.g(a)\n  ‸\nend\n", "M.g"),
    ("shellscript", "f() {\n  ‸\n}\n", "f"),
    ("plaintext", "x ‸", ""),
]


@pytest.mark.parametrize(("language_id", "marked", "names"), SCOPES)
def test_scopes_in_every_language(language_id: str, marked: str, names: str) -> None:
    here, line_idx, char_offset = at_mark("a", marked)
    here = document("a", here.text, language_id)
    place = place_in_tree(here, line_idx, char_offset, budget_ms=None)
    scopes = enclosing_scopes(place) if place is not None else []
    assert [scope.name for scope in scopes] == names.split()


def test_a_tree_that_is_behind_still_tells_the_scope() -> None:
    here, line_idx, char_offset = at_mark("main.py", MAIN)
    assert place_in_tree(here, line_idx, char_offset, budget_ms=0) is None
    here.syntax.parse(here.lines, None)
    here.apply(TextEdit(0, 0, 0, 0, "# é\n'''\n"), "utf-32")
    place = place_in_tree(here, line_idx + 2, char_offset, budget_ms=0)
    assert place is not None
    scopes = enclosing_scopes(place)
    assert [scope.name for scope in scopes] == ["Shop", "sell"]
    assert scopes[1].header == "    def sell(self, name):"
