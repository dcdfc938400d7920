"""The server's settings: one schema, and every place a user can set them.

Later ones win: defaults < `.infill.toml` of the project < `initializationOptions` <
`workspace/didChangeConfiguration` < the answer to `workspace/configuration`. Lists of what to leave
out add up instead. Knows nothing of what a setting does.
"""

from lsp_server.settings.reading import parse_settings
from lsp_server.settings.schema import KNOWN_KEYS, LogLevel, ModePolicy, ServerSettings
from lsp_server.settings.sources import SettingsSources

__all__ = [
    "KNOWN_KEYS",
    "LogLevel",
    "ModePolicy",
    "ServerSettings",
    "SettingsSources",
    "parse_settings",
]
