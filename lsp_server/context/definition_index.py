"""Which open document defines a name: one index per document, brought up to date when asked.

Knows nothing of the cursor.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from tree_sitter import Tree

from lsp_server.context.definitions import Definition, definitions_in
from lsp_server.documents import OpenDocument
from lsp_server.languages import syntax_of
from lsp_server.syntax_tree import BUDGET_MS

_MAX_DEFINITIONS = 5_000  # of one document


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """The definitions of one document's text as it was at `version`.

    Attributes:
        document: whose.
        version: its number for `lines`.
        lines: its text then.
        tree: of that text; keeps the definitions' nodes alive.
        by_name: the definitions.
    """

    document: OpenDocument
    version: int
    lines: list[str]
    tree: Tree
    by_name: Mapping[str, Sequence[Definition]]


class DefinitionIndex:
    """The definitions of the open documents."""

    def __init__(self) -> None:
        self._indexed: dict[str, IndexedDocument] = {}

    def refresh(
        self,
        documents: Iterable[OpenDocument],
        family: str,
        budget_ms: float | None = BUDGET_MS,
    ) -> list[IndexedDocument]:
        """Return what is known of the documents in one family of languages.

        At most one document is read anew for a question, so that no keystroke waits for many: the
        others are as they were, or missing, until the next one.

        Args:
            documents: those that are open.
            family: as in languages.py.
            budget_ms: milliseconds for a parse, as of `SyntaxTree.parse`; None reads all.
        """
        known: list[IndexedDocument] = []
        may_read = True
        for document in documents:
            syntax = syntax_of(document.language_id)
            if syntax is None or syntax.family != family or document.is_binary:
                continue
            indexed = self._indexed.get(document.uri)
            is_fresh = (
                indexed is not None
                and indexed.document is document
                and indexed.version == document.version
            )
            if not is_fresh and may_read:
                may_read = budget_ms is None
                indexed = self._read(document, budget_ms) or indexed
            if indexed is not None:
                known.append(indexed)
        return known

    def forget(self, uri: str) -> None:
        """Drop what is known of a document that was closed."""
        self._indexed.pop(uri, None)

    def _read(self, document: OpenDocument, budget_ms: float | None) -> IndexedDocument | None:
        syntax = syntax_of(document.language_id)
        tree = document.syntax.parse(document.lines, budget_ms)
        if tree is None or syntax is None:
            return None
        # The document's own tree is edited in place, its nodes would not survive that.
        tree = tree.copy()
        lines = list(document.lines)
        by_name: dict[str, list[Definition]] = {}
        found = definitions_in(tree.root_node, syntax, lines)
        for definition in islice(found, _MAX_DEFINITIONS):
            if definition.name:
                by_name.setdefault(definition.name, []).append(definition)
        indexed = IndexedDocument(document, document.version, lines, tree, by_name)
        self._indexed[document.uri] = indexed
        return indexed
