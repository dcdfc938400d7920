"""The reader of text fixtures refuses what it would have to guess."""

from pathlib import Path

import pytest

from .fixture_text import read_fixtures

CASE = "# theme\n\n=== one\nlanguage: python\n# why\n--- document\nx = ‸··\n\n--- answer\n→1\n\n"


def test_a_case(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CASE + "=== two\n--- document\n‸\n--- answer\n", "utf-8")
    one, two = read_fixtures(tmp_path)
    assert (one.name, one.keys) == ("one", {"language": "python"})
    assert (one.prefix, one.suffix) == ("x = ", "  \n\n")
    assert one.section("answer") == "\t1"
    assert (two.document, two.section("answer")) == ("‸\n", "")


@pytest.mark.parametrize(
    "text", [CASE + CASE.removeprefix("# theme\n"), CASE.replace("‸", ""), CASE.replace("‸", "‸‸")]
)
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="one"):
        read_fixtures(tmp_path)
