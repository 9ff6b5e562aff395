"""Tell the product's story on this machine: first without Kubernetes, then on a local cluster."""
