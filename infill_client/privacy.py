"""Says where code goes when it leaves the machine. Knows nothing of why it does."""

from infill_client.address import EngineAddress


def where_code_goes(address: EngineAddress) -> str:
    """Return a sentence for the user; "" for an engine on this machine."""
    if address.is_loopback:
        return ""
    return f"The code around the cursor is sent to {address.url}, as engine.url says."
