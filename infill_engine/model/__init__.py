"""The DiffusionGemma text stack in plain PyTorch: weights in, hidden states and logits out.

Knows nothing of text, prompts, canvases' policies or sampling.
"""
