"""Run all scenarios side by side, once for the session, and print what they saw."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

import pytest

from conformance import flaws, life, ours, packages, pages, peer, report, scenarios

ALL = {scenario.name: scenario for scenario in (*life.SCENARIOS, *flaws.SCENARIOS)}


def wanted(session: pytest.Session, fixture: str) -> set[str]:
    """Return the names of the scenarios that the selected tests look at."""
    here = pathlib.Path(__file__).parent
    mine = [item for item in session.items if isinstance(item, pytest.Function) and item.path.is_relative_to(here)]
    specs = [item.callspec for item in mine if hasattr(item, "callspec")]
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

    def place(name: str, attempt: int) -> peer.Place:
        directory = base / f"{name}{attempt}"  # short: it holds a socket
        directory.mkdir(exist_ok=True)
        return peer.Place(modules, packages.browser(), directory)

    jobs: list[scenarios.Job] = []
    for name in wanted(request.session, "seen"):
        run = functools.partial(scenarios.persistently, ALL[name].run, functools.partial(place, name))
        jobs.append(scenarios.Job(f"theirs/{name}", run, ALL[name].long))
    for name in wanted(request.session, "ours_seen"):
        jobs.append(scenarios.Job(f"ours/{name}", functools.partial(ours.RUNS[name], base / name), name in ours.LONG))
    made = scenarios.Runs(jobs)
    yield made
    made.close()


@pytest.fixture
def seen(request: pytest.FixtureRequest, runs: scenarios.Runs) -> scenarios.Observation:
    """Return what the library did in the scenario that the test names."""
    return noted(request, runs, "theirs")


@pytest.fixture
def ours_seen(request: pytest.FixtureRequest, runs: scenarios.Runs) -> scenarios.Observation:
    """Return what our worker did in the scenario that the test names."""
    return noted(request, runs, "ours")


def noted(request: pytest.FixtureRequest, runs: scenarios.Runs, whose: str) -> scenarios.Observation:
    """Return an observation and note it for the table; a scenario that failed is noted as such."""

    def note(words: str) -> None:
        # A property of the report, because the test may run in another process than the one that prints the table.
        request.node.user_properties[:] = [(whose, [request.param, words])]

    note("FAILED: see the test")
    observation = runs.of(f"{whose}/{request.param}")
    note(observation.words)
    return observation


def pytest_configure(config: pytest.Config) -> None:
    """Begin an empty table."""
    config.pluginmanager.register(Table(), "conformance-table")


class Table:
    """Collect what the tests noted, from whichever process, and print it at the end."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], str] = {}
        """By scenario and by whose: "theirs" or "ours"."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the notes of one test."""
        for whose, said in report.user_properties:
            if whose in ("theirs", "ours") and isinstance(said, list):
                self._seen[said[0], whose] = said[1]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what the library did, beside what ours must do and did."""
        names = {scenario for scenario, _ in self._seen}
        rows = [
            (ALL[name], self._seen.get((name, "theirs"), "-"), self._seen.get((name, "ours"), "-"))
            for name in ALL
            if name in names
        ]
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
