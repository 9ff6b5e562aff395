"""What a session costs and how fast it starts, beside the unmodified whatsapp-web.js: same browser, same simulator.

The two take turns, so that a busy machine strikes both. `WSO_ROUNDS`, `WSO_MEGABYTES` (a list such as 5,30,100),
`WSO_SETTLE_SECONDS` and `WSO_IDLE_SECONDS` choose the counts; `WSO_OWN_SAVE=1` waits for the save that the library
makes by itself after a minute; `WSO_PARTS=1` prints the memory of each process.
"""

import os
import pathlib
import statistics

import pytest

from bench.worker import sides

ROUNDS = int(os.environ.get("WSO_ROUNDS", "3"))
MEGABYTES = [int(size) for size in os.environ.get("WSO_MEGABYTES", "5").split(",")]


@pytest.mark.parametrize("megabytes", MEGABYTES)
def test_the_worker_beside_the_library(tmp_path: pathlib.Path, megabytes: int) -> None:
    taken: dict[str, list[sides.Figures]] = {name: [] for name in sides.SIDES}
    for turn in range(ROUNDS):
        for name, run in sides.SIDES.items():
            figures = run(tmp_path / f"{name[:4]}{turn}", megabytes)
            taken[name].append(figures)
            print(f"  {name:16}", {what: round(value, 2) for what, value in figures.items()}, flush=True)
    print(f"\n{megabytes} MB, median of {ROUNDS}, in turns:\n")
    print("| figure | ours | whatsapp-web.js | ratio |\n| --- | --- | --- | --- |")
    for what in sides.FIGURES:
        print(_row(what, *([run[what] for run in runs if what in run] for runs in taken.values())))


def _row(what: str, ours: list[float], theirs: list[float]) -> str:
    mine = statistics.median(ours)
    if not theirs:
        return f"| {what} | {mine:.1f} | | |"
    peers = statistics.median(theirs)
    return f"| {what} | {mine:.1f} | {peers:.1f} | {mine / peers:.2f} |"
