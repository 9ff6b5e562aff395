"""Perform what the core decides: one loop of events, one browser."""
