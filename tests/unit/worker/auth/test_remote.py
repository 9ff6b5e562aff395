"""RemoteAuth on a store that fails in part: what is only tidiness keeps nobody from starting or saving."""

import asyncio
import dataclasses
import itertools
import json
import pathlib
import threading

import pytest

from scenes.worker import profile_maker
from scenes.worker.machine_story import ALICE
from scenes.worker.saves import save
from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason
from whatsapp_worker import auth, errors, stores
from whatsapp_worker.auth import base
from whatsapp_worker.core.state import UNKNOWN
from whatsapp_worker.profile import archive
from whatsapp_worker.repository import fencing, records
from whatsapp_worker.stores import four_verbs, memory

SESSION = "RemoteAuth"


POD = records.Owner("cluster", "bots", "session", "pod-1", "pod", "boot", 7, 1.0)


class Scene:
    """A strategy on a store in memory, as a client sets it up."""

    def __init__(self, root: pathlib.Path, backend: stores.Backend | None = None) -> None:
        self.root = root
        self.starts = 0
        self.store = memory.MemoryStore()
        self.told: list[tuple[Reason, str]] = []
        self.auth = auth.RemoteAuth(backend or self.store, "", root)
        self.auth.setup(
            base.Context(
                owner=records.Owner(host="h", boot_id="b", pid=7, data_path=str(root)),
                url="https://web.whatsapp.com/",
                browser_version=lambda: "156.0",
                report_problem=lambda reason, message: self.told.append((reason, message)),
            )
        )

    def in_a_pod(self, keep: int, pod_uid: str = "pod-1") -> None:
        """Go on as the container of a pod does that starts, or starts again."""
        self.auth = auth.RemoteAuth(self.store, "", self.root, keep=keep)
        self.starts += 1
        owner = dataclasses.replace(POD, start_time=float(self.starts), pod_uid=pod_uid)
        self.auth.setup(base.Context(owner, "https://web.whatsapp.com/", lambda: "156.0"))

    def kinds(self) -> list[str]:
        found = sorted(name for name in self.store.contents if "/log/" in name)
        return [json.loads(self.store.contents[name])["kind"] for name in found]


