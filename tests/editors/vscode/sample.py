"""A file with a gap in which the embedded model has something to say, and the way there."""

from .workbench import VSCode

BEFORE = """import json
from pathlib import Path


def read_config(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    return json.loads(text)


def read_state(path: Path) -> dict[str, str]:
"""
AFTER = """

def main() -> None:
    print(read_config(Path("config.json")))
"""
TYPED = "    text = "
GAP_LINE = BEFORE.count("\n") + 1


async def at_the_gap(vscode: VSCode, name: str, end_of_line: str = "\n") -> None:
    """Open the file anew, the cursor on the empty line of the gap."""
    await vscode.open(name, (BEFORE + "\n" + AFTER).replace("\n", end_of_line))
    await vscode.go_to(GAP_LINE, 1)


async def typed_at_the_gap(vscode: VSCode, name: str, end_of_line: str = "\n") -> str:
    """Type the beginning of a line in the gap as a person does; returns the ghost text."""
    await at_the_gap(vscode, name, end_of_line)
    await vscode.type(TYPED)
    return await vscode.wait_for_ghost_text()


def with_line(line: str) -> str:
    """Return the file with this line in the gap."""
    return BEFORE + line + "\n" + AFTER


async def wait_for_line(vscode: VSCode, line: str) -> None:
    """Return when the cursor's line is this one."""

    async def is_there() -> bool:
        return await vscode.cursor_line() == line

    await vscode.wait_until(is_there, f"the line is {line!r}")


async def wait_for_more_than(vscode: VSCode, line: str) -> str:
    """Return the cursor's line as soon as it goes on behind `line`."""
    found = ""

    async def is_longer() -> bool:
        nonlocal found
        found = await vscode.cursor_line()
        return found.startswith(line) and len(found) > len(line)

    await vscode.wait_until(is_longer, f"something stands behind {line!r}")
    return found
