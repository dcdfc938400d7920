"""`infill-ls forget`: removes what infill-ls keeps on this machine, before it is uninstalled.

Models and projects are not its to remove. Knows the places, and nothing of what is in them.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import click


@click.command(short_help="Remove what is kept on this machine: settings, counters, logs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(yes: bool) -> None:
    """Stop the engine and remove the settings, counters, logs and compiled kernels of this user.

    Models that were fetched stay where Hugging Face keeps them (HF_HOME, else
    .cache/huggingface in your home folder), and so do files in projects. So do tokens in the
    keyring, which `infill-ls engine logout URL` removes.
    """
    from infill_client.launcher import stop_engine

    if not yes:
        click.confirm("Remove the settings, counters and logs of infill-ls?", abort=True)
    stop_engine()
    for path in _kept():
        _remove(path)
        click.echo(f"removed {path}")
    for folder in _folders():
        # What else lies there is somebody else's.
        with contextlib.suppress(OSError):
            folder.rmdir()


def _kept() -> list[Path]:
    from infill_client.settings import settings_file
    from infill_engine.kernel_files import kernel_folder
    from infill_engine.process_state import log_folder, runtime_folder, state_file
    from lsp_server.speaking.request_log import request_log_file
    from lsp_server.speaking.stats_file import stats_file

    def found() -> Iterator[Path]:
        yield settings_file()
        yield from (stats_file(), stats_file().with_suffix(".lock"))
        yield from request_log_file().parent.glob(f"{request_log_file().name}*")
        yield from log_folder().glob("engine*.log*")
        yield from (state_file(), *runtime_folder().glob("*.lock"))
        yield kernel_folder()

    return [path for path in found() if path.exists()]


def _folders() -> list[Path]:
    """Folders that may be empty now, the inner ones first."""
    from infill_client.settings import settings_file
    from infill_engine.kernel_files import kernel_folder
    from infill_engine.process_state import log_folder, runtime_folder
    from lsp_server.speaking.stats_file import stats_file

    return [
        log_folder(),
        runtime_folder(),
        stats_file().parent,
        settings_file().parent,
        kernel_folder().parent,
    ]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
