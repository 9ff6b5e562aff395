"""Without Kubernetes each fault is told once, in words of a laptop, and names what it is about."""

import os
import pathlib
import re
import socket
import subprocess

import pytest

from component.workers import COMMAND, Home, wait

POD_WORDS = re.compile(r"\bpods?\b|podTemplate|PodTemplate|session resource|kubectl|CrashLoop|Traceback")


def remote(home: Home, *more: str, store: str = "", data: str = "") -> list[str]:
    """Return the command line of a worker of a home, or of another store or data path."""
    given = ["run", "--auth", "remote", "--client-id", "support", "--store", store or f"file:{home.store}"]
    return [*given, "--data-path", data or str(home.data), *more]


def assert_told_once(said: str, cause: str, *named: str) -> None:
    """Fail unless one line has the cause, names these, and no line has a word of pods."""
    lines = [line for line in said.splitlines() if cause in line]
    assert len(lines) == 1, said
    assert all(name in lines[0] for name in named), said
    assert not POD_WORDS.search(said), said


def ended(home: Home, arguments: list[str], code: int, env: dict[str, str] | None = None) -> str:
    """Run a command that ends by itself; returns what it said on both outputs."""
    done = subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == code, done
    return done.stdout + done.stderr


def told(home: Home, arguments: list[str], cause: str) -> str:
    """Run a worker that goes on until it has told a cause, stop it; returns what it said on both outputs."""
    worker = home.spawn_text(*arguments)
    wait(lambda: cause in worker.text(), lambda: f"{cause!r} in {worker.text()}")
    worker.process.terminate()
    worker.process.wait(120)
    return worker.text()


@pytest.fixture
def file(home: Home) -> pathlib.Path:
    """A file where a directory should be."""
    home.root.mkdir()
    made = home.root / "file"
    made.write_text("no directory")
    return made


def test_a_store_that_is_no_directory(home: Home, file: pathlib.Path) -> None:
    assert_told_once(told(home, remote(home, store=f"file:{file}"), "ENOTDIR"), "ENOTDIR", str(file))
    said = ended(home, ["store", "check", "--store", f"file:{file}"], 3)
    assert_told_once(said, "StoreUnavailable", str(file))


def test_an_s3_server_that_does_not_answer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-key")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    said = told(home, remote(home, store="s3:bucket/path"), "StoreUnavailable")
    assert_told_once(said, "no connection to the store", "s3:bucket")
    assert "hidden-key" not in said


@pytest.mark.parametrize("address", ["s3:", "s3://bucket", "nosuch:thing", "s3:name:hidden-key@bucket"])
def test_a_bad_address(home: Home, address: str) -> None:
    said = ended(home, remote(home, store=address), 2)
    assert len(said.splitlines()) == 1, said
    assert "hidden-key" not in said


@pytest.mark.parametrize("auth", ["remote", "local"])
def test_a_data_path_that_is_no_directory(home: Home, file: pathlib.Path, auth: str) -> None:
    line = remote(home, data=str(file)) if auth == "remote" else ["run", "--auth", "local", "--data-path", str(file)]
    assert_told_once(ended(home, line, 2), "data path", str(file))


def test_a_data_path_in_use(home: Home) -> None:
    home.start().wait("qr")
    assert_told_once(ended(home, remote(home), 2), "another worker uses", str(home.data))


def test_a_session_in_use(home: Home) -> None:
    home.start().wait("qr")
    other = str(home.root / "other")
    assert_told_once(ended(home, remote(home, data=other), 3), "in use by process", str(home.data))


def test_a_browser_that_is_missing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(home.root / "none"))
    assert_told_once(told(home, remote(home), "Chromium is not installed"), "Chromium is not installed")
    monkeypatch.setenv("WHATSAPP_BROWSER_EXECUTABLE", "/nonexistent/chrome")
    assert_told_once(ended(home, remote(home), 2), "executable", "/nonexistent/chrome")


def test_a_devtools_port_in_use(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert_told_once(told(home, remote(home, "--cdp-port", port), port), "DevTools port", port)


def test_a_wrong_key(home: Home, monkeypatch: pytest.MonkeyPatch, file: pathlib.Path) -> None:
    monkeypatch.setenv("WHATSAPP_ENCRYPTION_KEY_FILE", str(file))
    assert_told_once(ended(home, remote(home), 2), "encryption key", str(file))
