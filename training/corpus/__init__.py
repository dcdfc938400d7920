"""Builds the text corpus of the embedded model from permissively licensed packages.

Knows packages, licences and files; knows nothing of tokens, spans or the model.
Run it as `python -m training.corpus build`.
"""
