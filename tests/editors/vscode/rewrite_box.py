"""The box under a selection that is being rewritten, as its user sees it, and the way there."""

from .sample import AFTER, BEFORE
from .workbench import VSCode

OLD = '    number = 8317\n    print("qqq", number)\n    raise KeyError(number)'
"""What no model would write in its place."""
FIRST_LINE = BEFORE.count("\n") + 1
BOX = ".review-widget"
_INPUT = ".quick-input-widget input"


def document(middle: str) -> str:
    """Return the file with this in the selection's place."""
    return BEFORE + middle + "\n" + AFTER


async def select_old(vscode: VSCode, name: str, end_of_line: str = "\n") -> None:
    """Open the file anew and select `OLD`, to the end of its last line."""
    await vscode.open(name, document(OLD).replace("\n", end_of_line))
    await select_lines(vscode, FIRST_LINE, OLD.count("\n"))


async def select_lines(vscode: VSCode, first_line: int, num_more: int) -> None:
    """Select from the start of a line, counted from 1, to the end of the line so many below."""
    await vscode.go_to(first_line, 1)
    await vscode.press(*["Shift+ArrowDown"] * num_more, "Shift+End")


async def ask(vscode: VSCode, instruction: str = "") -> None:
    """Have the selection rewritten by the key for it."""
    await vscode.press("Control+Alt+i")
    await vscode.page.wait_for_selector(_INPUT)
    await vscode.type(instruction, delay_ms=0)
    await vscode.press("Enter")


async def offered(vscode: VSCode) -> str:
    """Wait until a text can be accepted; returns it, read from the box's diff."""
    accept = vscode.page.locator(f"{BOX} .comment-body a", has_text="Accept")
    await accept.wait_for()
    lines = (await vscode.page.locator(f"{BOX} pre").inner_text()).split("\n")
    return "\n".join(line[2:].rstrip() for line in lines if not line.startswith("-"))


async def wait_until_gone(vscode: VSCode) -> None:
    """Return when no box is shown any more."""

    async def is_gone() -> bool:
        return not await vscode.has(BOX)

    await vscode.wait_until(is_gone, "the box is gone")


async def wait_for_text(vscode: VSCode, shown: str) -> None:
    """Return when the editor shows these lines."""

    async def is_there() -> bool:
        return shown in await vscode.text()

    await vscode.wait_until(is_there, f"the editor shows {shown!r}")


async def wait_for_message(vscode: VSCode, part: str) -> None:
    """Return when one notification, and no other, says this."""

    async def is_told() -> bool:
        return any(part in message for message in await vscode.notifications())

    await vscode.wait_until(is_told, f"a notification says {part!r}")
    assert len(await vscode.notifications()) == 1
