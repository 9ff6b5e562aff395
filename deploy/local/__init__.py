"""A real Kubernetes on this machine, from source packages: no Docker engine, no registry."""
