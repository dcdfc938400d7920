"""Why nothing is suggested in a document at all, whatever the moment: settings, its kind, its file.

Knows nothing of LSP's methods or of where in the document the cursor stands.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from pygls.uris import to_fs_path

from lsp_server.documents import OpenDocument
from lsp_server.speaking.exclusions import Exclusions
from lsp_server.speaking.read_only import why_read_only
from lsp_server.speaking.reasons import Withheld

if TYPE_CHECKING:
    from lsp_server.settings import ServerSettings


def why_withheld(
    document: OpenDocument,
    settings: "ServerSettings",
    folder_uris: Sequence[str],
    exclusions: Exclusions,
) -> Withheld | None:
    """Say in a sentence for the user why nothing is suggested; None when something may be."""
    name = _name_of(document.uri)
    if not settings.enabled:
        sentence = 'Suggestions are switched off by the setting "enabled".'
        return Withheld("switched_off", sentence)
    if document.language_id in settings.disabled_languages:
        sentence = f'Suggestions are switched off for "{document.language_id}" by the setting '
        return Withheld("switched_off", sentence + '"disabledLanguages".')
    if document.is_binary:
        return Withheld("binary", f"{name} is a binary file; nothing is suggested there.")
    if document.num_chars > settings.max_document_chars:
        return Withheld(
            "too_large",
            f"{name} has {document.num_chars} characters; suggestions stop "
            f'at {settings.max_document_chars} (setting "maxDocumentChars").',
        )
    why = why_excluded(document.uri, settings, folder_uris, exclusions)
    if why is not None:
        return Withheld("excluded", why)
    path = to_fs_path(document.uri) if document.uri.startswith("file:") else None
    return why_read_only(path) if path else None


def why_excluded(
    uri: str, settings: "ServerSettings", folder_uris: Sequence[str], exclusions: Exclusions
) -> str | None:
    """Why the file is secret, ignored or generated; None when it is none of these."""
    folders = [path for folder in folder_uris if (path := to_fs_path(folder))]
    path = to_fs_path(uri) if uri.startswith("file:") else None
    return exclusions.why_excluded(
        path or _name_of(uri), folders, settings.exclude, settings.use_gitignore
    )


def _name_of(uri: str) -> str:
    return PurePosixPath(unquote(urlparse(uri).path)).name or "This document"
