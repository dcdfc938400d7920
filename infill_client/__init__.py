"""Finds, starts and talks to the engine process. Never imports torch, knows nothing of LSP."""
