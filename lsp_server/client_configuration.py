"""Asks the client for its configuration, and to tell when that or a project's file changes.

Only what the client says it can. Knows nothing of what the settings are.
"""

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server.protocol import InfillServer

if TYPE_CHECKING:
    from lsp_server.settings.pulled import AskClient, Scope

SECTION = "infill"


def how_to_ask(server: InfillServer) -> "AskClient | None":
    """Return what asks the client for its section "infill"; None when it can not be asked."""
    workspace = server.client_capabilities.workspace
    if workspace is None or not workspace.configuration:
        return None

    async def ask(scope: "Scope") -> object:
        item = types.ConfigurationItem(scope_uri=scope, section=SECTION)
        answer = await server.workspace_configuration_async(types.ConfigurationParams([item]))
        return answer[0] if answer else None

    return ask


def watch_settings(server: InfillServer) -> None:
    """Have the client tell when its configuration or a project's file changes.

    Without, a project's file is still looked at, and a client that pushes settings still heard.
    """
    workspace = server.client_capabilities.workspace
    if workspace is None:
        return
    registrations: list[types.Registration] = []
    configuration, files = workspace.did_change_configuration, workspace.did_change_watched_files
    if configuration is not None and configuration.dynamic_registration:
        registrations.append(
            types.Registration("configuration", types.WORKSPACE_DID_CHANGE_CONFIGURATION)
        )
    if files is not None and files.dynamic_registration:
        from lsp_server.settings.project_file import FILE_NAME

        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob_pattern=f"**/{FILE_NAME}")]
        )
        registrations.append(
            types.Registration("project-file", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        )
    if registrations:
        server.client_register_capability(types.RegistrationParams(registrations))
