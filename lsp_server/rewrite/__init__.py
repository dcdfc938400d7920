"""Rewriting a selection: from the command over previews to one edit, or to a clear no."""
