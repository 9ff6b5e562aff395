"""How long a store is asked again, and how credentials are read."""

import pathlib
from collections.abc import Callable

import pytest

from whatsapp_worker import errors
from whatsapp_worker.stores import credentials, retry


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def waiting(time: Time, chance: float = 0.5, deadline: float = 10.0) -> retry.Patience:
    return retry.Patience(deadline, 1.0, 4.0, lambda: time.now, time.sleep, lambda: chance)


def failing(*failures: Exception) -> Callable[[], str]:
    left = list(failures)

    def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return work


def test_a_store_that_comes_back_is_asked_with_growing_pauses() -> None:
    time = Time()
    assert waiting(time).call(failing(*[errors.StoreUnavailable("down")] * 3)) == "done"
    assert time.slept == [1.0, 2.0, 4.0]


def test_the_pauses_of_two_workers_differ() -> None:
    early, late = Time(), Time()
    for time, chance in ((early, 0.0), (late, 1.0)):
        waiting(time, chance).call(failing(errors.StoreUnavailable("down")))
    assert (early.slept, late.slept) == ([0.5], [1.5])


def test_at_the_deadline_the_last_error_is_told() -> None:
    time = Time()
    with pytest.raises(errors.StoreUnavailable, match="down"):
        waiting(time).call(failing(*[errors.StoreUnavailable("down")] * 100))
    assert time.now <= 10.0


@pytest.mark.parametrize(
    "error", [errors.StoreDenied("no"), errors.StoreFull("full"), errors.NotFound("x"), errors.AlreadyExists("x")]
)
def test_what_a_repetition_cannot_mend_is_told_at_once(error: Exception) -> None:
    time = Time()
    with pytest.raises(type(error)):
        waiting(time).call(failing(error))
    assert time.slept == []


def test_credentials_are_read_again_at_each_use(tmp_path: pathlib.Path) -> None:
    files = credentials.Files(tmp_path)
    (tmp_path / "user").write_text("old\n")
    assert files.read("user", optional=("token",)) == ("old", "")
    (tmp_path / "user").write_text("new")
    (tmp_path / "token").write_text("t")
    assert files.read("user", optional=("token",)) == ("new", "t")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_credential_that_is_not_there_is_named(tmp_path: pathlib.Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "secretAccessKey").write_bytes(content)
    with pytest.raises(errors.StoreDenied, match="secretAccessKey"):
        credentials.Files(tmp_path).read("secretAccessKey")


def test_without_a_directory_the_environment_has_the_credentials() -> None:
    assert credentials.Files().read("user") is None
