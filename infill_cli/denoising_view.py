"""Shows a gap while it is being denoised: in place on a terminal, one line per step elsewhere.

Settled text stands in full color, unsettled text dim; below it a strip with one cell per canvas
position, colored by its entropy. Knows nothing of engines: it is told the events.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from infill_cli.gap import Gap
from infill_engine.api import InfillResult, InfillUpdate

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_NUM_CONTEXT_LINES = 6
_MAX_STRIP_CELLS = 64
# Upper bounds in nats, from sure to a guess among many.
_ENTROPY_STYLES = ((0.1, "green"), (0.7, "yellow"), (2.0, "dark_orange"), (float("inf"), "red"))


class DenoisingView(Protocol):
    """Told every event of one request, in order."""

    def show(self, event: InfillUpdate | InfillResult) -> None:
        """Show the state after a step, or the final text."""
        ...


@contextmanager
def denoising_view(gap: Gap) -> Iterator[DenoisingView]:
    """Yield the view that suits stderr."""
    if not sys.stderr.isatty():
        yield _PlainView()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield _TerminalView(gap, live)


class _PlainView:
    """One line per step: for logs, pipes and CI."""

    def show(self, event: InfillUpdate | InfillResult) -> None:
        if isinstance(event, InfillUpdate):
            settled = f"{event.settled_chars}/{len(event.text)}"
            line = f"step {event.step_idx + 1:3d}  settled {settled:>9}  {_one_line(event.text)}"
            click.echo(line, err=True)


class _TerminalView:
    """The lines around the gap, redrawn after every step."""

    def __init__(self, gap: Gap, live: "Live") -> None:
        self._before = last_lines(gap.prefix, _NUM_CONTEXT_LINES)
        self._after = first_lines(gap.suffix, _NUM_CONTEXT_LINES)
        self._live = live

    def show(self, event: InfillUpdate | InfillResult) -> None:
        self._live.update(self._draw(event), refresh=True)

    def _draw(self, event: InfillUpdate | InfillResult) -> "Text":
        from rich.text import Text

        is_final = isinstance(event, InfillResult)
        settled_chars = len(event.text) if is_final else event.settled_chars
        drawn = Text(no_wrap=True, overflow="ellipsis")
        drawn.append(safe_for_terminal(self._before), "bright_black")
        drawn.append(safe_for_terminal(event.text[:settled_chars]), "bold green")
        drawn.append(safe_for_terminal(event.text[settled_chars:]), "dim italic yellow")
        drawn.append(safe_for_terminal(self._after), "bright_black")
        drawn.append("\n")
        if is_final:
            drawn.append(summary(event), "cyan")
        else:
            drawn.append(f"step {event.step_idx + 1:2d} ", "cyan")
            drawn.append_text(_entropy_strip(event.token_entropies))
        drawn.expand_tabs(4)
        return drawn


def summary(result: InfillResult) -> str:
    """Return the cost of a result in a few words."""
    total_ms = result.timings_ms.get("total")
    time_taken = f" in {total_ms:.0f} ms" if total_ms is not None else ""
    steps = "1 step" if result.num_steps == 1 else f"{result.num_steps} steps"
    if result.drafted_tokens:
        steps += f", {result.drafted_tokens} of {result.num_tokens} tokens as elsewhere in the file"
    return f"{result.finish_reason} after {steps}{time_taken}"


def last_lines(text: str, num_lines: int) -> str:
    """Return the end of `text` that spans at most `num_lines` lines."""
    return "\n".join(text.split("\n")[-num_lines:])


def first_lines(text: str, num_lines: int) -> str:
    """Return the start of `text` that spans at most `num_lines` lines."""
    return "\n".join(text.split("\n")[:num_lines])


def safe_for_terminal(text: str) -> str:
    """Return `text` with control characters made visible: a file must not steer the terminal."""
    return "".join(
        char if char in "\n\t" or char.isprintable() else "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"
        for char in text
    )


def _one_line(text: str) -> str:
    return safe_for_terminal(text).replace("\n", "⏎").replace("\t", "→")


def _entropy_strip(token_entropies: tuple[float, ...]) -> "Text":
    from rich.text import Text

    strip = Text()
    for entropy in token_entropies[:_MAX_STRIP_CELLS]:
        style = next(style for bound, style in _ENTROPY_STYLES if not entropy > bound)
        strip.append("▪", style)
    if len(token_entropies) > _MAX_STRIP_CELLS:
        strip.append("…", "bright_black")
    return strip
