"""Say how a run is spread over processes: what shares a cluster, or runs everything at once, stays together."""

import atexit
import os
import pathlib
import shutil
import tempfile

import hypothesis
import pytest
import xdist.remote
from xdist.scheduler import LoadScopeScheduling

HERE = pathlib.Path(__file__).parent
SOAK = "WSO_SOAK"
# A worker that a test starts, in this process or another, fails at a transition that its table does not list.
os.environ["WHATSAPP_STRICT_TRANSITIONS"] = "1"
# kubectl and helm keep what they know of a server by its address, and a later cluster may have the same one.
os.environ["KUBECACHEDIR"] = tempfile.mkdtemp(prefix="wso-kubectl-")
atexit.register(shutil.rmtree, os.environ["KUBECACHEDIR"], ignore_errors=True)
# A busy machine is no failure of a property, and what a change did not break does not fail beside it: the same inputs
# in each run. `make soak` looks for new ones; where one fails, what shows it again is printed.
hypothesis.settings.register_profile("same inputs", deadline=None, database=None, derandomize=True)
hypothesis.settings.register_profile("new inputs", deadline=None, database=None, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("new inputs" if os.environ.get(SOAK) else "same inputs")

TOGETHER = {
    "conformance/": "conformance",  # one set of runs side by side, looked at by all its tests
    "functional/test_chart_installation.py": "chart installation",  # each of these with an API server of its own
    "functional/test_clocks.py": "clocks",
    "functional/test_identity_deletion.py": "identity deletion",
    "functional/test_operator_end.py": "operator end",
    "functional/test_upgrade_of_reports.py": "upgrade of reports",
    "functional/test_upgrade_of_settings.py": "upgrade of settings",
    "functional/test_upgrade_of_templates.py": "upgrade of templates",
    "functional/": "server",  # one API server
    "component/chaos/": "chaos",
    "component/kubernetes/": "another server",
    "component/test_finished_session.py": "finished session",  # one run
    "e2e/test_cluster.py": "local cluster",  # needs no product in it
    "e2e/test_deletion.py": "cluster",
    "e2e/test_images.py": "cluster",
    "e2e/test_operator_lifecycle.py": "cluster",
    "e2e/test_pods_that_do_not_start.py": "cluster",
    "e2e/test_session.py": "cluster",
    "e2e/test_strict_cluster.py": "cluster",
    "e2e/test_upgrades.py": "cluster",
    "e2e/test_two_nodes.py": "two nodes",  # a cluster of its own, which loses its second node
    "e2e/test_lost_node.py": "two nodes",
    "e2e/": "another cluster",  # each with a cluster of its own, about as long as the other
}
ORDER = (
    "e2e/test_lost_cluster.py",  # and its group
    "e2e/test_deletion.py",  # and its group
    "functional/",
    "e2e/",
    "component/chaos/",
    "component/kubernetes/",
    "component/test_",
    "conformance/",
    "component/",
    "unit/",
)
"""What comes first where there is more than one process: the longest that cannot be divided, most of which wait; then
the browsers, of which none is long; the library that is compared with once most browsers are done, because it does not
take them well beside it; last what takes a second each, so that no process waits for another at the end.
"""


def group(path: str) -> str:
    """Return which group a test belongs to, given its path below this folder; "" for one that may run anywhere."""
    return next((name for beginning, name in TOGETHER.items() if path.startswith(beginning)), "")


def place(path: str) -> int:
    """Return how late the tests of a file come."""
    return next((number for number, beginning in enumerate(ORDER) if path.startswith(beginning)), len(ORDER))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of `make soak` to `make soak`; put the longest groups first for several processes."""
    if not os.environ.get(SOAK):
        for_soak = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=for_soak)
        items[:] = [item for item in items if item not in for_soak]
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda item: place(item.path.relative_to(HERE).as_posix()))


class TogetherScheduling(LoadScopeScheduling):
    """Give each group to one process, and every other test to whichever is free.

    The plugin's own `--dist loadgroup` writes the group into an attribute that this version of pytest does not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.removeprefix(f"{HERE.name}/")) or nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: xdist.remote.Producer) -> LoadScopeScheduling:
    """Choose the scheduler."""
    return TogetherScheduling(config, log)
