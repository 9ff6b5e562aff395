"""Build requests to a Kubernetes API server and parse its answers; shared by operator, worker, CLI and tests."""
