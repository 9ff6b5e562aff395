"""Logs and archives as each released version wrote them."""

import pathlib

GOLDEN = pathlib.Path(__file__).parent / "golden"


FORMATS = sorted(path.name for path in GOLDEN.glob("format-*"))
