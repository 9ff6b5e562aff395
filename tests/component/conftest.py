"""A simulator of WhatsApp Web and a home for worker processes, new for each test."""

import contextlib
import os
import pathlib
import random
from collections.abc import Callable, Iterator

import pytest

from component import workers
from simulator.testing import Running, running_simulator

MakeHome = Callable[..., workers.Home]


@pytest.fixture(scope="session")
def seed() -> int:
    """The run's seed; `WSO_SEED=...` repeats it."""
    chosen = int(os.environ.get("WSO_SEED", "1"))
    print(f"seed: {chosen}")
    return chosen


@pytest.fixture
def chance(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of the test's own, from the run's seed."""
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def make_home(tmp_path: pathlib.Path) -> Iterator[MakeHome]:
    """Make a home with a simulator whose knobs are the arguments."""
    with contextlib.ExitStack() as stack:

        def make(name: str = "home", **knobs: object) -> workers.Home:
            simulator: Running = stack.enter_context(
                running_simulator(None, **{"sync_bytes": 1_000_000, "sync_s": 0.5} | knobs)
            )
            return stack.enter_context(workers.home_at(tmp_path / name, simulator))

        yield make


@pytest.fixture
def home(make_home: MakeHome) -> workers.Home:
    """A home with a simulator of 1 MB that syncs in half a second."""
    return make_home()
