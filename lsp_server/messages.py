"""Messages that lsprotocol lacks: a token it forgets, and requests of our own.

Knows nothing of what is answered.
"""

import re
from typing import Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override
from lsprotocol import converters, types

INFILL_STREAM = "infill/stream"
"""Custom request: as `textDocument/inlineCompletion`, with a `token` that its updates carry."""

INFILL_DID_SHOW = "infill/didShow"
"""Custom notification of the client: a suggestion was shown."""
INFILL_DID_PARTIALLY_ACCEPT = "infill/didPartiallyAccept"
"""Custom notification of the client: {uri, acceptedLength}, characters of a suggestion taken."""


@attrs.define
class InlineCompletionParams(types.InlineCompletionParams):
    """With what LSP 3.18 says of these parameters and lsprotocol leaves out."""

    partial_result_token: int | str | None = attrs.field(default=None)


@attrs.define
class StreamParams(types.InlineCompletionParams):
    """Parameters of `infill/stream`."""

    token: int | str = attrs.field(kw_only=True)


@attrs.define
class InlineCompletionRequest:
    """A whole message."""

    id: int | str = attrs.field()
    params: InlineCompletionParams = attrs.field()
    method: str = types.TEXT_DOCUMENT_INLINE_COMPLETION
    jsonrpc: str = attrs.field(default="2.0")


@attrs.define
class StreamRequest:
    """A whole message."""

    id: int | str = attrs.field()
    params: StreamParams = attrs.field()
    method: str = INFILL_STREAM
    jsonrpc: str = attrs.field(default="2.0")


OWN_MESSAGES: dict[str, Any] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: InlineCompletionRequest,
    INFILL_STREAM: StreamRequest,
}


def make_converter() -> Converter:
    """lsprotocol's converter, which knows the classes of this module too."""
    converter = converters.get_converter()
    converter.register_structure_hook(int | str, _number_or_text)
    converter.register_structure_hook(
        int | str | None, lambda value, _: None if value is None else _number_or_text(value, None)
    )
    for own in (InlineCompletionParams, StreamParams, InlineCompletionRequest, StreamRequest):
        attrs.resolve_types(own, dict(vars(types)))
        names = {field.name: override(rename=_camel(field.name)) for field in attrs.fields(own)}
        converter.register_structure_hook(
            own,
            make_dict_structure_fn(own, converter, **names),  # pyright: ignore
        )
    return converter


def _number_or_text(value: Any, _: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a token must be a number or a text")
    return value


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match.group(1).upper(), name)
