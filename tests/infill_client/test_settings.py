"""The user's settings file."""

from pathlib import Path

import pytest

from infill_client.settings import EngineSettings, choose_model, read_settings, settings_file
from infill_engine.api import ConfigError


def test_no_file_gives_the_defaults(folders: Path) -> None:
    assert read_settings() == EngineSettings()


def test_choosing_a_model_keeps_the_rest(folders: Path) -> None:
    choose_model('/models\\"odd"')
    path = settings_file()
    path.write_text("# mine\nnum_threads = 2\n" + path.read_text() + "device = 'cpu'  # slow\n")
    assert read_settings().model == '/models\\"odd"'
    choose_model("embedded")
    text = "# mine\nnum_threads = 2\nmodel = \"embedded\"\ndevice = 'cpu'  # slow\n"
    assert path.read_text() == text
    assert read_settings() == EngineSettings(num_threads=2, device="cpu")
    assert [file.name for file in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "unknown key 'colour'; allowed are model, device"),
        ("model = 1", "model is 1; it must be a string"),
        ("num_threads = true", "num_threads is True; it must be a whole number"),
        ("num_threads = 3.5", "num_threads is 3.5; it must be a whole number"),
        ("command = ['x']", "unknown key 'command'"),
        ("model =", "not valid TOML"),
        ("model = 'some/folder'", "it must be 'embedded' or a folder's absolute path"),
    ],
)
def test_wrong_file_is_a_clear_error(folders: Path, text: str, message: str) -> None:
    settings_file().parent.mkdir()
    settings_file().write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_settings()
    with pytest.raises(ConfigError, match=message):
        choose_model("embedded")
    assert settings_file().read_text() == text


def test_file_that_cannot_be_read_is_a_clear_error(folders: Path) -> None:
    settings_file().mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings()
