"""Putting a profile in place: newest first, each once, and never an empty one because a store was silent."""

import errno
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

from scenes.worker import profile_maker
from scenes.worker.archives import Place
from whatsapp_worker import errors
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import restore


class Scene:
    def __init__(self, root: pathlib.Path) -> None:
        self.place = Place(root, keep=3)
        for _ in range(3):
            self.place.publish()
        self.version = "156.0"
        self.profile = root / "data" / "RemoteAuth"
        self.profile.parent.mkdir()
        self.restorer = restore.Restorer(self.place.kept, restore.Target(self.profile, lambda: self.version))
        self.restorer.begin(self.place.journal.head + 1)

    def placed(self) -> int | None:
        found = self.restorer.place_next().candidate
        return found.generation.number if found else None

    def harm(self, number: int, content: bytes | None) -> None:
        name = next(n for n in self.place.store.contents if f"/archives/{number:08d}-" in n)
        if content is None:
            del self.place.store.contents[name]
        else:
            self.place.store.contents[name] = content


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def test_the_newest_comes_first_then_each_older_one_once_then_an_empty_profile(scene: Scene) -> None:
    assert [scene.placed() for _ in range(4)] == [3, 2, 1, None]
    assert list(scene.profile.iterdir()) == []


def test_what_is_placed_is_whole(scene: Scene) -> None:
    scene.placed()
    layout.check(scene.profile, profile_maker.ORIGIN)


def test_damaged_ones_are_passed_over_by_name(scene: Scene) -> None:
    scene.harm(3, b"noise")
    scene.harm(2, None)
    placed = scene.restorer.place_next()
    assert placed.candidate is not None
    assert placed.candidate.generation.number == 1
    assert len(placed.broken) == 2
    assert placed.broken[0].startswith("generation 3: ")
    assert placed.broken[1].startswith("generation 2: ")


def test_when_all_are_damaged_an_empty_profile_says_why(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.harm(number, b"noise")
    placed = scene.restorer.place_next()
    assert placed.candidate is None
    assert placed.broken == ("generations 3, 2 and 1: the archive is not what was saved: its digest differs",)


def test_when_all_are_missing_nothing_is_placed(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.harm(number, None)
    with pytest.raises(errors.ArchiveMissing, match="right store"):
        scene.placed()
    assert not scene.profile.exists()


@pytest.mark.parametrize("part", ["/log/", "/archives/"])
def test_a_store_that_falls_silent_at_any_read_costs_nothing(scene: Scene, part: str) -> None:
    scene.placed()
    scene.restorer.begin(scene.place.journal.head + 1)
    for silent_at in range(1, 5):
        reads = 0

        def fail(verb: str, name: str, silent_at: int = silent_at) -> None:
            nonlocal reads
            if verb == "read" and part in name:
                reads += 1
                if reads == silent_at:
                    raise errors.StoreUnavailable("down")

        scene.place.store.fail = fail
        try:
            scene.restorer.place_next()
        except errors.StoreUnavailable:
            layout.check(scene.profile, profile_maker.ORIGIN)
            scene.place.store.fail = lambda verb, name: None
            assert scene.placed() == 3
        scene.place.store.fail = lambda verb, name: None
        scene.restorer.begin(scene.place.journal.head + 1)


@pytest.mark.parametrize(("ours", "works"), [("157.0", True), ("156.9", True), ("155.0", False), ("", True)])
def test_an_archive_of_a_newer_browser_is_refused(scene: Scene, ours: str, works: bool) -> None:
    scene.version = ours
    if works:
        assert scene.placed() == 3
        return
    with pytest.raises(errors.BrowserTooOld, match="was saved by browser 156, this is 155"):
        scene.placed()
    assert not scene.profile.exists()


def test_rubble_of_a_killed_predecessor_is_removed(scene: Scene) -> None:
    rubble = scene.profile.with_name(".RemoteAuth.fresh")
    rubble.mkdir()
    rubble.with_name(".RemoteAuth.fresh.download").write_text("x")
    scene.restorer.tidy()
    assert list(scene.profile.parent.iterdir()) == []


def no_room_by_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    few = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: few)


def no_room_at_the_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("full", [no_room_by_the_figures, no_room_at_the_writing])
def test_a_full_disk_is_no_damage_and_no_reason_for_an_older_generation_or_a_code(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, full: Callable[[pytest.MonkeyPatch], None]
) -> None:
    for _ in range(4):
        with monkeypatch.context() as patch:
            full(patch)
            with pytest.raises(errors.DiskFull, match=f"the archive (in|to) {scene.profile.parent}: "):
                scene.placed()
        assert list(scene.profile.parent.iterdir()) == [], "nothing half-made stays on a full disk"
    assert scene.placed() == 3
