"""The functional tests' API server and operator, for real worker processes."""

from functional.conftest import operator, place, start, world

__all__ = ["operator", "place", "start", "world"]
