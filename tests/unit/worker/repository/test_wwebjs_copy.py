"""The JavaScript stores' copy: it follows, lags at most, never leads, and what others write there is left alone."""

import pathlib
import shutil

import pytest

from scenes.worker.archives import KEY, Place
from scenes.worker.wwebjs_copies import SESSION, Scene
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import log, records, wwebjs_copy, wwebjs_import


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def test_the_copy_is_the_newest_archive_after_each_save(scene: Scene) -> None:
    for number in range(1, 6):
        assert scene.save() is None
        assert scene.held() == number


@pytest.mark.parametrize(
    ("policy", "held"),
    [
        (Interop.EVERY_SAVE, [1, 2, 3, 4]),
        (Interop.HOURLY, [1, 1, 3, 3]),
        (Interop.SHUTDOWN, [None, None, None, None]),
        (Interop.NEVER, [None, None, None, None]),
    ],
)
def test_how_often_it_follows(tmp_path: pathlib.Path, policy: Interop, held: list[int | None]) -> None:
    scene = Scene(tmp_path, policy)
    seen = []
    for scene.now in (0.0, 3599.0, 3601.0, 3700.0):
        scene.save()
        seen.append(scene.held())
    assert seen == held
    scene.save(edge=True)
    assert scene.held() == (None if policy is Interop.NEVER else 5), "a clean stop brings it up"


def test_a_copy_that_a_crash_left_behind_is_brought_up_at_the_next_start(scene: Scene) -> None:
    scene.save()
    newest = scene.place.publish()
    assert scene.held() == 1
    scene.start()
    assert scene.copy.follow(newest.generation, edge=True) is None
    assert scene.held() == 2


def test_the_copy_never_falls_back_behind_itself(scene: Scene) -> None:
    older = scene.place.publish()
    scene.save()
    scene.start()
    scene.copy.follow(older.generation, edge=True)
    assert scene.held() == 2, "a restore that had to fall back leaves the copy alone"


def test_a_writer_that_slept_through_a_claim_does_not_touch_the_copy(scene: Scene) -> None:
    stale = scene.place.publish()
    other = log.SessionLog(scene.place.store, SESSION, records.Owner(host="other"))
    other.newest()
    other.append(records.Claim(60))
    with pytest.raises(errors.Superseded):
        scene.copy.follow(stale.generation)
    assert scene.held() is None


def test_a_writer_that_slept_between_its_look_and_its_write_does_not_put_an_old_archive_over_a_new_one(
    scene: Scene,
) -> None:
    scene.save()
    stale = scene.place.publish()
    store, later = scene.place.store, Place(scene.folder / "later")

    def meanwhile(verb: str, name: str) -> None:
        if verb != "put_copy":
            return
        store.fail = lambda verb, name: None
        other = log.SessionLog(store, SESSION, records.Owner(host="other"))
        other.newest()
        other.append(records.Claim(60))
        later.store, later.journal = store, other
        later.use(None)
        wwebjs_copy.WwebjsCopy(store, other).follow(later.publish().generation)

    store.fail = meanwhile
    scene.copy.follow(stale.generation)
    assert scene.held() == 3


def test_a_store_that_fails_costs_the_copy_and_not_the_save(scene: Scene) -> None:
    def fail(verb: str, name: str) -> None:
        if "copy" in verb:
            raise errors.StoreUnavailable("down")

    scene.place.store.fail = fail
    assert scene.save() is None
    assert scene.held() is None
    scene.place.store.fail = lambda verb, name: None
    scene.save()
    assert scene.held() == 2


def test_an_unchanged_profile_asks_the_store_nothing(scene: Scene) -> None:
    newest = scene.place.publish()
    scene.copy.follow(newest.generation)
    scene.place.store.fail = lambda verb, name: pytest.fail(f"{verb} {name}")
    scene.copy.follow(newest.generation)


def test_what_another_program_wrote_is_told_and_never_overwritten(scene: Scene) -> None:
    scene.save()
    theirs = scene.foreign()
    for _ in range(2):
        stands = scene.save()
        assert stands is not None
        assert scene.place.store.copies[SESSION][1] == theirs
    said = wwebjs_import.describe(SESSION, stands)
    assert "another program wrote RemoteAuth.zip" in said
    assert "store import" in said
    scene.start()
    assert scene.look() == said
    assert scene.place.journal.last_number() == 3, "not imported by itself: we have generations"


@pytest.mark.parametrize("later", [-86400.0 * 365, 0.0, 3600.0])
def test_a_foreign_archive_is_imported_by_itself_where_there_is_no_generation(scene: Scene, later: float) -> None:
    theirs = scene.foreign(later=later)
    assert scene.look() == ""
    found = scene.place.kept.next_candidate(scene.place.journal.head + 1)
    assert found is not None
    assert found.generation.trigger == "Import"
    assert (found.generation.account_hash, found.generation.browser_version) == ("", "")
    assert scene.place.store.contents[found.generation.archive] == theirs, "byte for byte"
    scene.place.kept.fetch(found.generation, scene.folder / "fresh")
    assert scene.look() == "", "it is known again"
    assert scene.save() is None
    assert scene.held() == 2, "now ours may take its place: the original is a generation"
    assert found.generation.archive in scene.place.store.contents


