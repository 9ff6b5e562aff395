"""What a machine lacks for a local node is said in one sentence."""

import os
import sys

import pytest

from deploy.local.errors import LocalClusterError
from deploy.local.native import preflight


def refused() -> str:
    """Return the sentence with which a node is refused here."""
    with pytest.raises(LocalClusterError) as error:
        preflight.check_node()
    return str(error.value)


def test_another_system_than_linux_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert refused().startswith("A local node needs Linux, and this is ")


def test_somebody_who_is_not_root_hears_what_works_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refused().startswith("A local node needs root: run the command as root, or use docker or podman ")


@pytest.mark.parametrize("number", range(len(preflight._PROBES)))
def test_the_first_thing_that_the_kernel_refuses_is_named_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    probes = [(["true"], sentence) for _, sentence in preflight._PROBES]
    probes[number] = (["sh", "-c", "echo not permitted >&2; exit 1"], probes[number][1])
    monkeypatch.setattr(preflight, "_PROBES", tuple(probes))
    assert refused() == f"{preflight._PROBES[number][1]} (not permitted)"


def test_control_groups_that_cannot_be_made_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "_PROBES", ())
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert refused() == "Control groups cannot be created: /sys/fs/cgroup is not writable."
