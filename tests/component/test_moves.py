"""Logins that move between stores and programs, and encrypted ones: never a QR code, never a silent loss."""

import base64
import os
import pathlib
import signal
import subprocess

from component import workers
from component.workers import Home, lose_everything_but_the_store


def key_file(home: Home, name: str) -> dict[str, str]:
    """Write a new key; returns the environment that names it."""
    path = home.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64encode(os.urandom(32)))
    return {"WHATSAPP_ENCRYPTION_KEY_FILE": str(path)}


def store(*arguments: str) -> str:
    """Run ``whatsapp-worker store ...``; returns what it says."""
    command = [workers.COMMAND, "store", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def copy_of(home: Home) -> pathlib.Path:
    return home.store / f"RemoteAuth-{home.client_id}.zip"


def test_an_encrypted_login_comes_back_with_its_key_and_without_it_no_code_is_shown(home: Home) -> None:
    key = key_file(home, "key")
    worker = home.start(env=key)
    device = home.link(worker)
    worker.wait("saved")
    lose_everything_but_the_store(home, worker)
    assert not copy_of(home).exists(), "no copy of a login in plain"
    assert not any(b"leveldb" in archive.read_bytes() for archive in home.archives())
    for wrong in ({}, key_file(home, "other")):
        refused = home.start(env=wrong)
        ended = refused.wait("ended")
        assert (ended["code"], ended["reason"]) == (3, "RestoreFailed")
        assert "is encrypted with key" in ended["message"]
        assert not refused.all("qr"), refused
    again = home.start(env=key)
    again.wait("ready")
    assert not again.all("qr"), again
    home.assert_whole(device)


def test_a_session_moves_to_another_store_without_a_code(home: Home) -> None:
    worker, device = home.linked()
    move = ("copy", "--from", f"file:{home.store}", "--to", f"file:{home.root / 'new'}", "--client-id", home.client_id)
    running = subprocess.run([workers.COMMAND, "store", *move], check=False, capture_output=True, text=True, timeout=60)
    assert running.returncode == 3, "a session that runs is not copied"
    assert "StoreSessionInUse" in running.stderr
    assert worker.stop() == 0
    assert "copied" in store(*move)
    assert "nothing to copy" in store(*move)
    moved = home.start("--store", f"file:{home.root / 'new'}", data=home.root / "elsewhere")
    moved.wait("ready")
    assert not moved.all("qr"), moved
    home.assert_whole(device)
    assert home.simulator.admin.device(device).rollbacks == 0
    assert (home.root / "new" / copy_of(home).name).exists(), "and the JavaScript stores' copy is there too"


def test_an_archive_that_another_program_writes_meanwhile_is_told_and_left_alone(home: Home) -> None:
    worker, device = home.linked()
    theirs = copy_of(home).read_bytes() + b"theirs"
    copy_of(home).write_bytes(theirs)
    home.news(device, "more to save")
    mark = worker.mark
    worker.signal(signal.SIGUSR1)
    worker.wait("saved", mark)
    fault = worker.wait("fault", mark, reason="ForeignArchive")
    assert "whatsapp-worker store import" in fault["message"]
    assert copy_of(home).read_bytes() == theirs
    assert worker.stop() == 0
    assert copy_of(home).read_bytes() == theirs
    said = store("import", "--discard", "--store", f"file:{home.store}", "--client-id", home.client_id)
    assert "was removed" in said
    again = home.start()
    again.wait("ready")
    assert copy_of(home).read_bytes() == home.archives()[-1].read_bytes(), "ours follows again"


def test_the_store_to_fill_may_be_the_environments_and_the_other_one_is_told_by_flags_alone(
    tmp_path: pathlib.Path,
) -> None:
    def run(*flags: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [workers.COMMAND, "store", "copy", "--client-id", "desk", *flags]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=os.environ | env)

    source, target = (f"file:{tmp_path / name}" for name in ("source", "target"))
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    empty = run("--from", source, WHATSAPP_STORE=target)
    assert (empty.returncode, "right store" in empty.stderr) == (3, True)
    fine = run("--from", source, "--if-any", WHATSAPP_STORE=target)
    assert (fine.returncode, fine.stdout) == (0, "there was nothing to copy of RemoteAuth-desk\n")
    nowhere = run("--from", source)
    assert (nowhere.returncode, "set --to" in nowhere.stderr) == (2, True)
    odd = run("--from", source, "--from-options", "[]", WHATSAPP_STORE=target)
    assert (odd.returncode, "must be a JSON object" in odd.stderr) == (2, True)
