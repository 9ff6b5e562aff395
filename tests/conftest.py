"""Say how a run is spread over processes: what shares a cluster, or runs everything at once, stays together."""

import os
import pathlib

import hypothesis
import pytest

# A busy machine is no failure of a property.
hypothesis.settings.register_profile("without a deadline", deadline=None)
hypothesis.settings.load_profile("without a deadline")

HERE = pathlib.Path(__file__).parent
SOAK = "WSO_SOAK"
TOGETHER = {
    "conformance": "conformance",  # one set of runs side by side, looked at by all its tests
    "functional": "functional",  # one API server
    "component/kubernetes": "functional",
    "e2e": "e2e",  # one cluster
}
ORDER = ("conformance", "functional", "e2e")
"""What comes first where there is more than one process: the longest that cannot be divided."""


def folder(item: pytest.Item) -> str:
    """Return the key of TOGETHER that a test lies under, "" if none."""
    path = item.path.relative_to(HERE).as_posix()
    return next((key for key in TOGETHER if path.startswith(f"{key}/")), "")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of `make soak` to `make soak`; mark and order the rest for several processes."""
    if not os.environ.get(SOAK):
        for_soak = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=for_soak)
        items[:] = [item for item in items if item not in for_soak]
    if not config.pluginmanager.hasplugin("xdist") or not os.environ.get("PYTEST_XDIST_WORKER"):
        return
    groups = {item: TOGETHER.get(folder(item)) for item in items}
    for item, group in groups.items():
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: ORDER.index(group) if (group := groups[item]) else len(ORDER))
