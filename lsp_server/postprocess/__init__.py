"""Turns the engine's text into what is worth showing: a chain of small rules, each a pure function.

Each rule takes the middle and the gap, all with LF line endings, and returns the middle or what is
left of it; "" means that nothing is shown. The rules are in files by theme, their order is here.
Knows nothing of LSP or of the engine. Step 8 of the way from keystroke to ghost text.
"""

from lsp_server.context import FillMode
from lsp_server.postprocess.closers import cut_at_surplus_closer, drop_doubled_closers
from lsp_server.postprocess.ends import (
    cut_at_line_end,
    cut_at_undecodable,
    drop_blanks_at_line_ends,
    drop_if_blank,
    drop_trailing_blanks,
    keep_one_line_mid_line,
    unify_line_endings,
)
from lsp_server.postprocess.gap import Gap, Rule
from lsp_server.postprocess.indentation import drop_repeated_indent, indent_like_document
from lsp_server.postprocess.repeated_lines import (
    cut_at_next_line,
    drop_repeated_block_end,
    drop_repeated_next_lines,
    drop_repeated_previous_lines,
    drop_typed_text,
)
from lsp_server.postprocess.repetition import cut_repetition_loop
from lsp_server.postprocess.scope import cut_at_scope_end
from lsp_server.postprocess.suffix_overlap import (
    drop_if_it_follows,
    drop_repeated_rest_and_lines,
    drop_repeated_rest_of_line,
)
from lsp_server.postprocess.syntax_check import cut_at_syntax_error
from lsp_server.postprocess.words import keep_word_whole

LINE_RULES: tuple[Rule, ...] = (
    cut_at_undecodable,
    unify_line_endings,
    cut_at_line_end,
    drop_typed_text,
    cut_repetition_loop,
    drop_repeated_indent,
    drop_repeated_rest_of_line,
    drop_doubled_closers,
    cut_at_surplus_closer,
    drop_repeated_previous_lines,
    drop_repeated_next_lines,
    cut_at_syntax_error,
    keep_word_whole,
    drop_trailing_blanks,
    drop_if_it_follows,
    drop_if_blank,
)
BLOCK_RULES: tuple[Rule, ...] = (
    cut_at_undecodable,
    unify_line_endings,
    keep_one_line_mid_line,
    drop_typed_text,
    cut_repetition_loop,
    drop_blanks_at_line_ends,
    drop_repeated_indent,
    indent_like_document,
    cut_at_scope_end,
    drop_repeated_rest_and_lines,
    drop_repeated_rest_of_line,
    drop_doubled_closers,
    cut_at_surplus_closer,
    drop_repeated_previous_lines,
    cut_at_next_line,
    drop_repeated_next_lines,
    drop_repeated_block_end,
    cut_at_syntax_error,
    keep_word_whole,
    drop_trailing_blanks,
    drop_if_it_follows,
    drop_if_blank,
)


def clean_middle(
    middle: str, prefix: str, suffix: str, mode: FillMode, language_id: str = ""
) -> str:
    """Apply every rule of `mode`, in order.

    Args:
        middle: what the engine wrote for the gap.
        prefix: text before the gap, LF line endings.
        suffix: text after the gap, LF line endings.
        mode: how much was to be filled.
        language_id: LSP language identifier; without a known one no syntax is checked.

    Returns:
        What to show at the cursor, LF line endings; "" for nothing.
    """
    gap = Gap(prefix, suffix, mode, language_id)
    for rule in LINE_RULES if mode == "line" else BLOCK_RULES:
        if not middle:
            break
        middle = rule(middle, gap)
    return middle
