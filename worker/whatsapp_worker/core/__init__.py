"""Decide, without I/O, what a worker does next: events in, actions out."""
