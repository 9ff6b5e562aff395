"""A store of somebody else's making fails in its own ways, and the worker hears of them in ours."""

import datetime
import pathlib
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator

import pytest

from whatsapp_worker import errors, stores
from whatsapp_worker.cli import run
from whatsapp_worker.stores import four_verbs, memory, registry, testing

SECRET = "driver://user:pass-word@host"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SESSION, NAME = "RemoteAuth-a", "RemoteAuth-a/archives/1.zip"


class DriverError(Exception):
    """What a driver raises."""


class Plain:
    """Four primitives and no more; ``error`` is raised by each."""

    visibility = 3

    def __init__(self) -> None:
        self.real = memory.MemoryStore()
        self.error: BaseException | None = None

    def fail(self) -> None:
        if self.error:
            raise self.error

    def create(self, name: str, content: Iterable[bytes]) -> None:
        self.fail()
        self.real.create(name, content)

    def read(self, name: str) -> Iterator[bytes]:
        return self.then_fail(self.real.read(name))

    def then_fail(self, content: Iterator[bytes]) -> Iterator[bytes]:
        yield from content
        self.fail()

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        yield from self.real.list(prefix)
        self.fail()

    def delete(self, name: str) -> None:
        self.fail()
        self.real.delete(name)


class Able(Plain):
    """With everything that is optional."""

    def stat_copy(self, session: str) -> stores.Copy | None:
        self.fail()
        return self.real.stat_copy(session)

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        self.fail()
        return self.real.put_copy(name, session, uploaded, replaces)

    def read_copy(self, session: str) -> Iterator[bytes]:
        return self.then_fail(self.real.read_copy(session))

    def delete_copy(self, session: str) -> None:
        self.fail()
        self.real.delete_copy(session)

    def sweep(self, prefix: str) -> None:
        self.fail()


def opened(made: object) -> stores.Backend:
    return four_verbs.as_backend("mine", made, allow_unfenced=False)


CALLS: dict[str, Callable[[memory.MemoryStore], object]] = {
    "create": lambda store: store.create("RemoteAuth-a/archives/2.zip", [b"x"]),
    "read": lambda store: b"".join(store.read(NAME)),
    "list": lambda store: list(store.list("RemoteAuth-a/")),
    "delete": lambda store: store.delete(NAME),
    "stat_copy": lambda store: store.stat_copy(SESSION),
    "put_copy": lambda store: store.put_copy(NAME, SESSION, NOW, None),
    "read_copy": lambda store: b"".join(store.read_copy(SESSION)),
    "delete_copy": lambda store: store.delete_copy(SESSION),
    "sweep": lambda store: store.sweep("RemoteAuth-a/"),  # type: ignore[attr-defined] # a capability, looked for by its callers
}


@pytest.mark.parametrize("verb", CALLS)
def test_what_a_driver_raises_is_unavailable_with_the_name_of_its_class_only(verb: str) -> None:
    made = Able()
    made.create(NAME, [b"content"])
    made.put_copy(NAME, SESSION, NOW, None)
    made.error = DriverError(SECRET)
    said = f"the store mine failed at {verb} of RemoteAuth-a.*: DriverError$"
    with pytest.raises(errors.StoreUnavailable, match=said) as caught:
        CALLS[verb](opened(made))  # type: ignore[arg-type] # of the same shape
    assert "pass-word" not in "".join(traceback.format_exception(caught.value))


class Overwriting(Plain):
    """Without an exclusive create."""

    def create(self, name: str, content: Iterable[bytes]) -> None:
        self.real.delete(name)
        self.real.create(name, content)


def test_a_store_that_writes_a_record_twice_is_refused_unless_that_is_accepted() -> None:
    record = ("RemoteAuth-a/log/000000000001.json", [b"{}"])
    with pytest.raises(errors.StoreUnfenced, match="accept it with allowUnfenced"):
        opened(Overwriting()).create(*record)
    four_verbs.as_backend("mine", Overwriting(), allow_unfenced=True).create(*record)


