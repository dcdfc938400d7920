"""Token healing: give the prefix' last token back to the canvas.

A prefix that ends inside a word ends in a token the model has rarely seen there. Cut off, it
leaves the canvas free to choose any token that begins with the same characters.
"""

from infill_engine.tokenizer import Tokenizer


def heal(prefix_ids: list[int], prefix: str, tokenizer: Tokenizer) -> tuple[list[int], str]:
    """Cut the last token off, unless it ends a line or is indentation.

    Both vocabularies keep a run of blanks as a token of its own, so nothing merges with it but
    deeper indentation, which the editor has already decided.

    Returns:
        The remaining ids, and the text that was cut ("" when nothing was).
    """
    if not prefix_ids:
        return prefix_ids, ""
    cut = tokenizer.decode(prefix_ids[-1:])
    # A token may hold part of a multi-byte character; it then decodes to something else.
    line_so_far = prefix[prefix.rfind("\n") + 1 :]
    is_indentation = not line_so_far.strip() or (len(cut) > 1 and not cut.strip())
    if not cut or is_indentation or cut.endswith(("\n", "\r")) or not prefix.endswith(cut):
        return prefix_ids, ""
    return prefix_ids[:-1], cut
