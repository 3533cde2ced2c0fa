"""Benchmarks: inputs with known optima, and what they take."""
