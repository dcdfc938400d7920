"""Films the real VS Code for the README: `python -m benchmarks.editors.record`.

Somebody types, ghost text comes, is typed through and is taken; all that the model says is shown,
however unsure and however busy the machine. Writes docs/vscode.webp, and
pictures for the extension's README into editors/vscode/media.
"""

import asyncio
import io
import time
from itertools import pairwise
from pathlib import Path

import click
from PIL import Image
from playwright.async_api import ViewportSize

from benchmarks.editors.typist import exactly
from benchmarks.editors.vscode_window import vscode_window
from tests.editors.vscode.sample import TYPED, at_the_gap
from tests.editors.vscode.user_folders import SHOW_ALL
from tests.editors.vscode.workbench import VSCode

_ROOT = Path(__file__).parents[2]
FILM = _ROOT / "docs" / "vscode.webp"
MEDIA = _ROOT / "editors" / "vscode" / "media"
MAX_FILM_BYTES = 2_000_000
_INTERVAL_S = 0.1
_SIZE: ViewportSize = {"width": 880, "height": 440}
_LOOK_S = 1.2
_SETTINGS = {
    **SHOW_ALL,
    "workbench.activityBar.location": "hidden",
    "workbench.layoutControl.enabled": False,
    "window.commandCenter": False,
    "breadcrumbs.enabled": False,
    "editor.fontSize": 16,
}


class Film:
    """Pictures of one window, taken while something happens in it."""

    def __init__(self, vscode: VSCode) -> None:
        self._vscode = vscode
        self._pictures: list[tuple[float, Image.Image]] = []
        self._is_running = True

    async def run(self) -> None:
        """Take pictures until `stop`."""
        while self._is_running:
            begin_s = time.monotonic()
            png = await self._vscode.page.screenshot()
            self._pictures.append((begin_s, Image.open(io.BytesIO(png)).convert("RGB")))
            await asyncio.sleep(max(0.0, _INTERVAL_S - (time.monotonic() - begin_s)))

    def stop(self) -> None:
        """Take no more."""
        self._is_running = False

    def save(self, path: Path) -> int:
        """Write an animation in the time it took; returns its bytes."""
        times_s = [at_s for at_s, _ in self._pictures]
        lasting_ms = [round(1000 * (after - at)) for at, after in pairwise(times_s)]
        frames = [picture for _, picture in self._pictures]
        frames[0].save(
            path,
            save_all=True,
            append_images=frames[1:],
            duration=[*lasting_ms, 1500],
            loop=0,
            quality=70,
            method=4,
        )
        return path.stat().st_size


async def play(vscode: VSCode) -> None:
    """Type into a gap, type on what is shown, take the rest, and fill the line below."""
    await at_the_gap(vscode, "state.py")
    film = Film(vscode)
    filming = asyncio.create_task(film.run())
    try:
        await _type_like_a_person(vscode, TYPED)
        shown = await vscode.wait_for_ghost_text()
        await asyncio.sleep(_LOOK_S)
        await vscode.page.screenshot(path=MEDIA / "ghost-text.png")
        await _type_like_a_person(vscode, shown[:5])
        await asyncio.sleep(_LOOK_S / 2)
        await vscode.press("Tab")
        await asyncio.sleep(_LOOK_S / 2)
        await vscode.press("Escape", "Enter")
        await _type_like_a_person(vscode, "return ")
        await vscode.wait_for_ghost_text()
        await asyncio.sleep(_LOOK_S)
        await vscode.press("Tab")
        await asyncio.sleep(_LOOK_S)
    finally:
        film.stop()
        await filming
    num_bytes = film.save(FILM)
    if num_bytes > MAX_FILM_BYTES:
        raise click.ClickException(f"The film has {num_bytes} bytes of {MAX_FILM_BYTES} allowed.")
    click.echo(f"{FILM.relative_to(_ROOT)}: {num_bytes} bytes")


async def _type_like_a_person(vscode: VSCode, text: str) -> None:
    for key in exactly(text, seed=1):
        await asyncio.sleep(key.wait_s)
        await vscode.type(key.inserted, delay_ms=0)


async def _record() -> None:
    MEDIA.mkdir(exist_ok=True)
    async with vscode_window(_SETTINGS) as vscode:
        await vscode.page.set_viewport_size(_SIZE)
        await vscode.wait_for_status("check")
        await vscode.press("Control+b")  # the side bar shows nothing here
        await play(vscode)


@click.command()
def main() -> None:
    """Film VS Code with the extension."""
    asyncio.run(_record())


if __name__ == "__main__":
    main()
