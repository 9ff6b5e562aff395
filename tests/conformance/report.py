"""Lay out what was seen as a table."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.scenarios import Observation, Scenario

HEAD = ("scenario", "whatsapp-web.js", "ours must")


def table(rows: Sequence[tuple[Scenario, Observation]]) -> list[str]:
    """Return the lines of a table with a column for the library and one for what ours must do."""
    cells = [HEAD, *((scenario.what, seen.words, scenario.must) for scenario, seen in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [lines[0], "-+-".join("-" * width for width in widths), *lines[1:]]
