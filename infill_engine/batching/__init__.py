"""Several requests at once on one model: KV slots, rounds of steps, and when company is worth it.

Read `batch` first. Knows nothing of prompts, text or HTTP.
"""
