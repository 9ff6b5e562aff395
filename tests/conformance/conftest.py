"""Run all scenarios side by side, once for the session, and print what they saw."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

import pytest

from conformance import flaws, life, ours, packages, pages, peer, report, scenarios

THEIRS = pytest.StashKey[dict[str, str]]()
OURS = pytest.StashKey[dict[str, str]]()
ALL = {scenario.name: scenario for scenario in (*life.SCENARIOS, *flaws.SCENARIOS)}


def wanted(session: pytest.Session, fixture: str) -> set[str]:
    """Return the names of the scenarios that the selected tests look at."""
    specs = [item.callspec for item in session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    return {str(spec.params[fixture]) for spec in specs if fixture in spec.params}


@pytest.fixture(scope="session")
def modules() -> pathlib.Path:
    """Return the folder with the unmodified library."""
    return packages.installed()


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, modules: pathlib.Path
) -> Iterator[scenarios.Runs]:
    base = tmp_path_factory.mktemp("c")

    def place(name: str) -> peer.Place:
        directory = base / name
        directory.mkdir(exist_ok=True)
        return peer.Place(modules, packages.browser(), directory)

    jobs: list[scenarios.Job] = []
    for name in wanted(request.session, "seen"):
        jobs.append(scenarios.Job(f"theirs/{name}", functools.partial(ALL[name].run, place(name)), ALL[name].long))
    for name in wanted(request.session, "ours_seen"):
        jobs.append(scenarios.Job(f"ours/{name}", functools.partial(ours.RUNS[name], base / name), name in ours.LONG))
    made = scenarios.Runs(jobs)
    yield made
    made.close()


@pytest.fixture
def seen(request: pytest.FixtureRequest, runs: scenarios.Runs) -> scenarios.Observation:
    """Return what the library did in the scenario that the test names."""
    return noted(request, THEIRS, runs, f"theirs/{request.param}")


@pytest.fixture
def ours_seen(request: pytest.FixtureRequest, runs: scenarios.Runs) -> scenarios.Observation:
    """Return what our worker did in the scenario that the test names."""
    return noted(request, OURS, runs, f"ours/{request.param}")


def noted(
    request: pytest.FixtureRequest, where: pytest.StashKey[dict[str, str]], runs: scenarios.Runs, name: str
) -> scenarios.Observation:
    """Return an observation and note it for the table; a scenario that failed is noted as such."""
    cells = request.config.stash.setdefault(where, {})
    cells[request.param] = "FAILED: see the test"
    observation = runs.of(name)
    cells[request.param] = observation.words
    return observation


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the library did, beside what ours must do and did."""
    theirs, mine = config.stash.get(THEIRS, {}), config.stash.get(OURS, {})
    rows = [(ALL[name], theirs.get(name, "-"), mine.get(name, "-")) for name in ALL if name in {*theirs, *mine}]
    if not rows:
        return
    terminalreporter.section("on the simulator: the unmodified library and our worker ('-' = not tried)")
    for line in report.table(rows):
        terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def launch() -> Iterator[pages.Launch]:
    """Open the simulator's page in a browser, with a profile directory."""
    with pages.launcher() as opened:
        yield opened
