"""What a user is told of where the code goes."""

import pytest

from infill_client.address import EngineAddress
from infill_client.privacy import where_code_goes


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "https://[::1]:1"])
def test_nothing_is_said_of_this_machine(url: str) -> None:
    assert where_code_goes(EngineAddress(url, "s3cret")) == ""


def test_another_machine_is_named() -> None:
    told = where_code_goes(EngineAddress("https://team.example", "s3cret"))
    assert "is sent to https://team.example" in told and "s3cret" not in told
