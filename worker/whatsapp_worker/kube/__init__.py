"""Run a session inside a pod: its Lease, its status, its health."""
