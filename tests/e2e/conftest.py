"""The cluster that all end-to-end tests of one run share."""

import os
from collections.abc import Iterator

import pytest

from e2e.local_cluster import LocalCluster, start


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Give a cluster of this run's own; WSO_E2E_KEEP=1 leaves it up for the next run."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    name = f"wso-test-{worker}" if worker else "wso-test"
    local = start(name)
    yield local
    if not os.environ.get("WSO_E2E_KEEP"):
        local.provider.down(name)
