"""A server with a certificate: of a private authority, expired, or of nobody that is known."""

from datetime import timedelta
from pathlib import Path

import pytest

from infill_client.address import EngineAddress
from infill_client.blocking import fetch_health
from infill_client.openai.client import OpenAiClient
from infill_client.openai.probe import probe
from infill_engine.api import ConfigError, EngineUnavailable, InfillRequest

from ..certificates import Authority
from .fake_server import running_server


async def test_a_private_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with running_server(authority.sign("server"), token="t") as server:
        address = EngineAddress(server.url, "t", str(authority.file))
        async with OpenAiClient(await probe(address)) as client:
            assert (await client.infill(InfillRequest("x = ", ""))).text == "1"
        with pytest.raises(EngineUnavailable, match=r"is not accepted: .*name .* engine\.caFile"):
            await probe(EngineAddress(server.url, "t"))


@pytest.mark.parametrize(
    ("valid_from", "words"),
    [(timedelta(days=-1.5), None), (timedelta(days=-4), "expired"), (timedelta(days=3), "not yet")],
)
async def test_when_a_certificate_is_valid(
    tmp_path: Path, valid_from: timedelta, words: str | None
) -> None:
    authority = Authority(tmp_path)
    certificate = authority.sign("server", valid_from)
    with running_server(certificate) as server:
        address = EngineAddress(server.url, "", str(authority.file))
        if words is None:
            assert await probe(address)
            return
        with pytest.raises(
            EngineUnavailable, match=f"certificate of .* is not accepted: .*{words}"
        ):
            await probe(address)
        with pytest.raises(EngineUnavailable, match=f"is not accepted: .*{words}"):
            fetch_health(address)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_that_holds_no_certificates(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"engine\.caFile .* cannot be used"):
        await probe(EngineAddress("https://127.0.0.1:1", "", str(path)))
