"""Large documents are parsed while nobody types."""

import asyncio

from lsp_server.documents import OpenDocument, TextEdit
from lsp_server.idle_parsing import IdleParsing


def large(language_id: str = "python") -> OpenDocument:
    text = "def f(a):\n    return [a, 1]\n\n\n" * 5_000
    return OpenDocument("file:///a.py", language_id, 1, text)


async def test_the_tree_is_ready_after_a_pause() -> None:
    document, idle = large(), IdleParsing(quiet_s=0)
    assert document.syntax.parse(document.lines) is None
    idle.touch(document)
    document.apply(TextEdit(0, 0, 0, 0, "x = 1\n"), "utf-16")
    idle.touch(document)
    await idle.wait_until_done()
    tree = document.syntax.parse(document.lines)
    assert tree is not None
    assert tree.root_node.end_point.row == 20_001


async def test_other_texts_are_left_alone() -> None:
    idle = IdleParsing(quiet_s=0)
    idle.touch(large("plaintext"))
    idle.touch(OpenDocument("file:///b.py", "python", 1, "\0"))
    await asyncio.wait_for(idle.wait_until_done(), 1)


async def test_a_closed_document_is_not_parsed_any_more() -> None:
    document, idle = large(), IdleParsing(quiet_s=0)
    idle.touch(document)
    await asyncio.sleep(0.01)
    idle.forget(document.uri)
    await asyncio.wait_for(idle.wait_until_done(), 1)
    idle.touch(document)
    idle.close()
    await asyncio.wait_for(idle.wait_until_done(), 1)
    assert document.syntax.parse(document.lines, budget_ms=0) is None
