"""Fills gaps with any server that speaks OpenAI's HTTP API, such as vLLM, SGLang or llama.cpp's.

Offers what `infill_client.client` offers of our own engine. Never imports torch, knows nothing of
LSP.
"""
