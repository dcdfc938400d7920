"""What may have to follow a middle that is right but not finished: `if (a) {` waits for its `}`.

A syntax check must not blame a middle for what its user has yet to type. Knows no grammar.
"""

from lsp_server.postprocess.brackets import find_unmatched, open_quote
from lsp_server.postprocess.gap import Gap, indent_of
from lsp_server.postprocess.parsing import GAP

_WAITING_FOR: dict[str, str] = {
    "try": " catch (e) {}",
    "do": f" while ({GAP})",
    "import": f" from '{GAP}'",
    "export": f" from '{GAP}'",
    "const": f" = {GAP}",
    "let": f" = {GAP}",
    "var": f" = {GAP}",
    "}": " finally {}",
}
"""First word of a line in a language of braces → what must come some time after it."""
_PYTHON_WAITING_FOR = {
    "try:": f" {GAP}\n{{indent}}except: {GAP}",
    "@": f"\n{{indent}}def {GAP}(): {GAP}",
    "match": f" \n{{indent}}    case _: {GAP}",
}

_WORDS_THAT_CLOSE: dict[str, tuple[str, ...]] = {
    "lua": ("\nend", f"\nuntil {GAP}"),
    "ruby": ("\nend",),
    "shellscript": ("\nfi", "\ndone", "\nesac", "\n;; esac"),
}
"""Language whose blocks are closed by words → these words."""


def endings(middle: str, gap: Gap) -> list[str]:
    """Return texts to parse behind `middle`, the likeliest first; "" is always the first.

    Nothing; the closers it lacks; a name and these closers; these after the end of a string; what
    its first word waits for.
    """
    written = gap.line_prefix + middle
    closing = find_unmatched(middle, gap.language_id).closing
    found = ["", closing, GAP + closing, f" {GAP}{closing}"]
    quote = open_quote(written[written.rfind("\n") + 1 :] if '"""' not in written else written)
    if quote:
        found.append(quote + closing)
    last_line = written[written.rfind("\n") + 1 :]
    indent, first_word = indent_of(last_line), (last_line.split() or [""])[0]
    if gap.language_id == "python":
        found += [
            closing + ending.format(indent=indent)
            for word, ending in _PYTHON_WAITING_FOR.items()
            if first_word.startswith(word)
        ]
    elif gap.language_id in _WORDS_THAT_CLOSE:
        found += [word + closing for word in _WORDS_THAT_CLOSE[gap.language_id]]
    elif first_word in _WAITING_FOR:
        found.append(closing + _WAITING_FOR[first_word])
    return list(dict.fromkeys(found))


def closing_endings(middle: str, gap: Gap) -> list[str]:
    """Return the endings for a middle that was cut: nothing, or the closers that it lacks."""
    return list(dict.fromkeys(["", find_unmatched(middle, gap.language_id).closing]))
