"""RemoteAuth on a store that fails in part: what is only tidiness keeps nobody from starting or saving."""

import pathlib

import pytest

from whatsapp_session.conditions import Reason
from whatsapp_worker import auth, errors, records
from whatsapp_worker.auth import base
from whatsapp_worker.stores import memory

SESSION = "RemoteAuth"


class Scene:
    """A strategy on a store in memory, as a client sets it up."""

    def __init__(self, root: pathlib.Path) -> None:
        self.store = memory.MemoryStore()
        self.told: list[tuple[Reason, str]] = []
        self.auth = auth.RemoteAuth(self.store, "", root)
        self.auth.setup(
            base.Context(
                owner=records.Owner(host="h", boot_id="b", pid=7, data_path=str(root)),
                url="https://web.whatsapp.com/",
                browser_version=lambda: "156.0",
                trouble=lambda reason, message: self.told.append((reason, message)),
            )
        )

    def slots(self) -> list[str]:
        return [name for name in self.store.contents if "/log/" in name]


@pytest.fixture
async def scene(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(base, "_STORE_RETRY", (0.0,))
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
    assert len(scene.slots()) == 1, "claimed once"
    assert scene.told == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "may not delete" in caplog.text
    await scene.auth.clean_up()
