"""Where a token comes from: the settings, an environment variable, or the system's keyring.

The keyring keeps one token for each server. Knows nothing of what a token opens.
"""

import os
from urllib.parse import urlsplit

from infill_client.address import EngineAddress
from infill_client.settings import EngineSettings
from infill_engine.api import ConfigError

_SERVICE = "infill-ls"
_INSTEAD = "Put it into an environment variable and name that in engine.tokenEnv instead."


def address_of(settings: EngineSettings) -> EngineAddress:
    """Return the address that the settings name, with its token. Blocks: a keyring may ask.

    Raises:
        ConfigError: the address cannot work, or the token cannot be had from where it should be.
    """
    without = EngineAddress(settings.url, "", settings.ca_file)  # first: is that an address at all?
    return EngineAddress(without.url, find_token(settings), without.ca_file)


def find_token(settings: EngineSettings) -> str:
    """Return the token for `settings.url`, "" when there is none. Blocks: a keyring may ask.

    The first of these that is there: the setting itself, the environment variable that it names,
    the keyring.

    Raises:
        ConfigError: the environment variable is not set.
    """
    if settings.token:
        return settings.token
    if settings.token_env:
        token = os.environ.get(settings.token_env, "").strip()
        if not token:
            raise ConfigError(
                f"engine.tokenEnv names the environment variable {settings.token_env!r}, which is "
                "not set where the language server runs. Set it and start the editor anew, or "
                f"store the token with `infill-ls engine login {settings.url}`."
            )
        return token
    return _stored_token(settings.url)


def store_token(url: str, token: str) -> None:
    """Keep a token for a server in the keyring.

    Raises:
        ConfigError: the address or the token cannot be one, or there is no keyring.
    """
    import keyring
    from keyring.errors import KeyringError

    if not token:
        raise ConfigError("The token is empty; nothing was stored.")
    EngineAddress(url, token)
    try:
        keyring.set_password(_SERVICE, server_of(url), token)
    except KeyringError:
        raise ConfigError(f"This machine has no keyring that takes the token. {_INSTEAD}") from None


def remove_token(url: str) -> bool:
    """Remove a server's token from the keyring; False when none was there.

    Raises:
        ConfigError: the address cannot be one, or there is no keyring.
    """
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    EngineAddress(url, "")
    try:
        if keyring.get_password(_SERVICE, server_of(url)) is None:
            return False
        keyring.delete_password(_SERVICE, server_of(url))
    except PasswordDeleteError:
        raise ConfigError("The keyring refused to remove the token.") from None
    except KeyringError:
        raise ConfigError("This machine has no keyring that can be read.") from None
    return True


def server_of(url: str) -> str:
    """Return the part of an address that a token belongs to: scheme, host and port."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _stored_token(url: str) -> str:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, server_of(url)) or ""
    except KeyringError:  # without a keyring there is nothing in it
        return ""
