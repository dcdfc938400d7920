"""Decides when to speak, and reuses what was said; knows nothing of LSP, engines or transports."""
