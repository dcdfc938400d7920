"""Fetches a model by its Hugging Face name, and lists those fetched before.

Knows nothing of what is inside a model's folder.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from infill_engine.api import CheckpointError, InfillError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = ["config.json", "generation_config.json", "tokenizer.json", "*.safetensors*"]
"""What the engine reads; the rest of a repository (images, other formats) stays where it is."""


def is_repository_name(text: str) -> bool:
    """Return whether `text` looks like `owner/name`; `./name` and `../name` are folders."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", text, re.ASCII) is not None


def fetch_model(name: str) -> Path:
    """Fetch a model, or what is missing of it, with progress on stderr; return its folder.

    Raises:
        CheckpointError: there is no such model, or it may not be read.
        InfillError: no network, or no space.
    """
    from httpx import TransportError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except GatedRepoError:
        raise CheckpointError(
            f"{name} asks for an agreement first: accept it on its page and set HF_TOKEN."
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise CheckpointError(f"There is no public model named {name!r}.") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, TransportError, ConnectionError):
        raise InfillError(
            f"{name} could not be fetched: no network, or the model hub is out of reach. Fetch "
            "it elsewhere, copy its folder here and run `infill-ls model use FOLDER`."
        ) from None
    except HfHubHTTPError as error:
        raise InfillError(f"{name} could not be fetched: {_first_line(error)}") from None


def fetched_models() -> "Iterator[tuple[str, Path]]":
    """Yield name and folder of every model in the local cache of the model hub."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir()
    except (CacheNotFound, OSError):
        return
    for repository in sorted(cache.repos, key=lambda repository: repository.repo_id):
        for revision in repository.revisions:
            if (revision.snapshot_path / "config.json").is_file():
                yield repository.repo_id, revision.snapshot_path


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