def test_an_imported_original_is_kept_while_it_is_the_newest_that_a_restore_has_proven(scene: Scene) -> None:
    scene.foreign()
    scene.look()
    for _ in range(6):
        scene.place.publish(proven=1)
    assert scene.place.archives() == [1, 5, 6, 7]


def test_an_imported_original_goes_in_time_when_another_has_been_proven(scene: Scene) -> None:
    scene.foreign()
    scene.look()
    for number in range(6):
        scene.place.publish(proven=min(number, 2) and 2)
    assert 1 not in scene.place.archives()


@pytest.mark.parametrize("content", [b"", b"noise", b"PK\x05\x06" + bytes(18)])
def test_a_foreign_archive_without_a_login_is_refused_by_name_and_ours_takes_its_place(
    scene: Scene, content: bytes
) -> None:
    scene.foreign(content)
    assert "holds no login that can be restored" in scene.look()
    assert scene.place.journal.last_number() == 0
    assert list(scene.folder.glob(".*import-*")) == []
    scene.save()
    assert scene.held() == 1


def test_what_a_killed_import_left_is_removed_and_another_sessions_is_not(scene: Scene) -> None:
    for name in (f".{SESSION}.import-x", f".{SESSION}-other.import-x"):
        (scene.folder / name / "profile").mkdir(parents=True)
    wwebjs_import.tidy(scene.folder, SESSION)
    assert [path.name for path in scene.folder.glob(".*import-*")] == [f".{SESSION}-other.import-x"]


def test_an_archive_that_is_written_anew_while_it_is_read_is_no_damage(scene: Scene) -> None:
    theirs = scene.foreign()
    found = scene.copy.foreign()
    assert found is not None
    scene.foreign(theirs[:-1])
    with pytest.raises(errors.StoreUnavailable):
        wwebjs_import.import_archive(found, scene.copy, scene.place.kept, scene.folder)


def test_an_archive_that_grows_between_the_look_and_the_reading_is_no_damage(scene: Scene) -> None:
    theirs = scene.foreign()
    found = scene.copy.foreign()
    assert found is not None
    scene.foreign(theirs + b"x")
    with pytest.raises(errors.StoreUnavailable, match="changed while the worker read it"):
        wwebjs_import.import_archive(found, scene.copy, scene.place.kept, scene.folder)


def test_an_archive_that_is_never_as_long_as_the_store_says_is_damaged(scene: Scene) -> None:
    scene.foreign()
    copy, content = scene.place.store.copies[SESSION]
    scene.place.store.copies[SESSION] = (copy, content + b"x")
    assert "holds no login that can be restored" in scene.look()


def test_a_full_disk_is_no_reason_to_refuse_a_foreign_archive(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.foreign()
    few = shutil.disk_usage("/")._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: few)
        with pytest.raises(errors.DiskFull, match=r"0\.\d MB are missing"):
            scene.look()
    assert list(scene.folder.glob(".*import-*")) == []
    assert scene.look() == ""
    assert scene.place.journal.last_number() == 1, "it is imported when there is room"


def test_a_logout_takes_our_copy_away_and_leaves_a_foreign_one(scene: Scene) -> None:
    scene.save()
    scene.copy.drop()
    assert scene.held() is None
    scene.foreign()
    scene.copy.drop()
    assert scene.held() == 0


def test_an_encrypted_session_has_no_copy_and_takes_away_the_plain_one(scene: Scene) -> None:
    scene.save()
    scene.place.use(encryption.Keys(KEY))
    for policy in (Interop.EVERY_SAVE, Interop.NEVER):
        scene.start(policy)
        scene.save()
        assert scene.held() is None


def test_a_foreign_archive_is_encrypted_when_it_comes_in(scene: Scene) -> None:
    theirs = scene.foreign()
    scene.place.use(encryption.Keys(KEY))
    assert scene.look() == ""
    found = scene.place.kept.next_candidate(scene.place.journal.head + 1)
    assert found is not None
    assert found.generation.key_id == KEY.id
    assert theirs[:64] not in scene.place.store.contents[found.generation.archive]
    scene.place.kept.fetch(found.generation, scene.folder / "fresh")


def test_a_store_without_copies_is_never_asked_for_one(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path)
    store = place.store

    class Plain:
        visibility = 0.0
        create, read, list, delete = store.create, store.read, store.list, store.delete

    copy = wwebjs_copy.WwebjsCopy(Plain(), place.journal)
    assert copy.follow(place.publish().generation) is None
    assert copy.foreign() is None
    copy.drop()
    assert store.copies == {}


def test_a_copy_that_cannot_be_written_costs_no_save_and_is_told_until_it_can(scene: Scene) -> None:
    def refuse(verb: str, name: str) -> None:
        if verb == "put_copy":
            raise errors.StoreDenied("may not overwrite")

    scene.place.store.fail = refuse
    assert scene.save() is None
    assert "generation 1" in scene.copy.late
    assert "may not overwrite" in scene.copy.late
    scene.place.store.fail = lambda verb, name: None
    scene.save()
    assert scene.copy.late == ""
    assert scene.held() == 2
