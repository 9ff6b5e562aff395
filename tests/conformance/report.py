"""Lay out what was seen as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from conformance.scenarios import Scenario

HEAD = ("scenario", "whatsapp-web.js 1.34.7", "must", "ours")
WIDTHS = (39, 44, 40, 44)


def table(rows: Sequence[tuple[Scenario, str, str]]) -> list[str]:
    """Return the lines of a table: scenario, what the library did, what ours must do, what ours did."""
    lines = [*_row(HEAD), "-+-".join("-" * width for width in WIDTHS)]
    for scenario, theirs, mine in rows:
        lines += _row((scenario.what, theirs, scenario.must, mine))
    return lines


def _row(cells: Sequence[str]) -> list[str]:
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
    height = max(len(lines) for lines in wrapped)
    return [
        " | ".join(
            (lines[number] if number < len(lines) else "").ljust(width)
            for lines, width in zip(wrapped, WIDTHS, strict=True)
        ).rstrip()
        for number in range(height)
    ]
