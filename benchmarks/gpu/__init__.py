"""The kernels and the full-size model on a GPU, beside transformers: `python -m benchmarks.gpu`."""
