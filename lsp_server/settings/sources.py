"""Joins all sources of settings: what counts for the connection, and what for one document.

Later ones win: defaults, the project's file, initialization options, pushed and pulled settings.
Knows nothing of LSP's methods, nor of what the settings do.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pygls.uris import to_fs_path

from lsp_server.settings.project_file import ProjectFiles
from lsp_server.settings.pulled import AskClient, PulledSettings, Scope
from lsp_server.settings.reading import read_values
from lsp_server.settings.schema import RULES, ServerSettings

TRUST_KEY = "workspaceTrusted"
"""In the initialization options alone: settings can come from files of the workspace itself."""

Report = Callable[[tuple[str, ...]], None]


class SettingsSources:
    """All sources of one connection. Use from one event loop only."""

    def __init__(
        self,
        options: object,
        folder_uris: Callable[[], Sequence[str]],
        report: Report,
        ask: AskClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the client's `initializationOptions`.

        Args:
            options: settings, and whether the workspace is trusted; if that is not said, it is not.
            folder_uris: returns the URIs of the workspace's folders as they are now.
            report: takes sentences for the user about entries that are not used.
            ask: asks the client for its configuration; None when it can not be asked.
            clock: seconds; how often a project's file is looked at.
        """
        is_trusted, settings, problems = _split_options(options)
        self._folder_uris = folder_uris
        self._report = report
        self._files = ProjectFiles(is_trusted, report, clock)
        self._pulled = PulledSettings(ask, report) if ask else None
        self._pushed: dict[str, Any] = {}
        self._tell(problems)
        self.push(settings)

    def push(self, given: object) -> None:
        """Take what the client sends on its own; what it does not mention stays.

        Answers to earlier questions are taken for old, see `refresh`.
        """
        values, problems = read_values(given)
        self._pushed.update(values)
        self._tell(problems)
        if self._pulled:
            self._pulled.ask_again()

    async def refresh(self, uri: str | None = None) -> None:
        """Ask the client, if that was not done since it said that something changed.

        A client that does not answer is waited for 2 s once, then no more until its next `push`.

        Args:
            uri: also ask for this document's own settings.
        """
        if self._pulled:
            await self._pulled.refresh(None)
            if uri is not None:
                await self._pulled.refresh(uri)

    def look_again(self) -> None:
        """Look at the projects' files when they are next needed, however short ago that was."""
        self._files.look_again()

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        if self._pulled:
            self._pulled.forget(uri)

    def close(self) -> None:
        """Wait for no answer of the client any more."""
        if self._pulled:
            self._pulled.close()

    def for_connection(self) -> ServerSettings:
        """Return what counts for the connection: of the projects, the first folder has its say."""
        folders = self._folders()
        return self._join(folders[0] if folders else None, None)

    def for_document(self, uri: str) -> ServerSettings:
        """Return what counts for the document: of the projects, its own folder has its say.

        What there can be only one of, such as the engine, is as for the connection.
        """
        own = self._join(self._folder_of(uri), uri)
        shared = self.for_connection()
        one_for_all = {
            name: getattr(shared, name) for name, rule in RULES.items() if not rule.per_document
        }
        return own.model_copy(update=one_for_all)

    def _join(self, folder: Path | None, scope: Scope) -> ServerSettings:
        project = self._files.values(folder) if folder else {}
        pulled = self._pulled.values(scope) if self._pulled else {}
        return join(project, {**self._pushed, **pulled})

    def _folders(self) -> list[Path]:
        return [path for path in map(_path_of, self._folder_uris()) if path]

    def _folder_of(self, uri: str) -> Path | None:
        """Return the innermost workspace folder that holds the document."""
        path = _path_of(uri)
        if path is None:
            return None
        holding = [folder for folder in self._folders() if path.is_relative_to(folder)]
        return max(holding, key=lambda folder: len(folder.parts), default=None)

    def _tell(self, problems: tuple[str, ...]) -> None:
        if problems:
            self._report(problems)


def join(project: Mapping[str, Any], editor: Mapping[str, Any]) -> ServerSettings:
    """Join what a project may set with what the editor sets, which wins; some lists add up.

    Args:
        project: attribute of `ServerSettings` → valid value, of the project's file.
        editor: the same, of the editor.
    """
    values = {**project, **editor}
    for name, rule in RULES.items():
        if rule.adds_up and name in project and name in editor:
            values[name] = _added_up(project[name], editor[name])
    if "engine_url" in project and "engine_url" not in editor:
        # Or a project could have the user's token sent to an address of its own.
        values.pop("engine_token", None)
        values.pop("engine_token_env", None)
    return ServerSettings(**values)


def _path_of(uri: str) -> Path | None:
    """Return the path that a URI names; None when it names no file."""
    try:
        path = to_fs_path(uri) if uri.startswith("file:") else None
    except ValueError:
        return None
    return Path(path) if path else None


def _added_up(first: Any, second: Any) -> Any:
    if isinstance(first, frozenset):
        return first | second
    return tuple(dict.fromkeys((*first, *second)))


def _split_options(options: object) -> tuple[bool, object, tuple[str, ...]]:
    """Part the initialization options into trust, settings and problems.

    Trust that is not told is not there: editors without a notion of it open whatever was cloned.
    """
    if not isinstance(options, Mapping):
        return False, options, ()
    settings = dict(options)
    trusted = settings.pop(TRUST_KEY, False)
    nested = settings.get("infill")
    if isinstance(nested, Mapping) and TRUST_KEY in nested:
        settings["infill"] = {key: value for key, value in nested.items() if key != TRUST_KEY}
        trusted = nested[TRUST_KEY]
    if not isinstance(trusted, bool):
        problem = f'"{TRUST_KEY}" must be true or false; the workspace is taken for not trusted.'
        return False, settings, (problem,)
    return trusted, settings, ()
