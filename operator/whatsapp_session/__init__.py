"""Hold the contract of users, operator, worker and command: names, resource shapes, conditions, worker environment.

Imports the standard library only and does no I/O, so that each side can rely on it without dragging in the other's
weight.
"""
