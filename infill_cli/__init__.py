"""The `infill-ls` command line. Thin: each command delegates to the server, client or engine."""
