"""Drive the unmodified library in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import psutil

from simulator.testing import Running

HERE = pathlib.Path(__file__).parent
PATIENCE = 120.0  # several browsers start at once here
SAVES = 20
"""How often a save is tried that fails because a file has vanished (`flaws.busy_saves` shows how often that is)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Hold one event of the library; `after` in seconds since its process began."""

    event: str
    after: float
    details: Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Hold what a peer needs of this machine, and its own working directory (which is its dataPath)."""

    modules: pathlib.Path
    browser: str
    directory: pathlib.Path

    @property
    def store(self) -> pathlib.Path:
        """Return the folder of the store that was written for this test."""
        return self.directory / "store"

    def archive(self) -> pathlib.Path:
        """Return where RemoteAuth's archive lies in the store."""
        return self.store / "RemoteAuth-it.zip"

    def profile(self) -> pathlib.Path:
        """Return RemoteAuth's local profile."""
        return self.directory / "data" / "RemoteAuth-it"

    def set_store_mode(self, mode: str) -> None:
        """Say how the store behaves from its next call on."""
        self.store.mkdir(parents=True, exist_ok=True)
        (self.store / "mode").write_text(mode)

    def store_calls(self) -> list[str]:
        """Return the names of the store's calls so far."""
        calls = self.store / "calls"
        return calls.read_text().split() if calls.exists() else []


class SilentError(AssertionError):
    """Say what a peer did not do in time, and what it did instead."""


class UnansweredError(SilentError):
    """Say which command has not ended in time, in success or in failure; the process is of no further use."""


class DiedError(UnansweredError):
    """Say that the library's process has ended by itself before it did what was asked of it."""


class Peer:
    """Hold one running process of the library and what it has said."""

    def __init__(self, place: Place, simulator: Running, auth: str, **options: object) -> None:
        data = place.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        further = options.pop("puppeteer_args", [])
        assert isinstance(further, list)
        remote = options.pop("remote", None)  # where its store lies, if not in the folder
        arguments = [*simulator.browser_args(), *further]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        config = {
            "auth": auth,
            "clientId": "it",
            "dataPath": str(data),
            "store": str(place.store),
            "remote": remote,
            "browser": place.browser,
            "args": arguments,
            # Its default of 30 s is for a machine of its own; an option, so that it stays unmodified.
            "options": {"authTimeoutMs": int(PATIENCE * 1000), **options},
        }
        # Chromium puts a socket there, whose path must be short.
        self._temporary = tempfile.TemporaryDirectory(prefix="wa-", ignore_cleanup_errors=True)
        self._begun = time.monotonic()
        self._errors = (place.directory / "stderr").open("a+")
        self.process = subprocess.Popen(
            ["node", str(HERE / "peer.js"), json.dumps(config)],
            cwd=data,  # the one directory with which the library's own stores work
            env={**os.environ, "NODE_PATH": str(place.modules), "TMPDIR": self._temporary.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._said: list[Said] = []
        self._changed = threading.Condition()
        self._ended = False
        self._commands = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            raw = json.loads(line)
            with self._changed:
                self._said.append(Said(raw.pop("event"), time.monotonic() - self._begun, raw))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def said(self, event: str | None = None) -> list[Said]:
        """Return what it has said so far, in order."""
        with self._changed:
            return [item for item in self._said if event in (None, item.event)]

    def heard(self, predicate: Callable[[list[Said]], bool], seconds: float) -> bool:
        """Return whether the predicate comes true in time."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(self._said) or self._ended, seconds) and predicate(
                self._said
            )

    def wait_for(self, event: str, seconds: float = PATIENCE, number: int = 1) -> Said:
        """Return the first (or n-th) event of this name; raise SilentError."""
        return self._await(f"{event} (number {number})", (event,), seconds, number)

    def first_of(self, *events: str, seconds: float = PATIENCE) -> Said:
        """Return the first event of any of these names; raise SilentError."""
        return self._await(" or ".join(events), events, seconds, 1)

    def _await(self, what: str, events: tuple[str, ...], seconds: float, number: int) -> Said:
        if not self.heard(lambda said: sum(item.event in events for item in said) >= number, seconds):
            told = [(i.event, i.details.get("error")) for i in self.said() if i.event != "loading_screen"]
            text = f"no {what} within {seconds:g} s; it said {told}; {self.errors()}"
            raise DiedError(text) if self.died() else SilentError(text)
        return [item for item in self.said() if item.event in events][number - 1]

    def says_nothing(self, event: str, seconds: float, beyond: int = 0) -> bool:
        """Watch for so long and return whether there were no more than `beyond` events of this name."""
        return not self.heard(lambda said: sum(item.event == event for item in said) > beyond, seconds)

    def do(self, command: str, seconds: float = PATIENCE, **details: object) -> object:
        """Let it do something; return the result, or raise SilentError with its error."""
        number = self.begin(command, **details)
        if not self.heard(lambda said: any(item.details.get("id") == number for item in said), seconds):
            text = f"{command} did not end within {seconds:g} s; {self.errors()}"
            raise DiedError(text) if self.died() else UnansweredError(text)
        answer = next(item for item in self.said() if item.details.get("id") == number)
        if answer.event == "failed":
            raise SilentError(f"{command}: {answer.details['error']}")
        return answer.details.get("result")

    def save(self) -> None:
        """Let it save, again when its copy of a living profile met a file that Chromium had just removed."""
        for attempt in range(1, SAVES + 1):
            try:
                self.do("save")
                return
            except UnansweredError:
                raise
            except SilentError as error:
                if "ENOENT" not in str(error) or attempt == SAVES:
                    raise

    def wait_for_own_save(self) -> None:
        """Wait for the save that it makes by itself after 60 s; raise UnansweredError when it hangs or fails."""
        try:
            self.wait_for("remote_session_saved")
        except DiedError:
            raise
        except SilentError as error:
            raise UnansweredError(str(error)) from error

    def died(self) -> bool:
        """Return whether the process has ended by an error that nobody caught, such as an unhandled rejection."""
        return self._ended and self.exit_code(10) not in (0, None)

    def begin(self, command: str, **details: object) -> int:
        """Let it do something without waiting; return the command's number."""
        assert self.process.stdin is not None
        self._commands += 1
        self.process.stdin.write(json.dumps({"id": self._commands, "command": command, **details}) + "\n")
        self.process.stdin.flush()
        return self._commands

    def errors(self) -> str:
        """Return the end of what the process wrote to its standard error."""
        self._errors.seek(0)
        return self._errors.read()[-600:]

    def exit_code(self, seconds: float) -> int | None:
        """Return the process's exit code, None when it still runs after so long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the process and its browser with SIGKILL, as a lost node does."""
        victims = [self.process.pid]
        with contextlib.suppress(psutil.NoSuchProcess):
            victims += [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self.process.wait(60)

    def close(self) -> None:
        """End it by any means and close its files."""
        self.kill()
        self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._temporary.cleanup()


@contextlib.contextmanager
def running(place: Place, simulator: Running, auth: str, **options: object) -> Iterator[Peer]:
    """Run the library for the length of a with block."""
    peer = Peer(place, simulator, auth, **options)
    try:
        yield peer
    finally:
        peer.close()


def link(peer: Peer, simulator: Running, phone: str = "alice") -> str:
    """Scan the QR code it shows and wait until it is ready; return the device's id."""
    said = peer.wait_for("qr")
    device = simulator.admin.scan(phone, str(said.details["qr"]))
    assert device is not None
    peer.wait_for("ready")
    return device
