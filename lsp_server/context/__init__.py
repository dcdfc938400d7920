"""What surrounds the cursor: how much to fill, in what kind of text, and what else to show.

Knows nothing of LSP, of the engine or of who asks.
"""

from lsp_server.context.fill_mode import FillMode, choose_mode, fill_mode
from lsp_server.context.position_kind import PositionKind, position_kind

__all__ = ["FillMode", "PositionKind", "choose_mode", "fill_mode", "position_kind"]
