"""Requests to a Kubernetes API server and what it answers, without a sender: for operator, worker, command, tests."""
