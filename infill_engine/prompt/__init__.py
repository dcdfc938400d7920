"""From a request to prompt tokens: one strategy per kind of checkpoint."""
