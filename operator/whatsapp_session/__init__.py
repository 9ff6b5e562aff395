"""Define the contract of operator, worker and CLI: names, specs, conditions and the environment of the worker.

It imports the standard library only and does no I/O, so that each program can use it without the dependencies of the
others.
"""
