"""Programs and images: what a cluster is made of."""
