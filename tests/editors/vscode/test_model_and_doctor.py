"""What the menu asks `infill-ls` for: the models to choose from, and the installation's check."""

import pytest

from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_the_models_are_listed_with_ways_to_more(vscode: VSCode) -> None:
    await vscode.run("infill.selectModel")
    rows = await vscode.wait_for_quick_pick(lambda rows: "embedded" in rows[0])
    assert "13.2 M parameters" in rows[0]
    assert any("A folder" in row for row in rows)
    await vscode.screenshot("models")
    await vscode.press("Escape")


async def test_the_doctor_reports_in_a_document(vscode: VSCode) -> None:
    await vscode.run("infill.doctor")

    async def has_report() -> bool:
        text = await vscode.text()
        return "doctor" in text and "Ready to use." in text

    await vscode.wait_until(has_report, "the doctor's report", limit_s=120.0)
    await vscode.screenshot("doctor")
    assert "infill.server.command" in await vscode.text()
    # Nothing to save: it closes without a question.
    assert await vscode.page.locator(".tab.active:not(.dirty)").count() == 1
