"""Rule on words: a middle for a gap inside a word goes on with that word, or is not shown.

Knows which characters make a word in which language, and nothing else of it.
"""

from lsp_server.postprocess.gap import Gap

_MORE_WORD_CHARS = {
    "javascript": "$",
    "javascriptreact": "$",
    "typescript": "$",
    "typescriptreact": "$",
    "php": "$",
    "java": "$",
    "css": "-",
    "scss": "-",
    "less": "-",
    "html": "-",
    "clojure": "-?!*",
    "lisp": "-?!*",
}


def keep_word_whole(middle: str, gap: Gap) -> str:
    """Show only what is joined to the word on both sides when the cursor stands inside one.

    `User` in `get‸Name` stays; `(x)` there, or `User `, is dropped.
    """
    before, after = gap.line_prefix[-1:], gap.rest_of_line[:1]
    if not (is_word(before, gap.language_id) and is_word(after, gap.language_id)):
        return middle
    is_joined = is_word(middle[:1], gap.language_id) and is_word(middle[-1:], gap.language_id)
    return middle if is_joined else ""


def is_word(char: str, language_id: str) -> bool:
    """Say whether `char`, one character or "", belongs to a word of the language."""
    if not char:
        return False
    return char.isalnum() or char == "_" or char in _MORE_WORD_CHARS.get(language_id, "")
