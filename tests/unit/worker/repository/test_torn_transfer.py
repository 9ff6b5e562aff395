"""Copying into a store that has a name of the session's without its content."""

import pathlib

import pytest

from scenes.worker.transfers import POD, SESSION, Scene
from whatsapp_worker import errors
from whatsapp_worker.repository import log, records


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def torn(scene: Scene) -> str:
    """Let the target have a name of the newest archive whose content is not whole; returns the name."""
    name = max(name for name in scene.place.store.contents if "/archives/" in name)
    scene.target.contents[name] = b"torn"
    return name


@pytest.mark.parametrize("missing", [False, True], ids=["other bytes", "no content"])
def test_an_archive_that_is_not_whole_in_the_target_is_copied_anew(scene: Scene, missing: bool) -> None:
    name = torn(scene)

    def fail(verb: str, asked: str) -> None:
        if missing and (verb, asked) == ("read", name) and scene.target.contents[name] == b"torn":
            raise errors.NotFound(name)

    scene.target.fail = fail
    assert scene.copy() == 2
    assert scene.target.contents[name] == scene.place.store.contents[name]
    assert "generation 3 (0.0 MB): copied again, because the target's copy was damaged" in scene.told


def test_an_archive_that_is_not_whole_stays_where_another_owner_has_claimed_meanwhile(scene: Scene) -> None:
    name = torn(scene)
    other = log.SessionLog(scene.target, SESSION, POD)

    def fail(verb: str, asked: str) -> None:
        if (verb, asked) == ("read", name) and not other.head:
            other.newest()
            other.append(records.Claim(60))

    scene.target.fail = fail
    with pytest.raises(errors.Superseded, match="in the target"):
        scene.copy()
    assert scene.target.contents[name] == b"torn"
