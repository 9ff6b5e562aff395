"""`whatsapp-worker store check`, as a person and as the operator's pod run it."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Mapping

import pytest

from component.stores import proxy, servers
from component.stores.conftest import MakePlace, MakeStore
from component.stores.proxy import How
from scenes.ports import free_port
from whatsapp_session import names, worker_config
from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem, memory, probe

COMMAND = str(pathlib.Path(sys.executable).with_name("whatsapp-worker"))


def check(address: str, secrets: pathlib.Path | None, **more: str) -> subprocess.CompletedProcess[str]:
    config = worker_config.WorkerConfig(store=address, store_secrets=str(secrets) if secrets else None)
    told: Mapping[str, str] = os.environ | worker_config.to_env(config) | more
    return subprocess.run(
        [COMMAND, "store", "check"], env=told, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("kind", ["filesystem", "s3", "mongodb"])
def test_a_store_that_does_what_sessions_need_is_code_0(make_place: MakePlace, kind: str) -> None:
    place = make_place(kind)
    done = check(place.address, place.settings.secrets)
    assert (done.returncode, done.stderr) == (0, "")
    probes = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert probes == ["create", "read", "list", "delete", "the store passed the check"]


@pytest.mark.parametrize("kind", ["memory", "filesystem", "s3", "mongodb"])
def test_a_check_leaves_nothing_behind(make_store: MakeStore, kind: str) -> None:
    store = make_store(kind)
    folders: list[str] = []
    create = store.create

    def noting(name: str, content: list[bytes]) -> None:
        folders.append(name.partition("/")[0])
        create(name, content)

    store.create = noting  # type: ignore[method-assign, assignment] # looks on, and passes on
    probe.check(store, lambda line: None)
    assert len(set(folders)) == 1
    assert list(store.list(f"{folders[0]}/")) == []
    if isinstance(store, filesystem.FilesystemStore):
        assert list(store.directory.iterdir()) == [], "no directory either"


def test_a_check_removes_no_directory_but_its_own(tmp_path: pathlib.Path) -> None:
    store = filesystem.FilesystemStore(tmp_path)
    (tmp_path / "RemoteAuth-a" / "archives").mkdir(parents=True)
    probe.check(store, lambda line: None)
    assert [path.name for path in tmp_path.rglob("*")] == ["RemoteAuth-a", "archives"]
    (tmp_path / "check-full").mkdir()
    (tmp_path / "check-full" / "somebody's").touch()
    store.remove_folder("check-full")
    assert (tmp_path / "check-full" / "somebody's").exists()


def test_a_check_that_fails_leaves_no_directory_either(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filesystem.FilesystemStore(tmp_path)
    monkeypatch.setattr(store, "read", _missing)
    with pytest.raises(errors.StoreUnavailable):
        probe.check(store, lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_wrong_credentials_are_code_3_and_no_secret_is_told(make_place: MakePlace, tmp_path: pathlib.Path) -> None:
    done = check(make_place("s3").address, servers.write_s3_secrets(tmp_path / "wrong", secret="not-the-secret"))
    assert done.returncode == 3
    assert "StoreUnavailable: the store refuses the bucket sessions: the secret access key is wrong" in done.stderr
    assert "not-the-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_credential_is_code_3_and_named(make_place: MakePlace, tmp_path: pathlib.Path) -> None:
    done = check(make_place("s3").address, tmp_path)
    assert done.returncode == 3
    assert "SecretNotFound: the store's Secret lacks the key accessKeyId" in done.stderr


def test_a_missing_encryption_key_is_code_3_and_said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_ENCRYPTION_KEY_FILE", str(tmp_path / "value"))
    done = check(f"file:{tmp_path / 'store'}", None)
    assert done.returncode == 3
    assert "SecretNotFound: the encryption key" in done.stderr


@pytest.mark.parametrize("uri", ["mongodb://user:pass-word@127.0.0.1:{port}/", "http://pass-word@127.0.0.1/"])
def test_an_address_with_a_password_is_never_told(tmp_path: pathlib.Path, uri: str) -> None:
    secrets = servers.write_mongo_secrets(tmp_path, uri.format(port=free_port()))
    done = check("mongodb:sessions", secrets)
    assert done.returncode == 3
    assert "StoreUnavailable" in done.stderr
    assert "pass-word" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_several_winners_are_code_3_and_unfenced(make_place: MakePlace, s3_server: servers.S3Server) -> None:
    place = make_place("s3")
    accepted = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
    with proxy.running(s3_server.port, http=True) as between:
        between.fault(How.ANSWER, rb"^PUT ", times=10_000, answer=accepted)
        done = check(place.address.replace(f":{s3_server.port}", f":{between.port}"), place.settings.secrets)
    assert done.returncode == 3
    assert "StoreUnfenced: the S3 server ignores If-None-Match" in done.stderr


class Overwriting(memory.MemoryStore):
    """A store whose creates always win."""

    def create(self, name: str, content: Iterable[bytes]) -> None:
        self.contents[name] = b"".join(content)


def test_consent_lets_a_store_pass_that_says_what_it_is() -> None:
    with pytest.raises(errors.StoreUnfenced, match="4 of 4 writers won"):
        probe.check(Overwriting(), lambda line: None)
    said: list[str] = []
    probe.check(Overwriting(), said.append, allow_unfenced=True)
    assert "accepted by allowUnfenced" in said[0]


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("read", "does not return what the check wrote"),
        ("list", "lists 0 of 3"),
        ("delete", "still returns what the check deleted"),
    ],
)
def test_a_store_that_lies_is_not_available(verb: str, said: str) -> None:
    store = memory.MemoryStore()
    lies = {"read": _missing, "list": lambda prefix: iter(()), "delete": lambda name: None}
    setattr(store, verb, lies[verb])
    with pytest.raises(errors.StoreUnavailable, match=said):
        probe.check(store, lambda line: None)


def _missing(name: str) -> stores.Entry:
    raise errors.NotFound(name)


@pytest.mark.parametrize(
    ("address", "said"), [("", "set --store"), ("ftp:x", "not known"), ("s3:b", "names no bucket")]
)
def test_wrong_settings_are_code_2(address: str, said: str) -> None:
    config = {"WHATSAPP_STORE": address} if address else {}
    done = subprocess.run(
        [COMMAND, "store", "check"], env=os.environ | config, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_pod_leaves_reason_and_code_in_its_termination_message(make_place: MakePlace, tmp_path: pathlib.Path) -> None:
    place, log = make_place("filesystem"), tmp_path / "termination-log"
    program = (
        "import pathlib, sys; from whatsapp_session import names; names.TERMINATION_LOG = sys.argv[1]; "
        "from whatsapp_worker.cli import run; sys.exit(run.main(['store', 'check']))"
    )
    for address, code, reason in ((place.address, 0, "StoreAnswered"), ("s3:nobody-has-this", 3, "SecretNotFound")):
        told = worker_config.to_env(worker_config.WorkerConfig(store=address, store_secrets=str(tmp_path)))
        told |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", worker_config.POD_NAME: "wa-check"}
        done = subprocess.run(
            [sys.executable, "-c", program, str(log)],
            env=os.environ | told,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        left = json.loads(log.read_text())
        assert (left["reason"], left["exitCode"]) == (reason, code)
        assert left["message"]
    assert names.TERMINATION_LOG == "/dev/termination-log"