@pytest.fixture
async def scene(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(base, "_STORE_RETRY", Backoff(0.001, 0.001))
    return Scene(tmp_path)


async def test_an_orphan_that_cannot_be_deleted_keeps_nobody_from_starting(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.store.create(f"{SESSION}/archives/00000001-orphan.zip", [b"x"])

    def refuse(verb: str, name: str) -> None:
        if verb == "delete":
            raise errors.StoreDenied("may not delete")

    scene.store.fail = refuse
    prepared = await scene.auth.before_browser()
    assert prepared.known_hash == ""
    assert scene.kinds() == ["claim"], "claimed once"
    assert scene.told == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "may not delete" in caplog.text
    await scene.auth.clean_up()


def archives(scene: Scene) -> list[str]:
    return [name for name in scene.store.contents if "/archives/" in name]


async def test_an_upload_that_outlives_the_release_leaves_neither_record_nor_archive(scene: Scene) -> None:
    await scene.auth.before_browser()
    uploading, released = threading.Event(), threading.Event()

    def slow(verb: str, name: str) -> None:
        if verb == "create" and "/archives/" in name:
            uploading.set()
            assert released.wait(60)

    scene.store.fail = slow
    saving = asyncio.create_task(save(scene.auth, ALICE, b"one", "Shutdown"))
    await asyncio.to_thread(uploading.wait, 10)
    await scene.auth.release()
    released.set()
    with pytest.raises(errors.Released):
        await saving
    assert scene.kinds() == ["claim", "release"]
    assert archives(scene) == []
    await scene.auth.clean_up()


async def test_a_claim_that_comes_after_the_end_is_not_made(scene: Scene) -> None:
    await scene.auth.release()
    with pytest.raises(errors.Released):
        await scene.auth.before_browser()
    assert scene.kinds() == []
    await scene.auth.clean_up()


class FourVerbs:
    """A store of somebody else's making that holds one archive and fails at one of the calls."""

    def __init__(self, content: bytes, fails_at: int) -> None:
        self.content = content
        self.fails_at = fails_at
        self.calls = 0

    def _called(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise ConnectionError("down")

    def session_exists(self, session: str) -> bool:
        self._called()
        return True

    def extract(self, session: str, path: pathlib.Path) -> None:
        self._called()
        path.write_bytes(self.content)

    def save(self, session: str, path: pathlib.Path) -> None:
        self._called()
        self.content = path.read_bytes()

    def delete(self, session: str) -> None:
        self._called()


@pytest.mark.parametrize("fails_at", range(1, 6))
async def test_a_store_of_four_verbs_that_fails_at_any_call_of_a_start_is_waited_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    monkeypatch.setattr(base, "_STORE_RETRY", Backoff(0.001, 0.001))
    foreign = FourVerbs(b"".join(archive.write(profile_maker.profile(tmp_path / "profile"))), fails_at)
    scene = Scene(tmp_path / "data", four_verbs.UnfencedStore("four", foreign))
    prepared = await scene.auth.before_browser()
    assert prepared.known_hash == UNKNOWN
    reached = foreign.calls >= fails_at
    assert [reason for reason, _ in scene.told] == [Reason.STORE_UNAVAILABLE] * reached
    await scene.auth.clean_up()


async def test_what_this_run_has_saved_is_what_a_profile_that_lost_its_login_falls_back_to(scene: Scene) -> None:
    await scene.auth.before_browser()
    await scene.auth.connected(ALICE, "156.0")
    for number in (1, 2):
        await save(scene.auth, ALICE, b"save %d" % number)
    found = []
    for _ in range(3):
        prepared = await scene.auth.restore_previous()
        found.append(prepared.restored.generation if prepared.restored else 0)
    assert found == [2, 1, 0], "the newest, then each older one once, then a link is asked for"
    await scene.auth.clean_up()


async def test_a_login_that_came_up_again_begins_anew_with_the_newest(scene: Scene) -> None:
    await scene.auth.before_browser()
    await scene.auth.connected(ALICE, "156.0")
    await save(scene.auth, ALICE, b"one")
    for _ in range(2):
        prepared = await scene.auth.restore_previous()
        assert prepared.restored is not None
        await scene.auth.connected(ALICE, "156.0")
    await scene.auth.clean_up()


@pytest.mark.parametrize("saves", [0, 2], ids=["nothing-saved-before-the-restart", "saved-before-the-restart"])
async def test_what_a_restore_has_proven_outlives_the_restarts_of_the_container_that_proved_it(
    scene: Scene, saves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "waiting_seconds", lambda *_: 0.0)  # the first pod has not released the session
    contents = iter(range(100))

    async def save_often(times: int) -> None:
        for each in itertools.islice(contents, times):
            await save(scene.auth, ALICE, b"save %d" % each)

    async def start(before: int) -> None:
        scene.in_a_pod(2)
        prepared = await scene.auth.before_browser()
        assert (prepared.restored.generation if prepared.restored else None) == before
        await scene.auth.connected(ALICE, "156.0")

    scene.in_a_pod(2, pod_uid="pod-0")
    await scene.auth.before_browser()
    await scene.auth.connected(ALICE, "156.0")
    await save_often(2)
    await scene.auth.clean_up()
    await start(2)
    await save_often(saves)
    for _ in range(3):
        await scene.auth.clean_up()
        await start(0)
        await save_often(2)
    numbers = [int(name.split("/")[-1].split("-")[0]) for name in archives(scene)]
    assert numbers == [2, saves + 7, saves + 8], "2 was restored and came up; nothing newer has been"
    await scene.auth.clean_up()


async def test_a_call_that_hangs_is_told_and_counts_when_it_ends(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_HANGS", 0.0)
    goes_on = threading.Event()

    def told() -> bool:
        return goes_on.wait(60)

    scene.auth.context = dataclasses.replace(
        scene.auth.context,
        report_problem=lambda reason, message: (scene.told.append((reason, message)), goes_on.set())[0],
    )
    assert await scene.auth.retry_until_available(told), "the work went on because somebody was told"
    assert [reason for reason, _ in scene.told] == [Reason.STORE_UNAVAILABLE]
