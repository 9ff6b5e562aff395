"""What counts as left behind by a cluster."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.native import addresses, cgroups, leak_check

BEFORE = leak_check.State(
    processes=(),
    mounts=("/ (ext4)",),
    links=("lo:", "eth0:"),
    routes=("default via 192.0.2.1 dev eth0",),
    cgroups=("/sys/fs/cgroup/memory/session",),
    firewall=(),
    directories=(),
    kernel=("kernel/panic = 1",),
)


def test_an_unchanged_machine_is_clean() -> None:
    assert leak_check.left_behind(BEFORE, BEFORE, []) == []


def test_whatever_is_new_is_left_behind() -> None:
    for field in dataclasses.fields(leak_check.State):
        old = getattr(BEFORE, field.name)
        after = dataclasses.replace(BEFORE, **{field.name: (*old, "new")})
        assert leak_check.left_behind(BEFORE, after, []) == [f"{field.name}: new"]


def test_what_has_gone_meanwhile_is_nobodys_fault() -> None:
    assert leak_check.left_behind(BEFORE, dataclasses.replace(BEFORE, links=("lo:",)), []) == []


def test_a_kernel_setting_with_another_value_is_left_behind() -> None:
    after = dataclasses.replace(BEFORE, kernel=("kernel/panic = 10",))
    assert leak_check.left_behind(BEFORE, after, []) == ["kernel: kernel/panic = 10"]


def test_the_link_of_a_neighbour_that_runs_is_not_ours() -> None:
    mark = addresses.link(Path("/c/clusters/other"))
    after = dataclasses.replace(BEFORE, links=(*BEFORE.links, f"{mark}:"))
    assert leak_check.left_behind(BEFORE, after, [mark]) == []
    assert leak_check.left_behind(BEFORE, after, []) == [f"links: {mark}:"]


def test_kernel_settings_that_were_not_known_before_are_nobodys_fault() -> None:
    assert leak_check.left_behind(dataclasses.replace(BEFORE, kernel=()), BEFORE, []) == []


def test_groups_that_others_make_below_their_own_are_not_ours_but_a_new_top_group_is() -> None:
    below, top = "/sys/fs/cgroup/memory/session/1", "/sys/fs/cgroup/memory/kubepods"
    after = dataclasses.replace(BEFORE, cgroups=(*BEFORE.cgroups, below, top))
    assert leak_check.left_behind(BEFORE, after, []) == [f"cgroups: {top}"]


def test_a_state_survives_being_written_and_read(tmp_path: Path) -> None:
    BEFORE.write(tmp_path / "below" / "state.json")
    assert leak_check.State.read(tmp_path / "below" / "state.json") == BEFORE


def test_control_groups_that_go_while_they_are_listed_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "goes").mkdir()
    (tmp_path / "stays" / "below").mkdir(parents=True)
    scandir = os.scandir

    def scan(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "goes" and Path(path).exists():
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    assert {str(tmp_path / "stays"), str(tmp_path / "stays" / "below")} <= set(leak_check._cgroups())
