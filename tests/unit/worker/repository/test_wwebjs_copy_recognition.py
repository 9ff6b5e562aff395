"""A copy that has lost the word that it is ours (a restored backup, an rsync) is known again by its bytes."""

import dataclasses
import pathlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from scenes.worker.archives import KEY
from scenes.worker.wwebjs_copies import SESSION, Scene
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import log, records, wwebjs_copy, wwebjs_import
from whatsapp_worker.stores import filesystem


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def forget(scene: Scene) -> list[str]:
    """Let the copy lose its source, and go on as a new process would; returns the calls from now on."""
    scene.foreign(scene.place.store.copies[SESSION][1])
    scene.start()
    calls: list[str] = []
    scene.place.store.fail = lambda verb, name: calls.append(verb)
    return calls


def fail_at(failing: str) -> Callable[[str, str], None]:
    def fail(verb: str, name: str) -> None:
        if verb == failing:
            raise errors.StoreUnavailable("down")

    return fail


@pytest.mark.parametrize("lag", [0, 1, 5])
def test_a_copy_of_one_of_our_generations_is_ours(scene: Scene, lag: int) -> None:
    scene.save()
    for _ in range(lag):
        scene.place.publish()
    calls = forget(scene)
    assert scene.look() == ""
    assert scene.save() is None
    assert scene.held() == lag + 2
    assert calls.count("read_copy") == 1, "looked at once"


def test_a_copy_whose_source_is_told_is_not_read(scene: Scene) -> None:
    scene.save()
    scene.start()
    calls: list[str] = []
    scene.place.store.fail = lambda verb, name: calls.append(verb)
    scene.look()
    scene.save()
    assert "read_copy" not in calls


def test_another_programs_archive_of_the_same_size_stays_foreign(scene: Scene) -> None:
    scene.save()
    content = scene.place.store.copies[SESSION][1]
    scene.foreign(content[:-1] + bytes([content[-1] ^ 1]))
    calls = forget(scene)
    for _ in range(3):
        assert scene.save() is not None
    assert calls.count("read_copy") == 1, "looked at once"


@pytest.mark.parametrize("why", ["logout", "purge", "archives lost"])
def test_ours_of_which_nothing_else_is_left_may_be_imported(scene: Scene, why: str) -> None:
    scene.save()
    if why == "archives lost":
        for name in [name for name in scene.place.store.contents if "/archives/" in name]:
            scene.place.store.delete(name)
    else:
        scene.place.journal.append(records.Purge() if why == "purge" else records.Logout("hash"))
    forget(scene)
    assert scene.copy.foreign() is not None


def test_a_directory_that_was_copied_goes_on_with_its_copy(scene: Scene) -> None:
    there = filesystem.FilesystemStore(scene.folder / "there")
    newest = scene.place.publish().generation
    for name, content in scene.place.store.contents.items():
        there.create(name, [content])
    there.put_copy(newest.archive, SESSION, datetime.now(UTC), None)
    shutil.copytree(there.directory, scene.folder / "here", copy_function=shutil.copyfile)
    here = filesystem.FilesystemStore(scene.folder / "here")
    found = here.stat_copy(SESSION)
    assert found is not None
    assert found.source == "", "inode and time are others"
    journal = log.SessionLog(here, SESSION, scene.place.journal.owner)
    journal.newest()
    copy = wwebjs_copy.WwebjsCopy(here, journal, Interop.EVERY_SAVE)
    assert copy.foreign() is None
    again = dataclasses.replace(newest, number=2, archive=journal.archive_name(2))
    here.create(again.archive, [b"the next save"])
    assert copy.follow(again) is None
    assert b"".join(here.read_copy(SESSION)) == b"the next save"


@pytest.mark.parametrize("time_lost", [False, True], ids=["as it lies there", "its time was lost"])
def test_an_archive_that_was_imported_encrypted_is_known_again_and_goes(scene: Scene, time_lost: bool) -> None:
    theirs = scene.foreign()
    scene.place.use(encryption.Keys(KEY))
    scene.place.store.fail = fail_at("delete_copy")
    assert scene.look() == ""
    scene.place.store.fail = lambda verb, name: None
    assert scene.held() == 0, "the worker crashed before the plain original went"
    if time_lost:
        scene.foreign(theirs, later=600.0)
    scene.start()
    assert scene.copy.foreign() is None
    assert scene.look() == ""
    newest = scene.place.kept.next_candidate(scene.place.journal.head + 1)
    assert newest is not None
    assert newest.generation.number == 1, "not imported twice"
    assert scene.copy.follow(newest.generation, edge=True) is None
    assert scene.held() is None, "no login lies there in plain"


@pytest.mark.parametrize("asked", [False, True], ids=["by itself", "on request"])
def test_a_plain_original_goes_when_it_has_been_imported_encrypted(scene: Scene, asked: bool) -> None:
    scene.foreign()
    scene.place.use(encryption.Keys(KEY))
    if asked:
        scene.place.publish()
        wwebjs_import.on_request(scene.copy, scene.place.kept, scene.folder, discard=False)
    else:
        scene.look()
    assert scene.held() is None
    scene.start()
    assert scene.look() == ""


def test_a_plain_import_leaves_the_original_and_says_nothing_of_it_twice(scene: Scene) -> None:
    scene.foreign()
    scene.look()
    assert scene.held() == 0
    found = scene.place.kept.next_candidate(scene.place.journal.head + 1)
    assert found is not None
    assert (found.generation.original_digest, found.generation.original_size) == ("", 0)
