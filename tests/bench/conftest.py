"""Benchmarks use the cluster of the end-to-end tests."""

from e2e.conftest import cluster, world

__all__ = ["cluster", "world"]
