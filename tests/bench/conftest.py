"""Benchmarks use the cluster of the end-to-end tests."""

from e2e.conftest import cluster, nodes, world

__all__ = ["cluster", "nodes", "world"]