def test_a_store_is_asked_for_that_once() -> None:
    made = Plain()
    seen: list[str] = []
    made.real.fail = lambda verb, name: seen.append(f"{verb} {name[-6:]}")
    store = opened(made)
    for number in (1, 2, 3):
        store.create(f"RemoteAuth-a/log/{number}.json", [b"{}"])
    assert seen == ["create 1.json", "create 1.json", "create 2.json", "create 3.json"]


def test_an_error_of_ours_comes_through_without_what_it_was_made_from() -> None:
    made = Plain()
    made.error = errors.StoreFull("the store is full")
    made.error.__cause__ = DriverError(SECRET)
    with pytest.raises(errors.StoreFull) as caught:
        opened(made).delete(NAME)
    assert "pass-word" not in "".join(traceback.format_exception(caught.value))


def test_who_interrupts_is_no_driver() -> None:
    made = Plain()
    made.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        opened(made).delete(NAME)


def test_content_that_fails_is_not_the_stores_fault() -> None:
    class Wrapping(Plain):
        def create(self, name: str, content: Iterable[bytes]) -> None:
            try:
                super().create(name, content)
            except Exception as error:
                raise DriverError(SECRET) from error

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        opened(Wrapping()).create(NAME, broken())


@pytest.mark.parametrize(("made", "able"), [(Plain(), False), (Able(), True)])
def test_a_store_has_the_capabilities_that_it_brings_and_no_others(made: object, able: bool) -> None:
    store = opened(made)
    assert stores.capabilities(store) == stores.Capabilities(store if able else None, store if able else None)
    assert store.visibility == 3
    assert repr(store) == "ForeignStore('mine')"


def test_a_store_of_the_earlier_interface_is_judged_by_its_methods() -> None:
    able, plain = Able(), Plain()
    assert stores.capabilities(plain) == stores.Capabilities()
    assert stores.capabilities(able) == stores.Capabilities(able, able)
    able.capabilities = {"copies": "no"}  # a word of its own, which says nothing to us
    assert stores.capabilities(able) == stores.Capabilities(able, able)


class Forgetful:
    """Four verbs, of which one does nothing."""

    def session_exists(self, session: str) -> bool:
        return True

    def save(self, session: str, path: pathlib.Path) -> None: ...

    def extract(self, session: str, path: pathlib.Path) -> None: ...

    def delete(self, session: str) -> None: ...


def test_a_store_of_four_verbs_that_extracts_nothing_is_unavailable() -> None:
    store = four_verbs.UnfencedStore("mine", Forgetful())
    with pytest.raises(errors.StoreUnavailable, match="the store mine failed at extract of RemoteAuth-a"):
        store.stat_copy(SESSION)


class TestContract(testing.StoreContract):
    """As the worker uses it."""

    @pytest.fixture
    def store(self) -> stores.Backend:
        return opened(Able())


@pytest.fixture
def package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose factory fails as the address says."""
    about = tmp_path / "failing-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: failing\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[whatsapp_worker.stores]\nfailing = failing_store:open_store\n")
    (tmp_path / "failing_store.py").write_text(
        f"from whatsapp_worker import errors\ndef open_store(rest, options): raise eval(rest)({SECRET!r})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_factory_that_fails_is_wrong_settings_and_its_words_are_not_told(
    package: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"'failing' cannot be opened: OSError$") as caught:
        registry.open_store("failing:OSError")
    assert "pass-word" not in "".join(traceback.format_exception(caught.value))
    assert run.main(["store", "check", "--store", "failing:OSError"]) == 2
    assert "pass-word" not in capsys.readouterr().err


def test_a_factory_that_cannot_reach_its_server_ends_the_worker_to_be_tried_again(
    package: None, tmp_path: pathlib.Path
) -> None:
    told = ["run", "--auth", "remote", "--data-path", str(tmp_path), "--store", "failing:errors.StoreUnavailable"]
    assert run.main(told) == 1


def test_the_directory_of_a_store_of_four_verbs_goes_with_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = four_verbs.UnfencedStore("mine", Forgetful())
    assert list(tmp_path.iterdir())
    del store
    assert not list(tmp_path.iterdir())
