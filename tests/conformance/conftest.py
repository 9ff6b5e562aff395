"""Run all scenarios side by side, once for the session, and print what they saw."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Iterator

import pytest

from conformance import flaws, life, packages, peer, report, scenarios

SEEN = pytest.StashKey[dict[str, scenarios.Observation]]()
ALL = {scenario.name: scenario for scenario in (*life.SCENARIOS, *flaws.SCENARIOS)}


def browser() -> str:
    """Return the system's Chromium."""
    found = os.environ.get("WHATSAPP_BROWSER_EXECUTABLE") or shutil.which("chromium")
    assert found, "no chromium on PATH: make browser"
    return found


def wanted(session: pytest.Session) -> list[scenarios.Scenario]:
    """Return the scenarios that the selected tests look at."""
    specs = [item.callspec for item in session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    names = {spec.params["seen"] for spec in specs if "seen" in spec.params}
    return [scenario for name, scenario in ALL.items() if name in names]


@pytest.fixture(scope="session")
def modules() -> pathlib.Path:
    """Return the folder with the unmodified library."""
    return packages.installed()


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, modules: pathlib.Path
) -> Iterator[scenarios.Runs]:
    base = tmp_path_factory.mktemp("conformance")

    def place(name: str) -> peer.Place:
        directory = base / name
        directory.mkdir()
        return peer.Place(modules, browser(), directory)

    made = scenarios.Runs(wanted(request.session), place)
    yield made
    made.close()


@pytest.fixture
def seen(request: pytest.FixtureRequest, runs: scenarios.Runs) -> scenarios.Observation:
    """Return what the scenario that the test names has seen."""
    observation = runs.of(request.param)
    request.config.stash.setdefault(SEEN, {})[request.param] = observation
    return observation


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the library did, beside what ours must do and did."""
    rows = config.stash.get(SEEN, {})
    if not rows:
        return
    terminalreporter.section("whatsapp-web.js 1.34.7, unmodified, on the simulator")
    for line in report.table([(ALL[name], rows[name]) for name in ALL if name in rows]):
        terminalreporter.write_line(line)
