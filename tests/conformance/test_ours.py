"""Our worker does, in each of the scenarios, what the table demands; what it did fills the table's last column."""

from __future__ import annotations

import pytest

from conformance import ours
from conformance.scenarios import Observation


@pytest.mark.parametrize("ours_seen", list(ours.RUNS), indirect=True)
def test_our_worker_does_what_the_table_demands(ours_seen: Observation) -> None:
    assert ours_seen.words  # the scenario itself asserts what must hold
