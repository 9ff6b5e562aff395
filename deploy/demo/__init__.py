"""Demonstrate the product on this machine: first without Kubernetes, then on a local cluster."""
