"""The only Python of this project that knows LSP; never imports torch."""
