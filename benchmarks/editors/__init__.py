"""Benchmarks in real editors: what is measured is what a user sees."""
