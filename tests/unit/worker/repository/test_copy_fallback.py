"""With every generation damaged the copy for the JavaScript stores is restored, if it is of the present login."""

import pathlib

import pytest

from scenes.worker import profile_maker
from scenes.worker.wwebjs_copies import SESSION, Scene
from whatsapp_worker import errors
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import records, restore


class Damaged(Scene):
    """A session whose copy may be whole, and whose own archives are not."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(root)
        self.profile = root / "data" / SESSION
        self.profile.parent.mkdir()

    def damage(self, content: bytes | None = b"noise") -> None:
        for name in [name for name in self.place.store.contents if "/archives/" in name]:
            if content is None:
                del self.place.store.contents[name]
            else:
                self.place.store.contents[name] = content

    def restorer(self, browser: str = "156.0") -> restore.Restorer:
        made = restore.Restorer(self.place.kept, restore.Target(self.profile, lambda: browser), self.copy)
        made.begin(self.place.journal.head + 1)
        return made


def placed(restorer: restore.Restorer) -> tuple[int | None, bool]:
    found = restorer.place_next()
    return (found.candidate.generation.number if found.candidate else None), found.from_copy


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Damaged:
    return Damaged(tmp_path)


@pytest.mark.parametrize("content", [b"noise", b"", None], ids=["noise", "empty", "missing"])
def test_the_copy_is_restored_once_before_a_code_is_asked_for(scene: Damaged, content: bytes | None) -> None:
    scene.save()
    scene.save()
    scene.damage(content)
    restorer = scene.restorer()
    assert placed(restorer) == (2, True)
    layout.check(scene.profile, profile_maker.ORIGIN)
    assert placed(restorer) == (None, False)
    assert list(scene.profile.iterdir()) == []


def test_a_copy_that_lags_behind_is_restored_too(scene: Damaged) -> None:
    scene.save()
    scene.place.root.joinpath("Default", "IndexedDB", "more").write_text("news")
    scene.place.publish()
    scene.damage()
    assert placed(scene.restorer()) == (1, True)


def test_a_copy_of_a_generation_that_came_up_without_its_login_is_not_tried_again(scene: Damaged) -> None:
    scene.save()
    restorer = scene.restorer()
    assert [placed(restorer) for _ in range(2)] == [(1, False), (None, False)]


@pytest.mark.parametrize("ended", [records.Logout("hash"), records.Purge()], ids=["logout", "purge"])
def test_a_copy_from_before_a_logout_is_never_restored(scene: Damaged, ended: records.Body) -> None:
    scene.save()
    scene.place.journal.append(ended)
    assert scene.held() == 1, "the owner was killed before it removed the copy"
    assert placed(scene.restorer()) == (None, False)
    scene.place.root.joinpath("Default", "IndexedDB", "more").write_text("of the next link")
    scene.place.publish()
    scene.damage()
    assert placed(scene.restorer()) == (None, False), "another link of the same account"


def test_a_copy_of_the_account_that_was_linked_before_is_not_restored(scene: Damaged) -> None:
    scene.save()
    scene.place.root.joinpath("Default", "IndexedDB", "more").write_text("another account's")
    scene.place.publish(account="another")
    scene.damage()
    assert placed(scene.restorer()) == (None, False)


@pytest.mark.parametrize("harm", ["cut", "flipped", "foreign", "longer"])
def test_a_copy_that_is_no_generation_of_ours_is_not_restored(scene: Damaged, harm: str) -> None:
    scene.save()
    _, content = scene.place.store.copies[SESSION]
    match harm:
        case "cut":
            scene.foreign(content[:-100])
        case "flipped":
            scene.foreign(content[:100] + bytes([content[100] ^ 4]) + content[101:])
        case "longer":
            scene.foreign(content + b"x")
        case _:
            scene.foreign()
    scene.damage()
    assert placed(scene.restorer()) == (None, False)
    assert [path.name for path in scene.profile.parent.iterdir()] == [SESSION], "no rubble"


def test_a_copy_of_a_newer_browser_is_refused_as_its_generation_is(scene: Damaged) -> None:
    scene.save()
    scene.damage()
    with pytest.raises(errors.BrowserTooOld):
        scene.restorer("155.0").place_next()
    assert not scene.profile.exists()


def test_a_store_that_falls_silent_at_the_copy_costs_nothing(scene: Damaged) -> None:
    scene.save()
    scene.damage()
    restorer = scene.restorer()

    def fail(verb: str, name: str) -> None:
        if verb in ("stat_copy", "read_copy"):
            raise errors.StoreUnavailable("down")

    scene.place.store.fail = fail
    with pytest.raises(errors.StoreUnavailable):
        restorer.place_next()
    assert not scene.profile.exists()
    scene.place.store.fail = lambda verb, name: None
    found = restorer.place_next()
    assert found.from_copy
    assert found.broken == ("generation 1: the archive is not what was saved: its digest differs",)
