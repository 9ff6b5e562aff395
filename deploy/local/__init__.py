"""A real Kubernetes on this machine: with kind where a container engine answers, else from source packages."""
