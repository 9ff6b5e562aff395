"""A LocalAuth profile that a user zipped whole: the login in it is imported, what else lies there is left out."""

import io
import pathlib
import stat
import zipfile

import pytest

from scenes.worker import profile_maker
from scenes.worker.wwebjs_copies import Scene
from whatsapp_worker.profile import layout

BESIDE = ("Local State", "Default/Cache/data_0", "Default/History", "Crashpad/reports/x", "Default/GPUCache/y")


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def zipped(*roots: str, more: tuple[str, ...] = ()) -> bytes:
    """Zip a profile under each of these roots as a user's program does, with all that Chromium keeps beside it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name in more:
            made.writestr(name, b"x")
        for root in roots:
            lock = zipfile.ZipInfo(f"{root}SingletonLock")
            lock.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(lock, b"host-123")
            for name in BESIDE:
                made.writestr(root + name, b"not of the login")
    return stream.getvalue()


def with_profile(scene: Scene, *roots: str, more: tuple[str, ...] = ()) -> bytes:
    stream = io.BytesIO(zipped(*roots, more=more))
    profile = scene.place.root
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as made:
        for root in roots:
            for path in sorted(profile.rglob("*")):
                made.write(path, root + path.relative_to(profile).as_posix())
    return stream.getvalue()


@pytest.mark.parametrize("root", ["session-support/", "session/", "", ".wwebjs_auth/session-support/"])
def test_the_login_of_a_profile_that_was_zipped_whole_is_imported_and_restored(scene: Scene, root: str) -> None:
    theirs = with_profile(scene, root, more=("__MACOSX/._session",))
    scene.foreign(theirs)
    assert scene.look() == ""
    found = scene.place.kept.next_candidate(scene.place.journal.head + 1)
    assert found is not None
    assert scene.place.store.contents[found.generation.archive] == theirs, "the original, byte for byte"
    fresh = scene.folder / "fresh"
    scene.place.kept.fetch(found.generation, fresh)
    layout.check(fresh, profile_maker.ORIGIN)
    assert {path.relative_to(fresh).as_posix() for path in fresh.glob("*/*")} == {
        "Default/IndexedDB",
        "Default/Local Storage",
    }
    assert layout.ContentDigest().of(fresh) == layout.ContentDigest().of(scene.place.root)
    assert scene.look() == "", "it is known again"


@pytest.mark.parametrize(
    ("roots", "more", "said"),
    [
        (("session-a/", "session-b/"), (), "2 profiles"),
        (("session-a/",), ("session-a/../../x",), "outside of its folder"),
        (("session-a/",), ("/etc/x",), "outside of its folder"),
    ],
)
def test_a_zip_that_holds_several_profiles_or_leads_out_is_refused(
    scene: Scene, roots: tuple[str, ...], more: tuple[str, ...], said: str
) -> None:
    scene.foreign(with_profile(scene, *roots, more=more))
    assert said in scene.look()
    assert scene.place.journal.last_number() == 0


def test_a_zip_without_a_profile_says_which_folders_belong_in_it(scene: Scene) -> None:
    scene.foreign(zipped("session-support/"))
    said = scene.look()
    assert "Default/IndexedDB and Default/Local Storage" in said
    assert "session-<clientId>" in said
