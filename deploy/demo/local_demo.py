"""Part 1: worker and simulator as local processes, without Kubernetes."""

import json
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from deploy.demo.console import Console, DemoError, wait_for
from simulator import client
from simulator.testing import browser_args
from whatsapp_cli.main import draw

CLIENT_ID = "demo"
PHONE = "demo"
STEP_SECONDS = 90.0


class Worker:
    """A ``whatsapp-worker run`` process, followed by its JSON events."""

    def __init__(self, home: Path, switches: list[str]) -> None:
        command = [str(Path(sys.executable).parent / "whatsapp-worker"), "run", "--auth", "remote", "--events", "json"]
        command += ["--store", f"file:{home / 'store'}", "--data-path", str(home / "worker"), "--client-id", CLIENT_ID]
        command += [f"--browser-arg={switch}" for switch in switches]
        self._log = (home / "worker.log").open("ab")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        self._events: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str, **fields: str) -> Mapping[str, Any]:
        """Return the next event of this name whose fields have these values.

        Raises DemoError when the worker ends, or when the event does not come within 90 s.
        """
        deadline = time.monotonic() + STEP_SECONDS
        while True:
            found = self.next(deadline, f"{event} {fields or ''}")
            if found["event"] == event and all(found.get(key) == value for key, value in fields.items()):
                return found

    def next(self, deadline: float, wanted: str) -> Mapping[str, Any]:
        """Return the next event of any name; raises DemoError as ``wait_for`` does."""
        try:
            found = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise DemoError(f"waited {STEP_SECONDS:.0f} s without success for {wanted.strip()}") from None
        if found is None:
            raise DemoError(f"the worker ended before {wanted.strip()}; its log: {self._log.name}")
        return found

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the worker, as a node that loses power would; no last save. One that ended is left alone."""
        self._process.kill()
        self._process.wait()
        self._followed()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code; the final save happens in between."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the worker did not end within 60 s of SIGTERM; its log: {self._log.name}") from None
        self._followed()
        return code

    def _followed(self) -> None:
        self._reader.join(timeout=10)
        self._log.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._events.put(json.loads(line))
        self._events.put(None)


def _remove(directory: Path) -> None:
    # The browser ends a moment after its worker, and may write until then.
    wait_for("the worker's directory to be deleted", lambda: _removed(directory), timeout=20)


def _removed(directory: Path) -> bool | None:
    shutil.rmtree(directory, ignore_errors=True)
    return None if directory.exists() else True


@contextmanager
def _simulator() -> Iterator[tuple[client.Admin, list[str]]]:
    command = [sys.executable, "-m", "simulator", "--page-port", "0", "--admin-port", "0"]
    # Outside the terminal's group: an interrupt reaches the demo only, which then ends the others.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise DemoError("the simulator did not start")
            ports = json.loads(line)
            admin = client.Admin(f"http://127.0.0.1:{ports['admin']}")
            yield admin, browser_args(ports["spki"], f"127.0.0.1:{ports['page']}")
        finally:
            process.terminate()


class LocalDemo:
    """Part 1: link, save, delete everything but the store, connect again without a code."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def run(self) -> None:
        """Run the steps in a temporary directory, which is kept only if one fails; raises DemoError with that step."""
        home = Path(tempfile.mkdtemp(prefix="whatsapp-try-"))
        try:
            with _simulator() as (admin, switches):
                self._steps(home, admin, switches)
        except (DemoError, client.RefusedError, client.WaitedInVainError):
            self._console.say(f"the files of the demo: {home}")
            raise
        except KeyboardInterrupt:
            _remove(home)
            raise
        _remove(home)

    def _steps(self, home: Path, admin: client.Admin, switches: list[str]) -> None:
        console = self._console
        with Worker(home, switches) as first:
            device = self._linked(first, admin)
            with console.step("kill -9 the worker and delete its directory: only the store is left"):
                first.kill()
                _remove(home / "worker")
        with console.step("a new worker: Connected again without a QR code"), Worker(home, switches) as second:
            self._returned(second, admin, device)
            code = second.stop()
        if code:
            raise DemoError(f"the worker ended with exit code {code}; its log: {home / 'worker.log'}")

    def _linked(self, worker: Worker, admin: client.Admin) -> str | None:
        console = self._console
        with console.step("whatsapp-worker run --auth remote --store file:store, against a simulator of WhatsApp Web"):
            code = worker.wait_for("qr")["code"]
            console.say(draw(code))
        with console.step("the simulator's phone scans the code"):
            device = admin.scan(PHONE, code)
            worker.wait_for("state", state="Connected")
        with console.step("the session is saved to the store"):
            saved = worker.wait_for("saved")
            console.say(f"    generation {saved['generation']}, {saved['bytes'] / 1e6:.1f} MB")
        return device

    def _returned(self, worker: Worker, admin: client.Admin, device: str | None) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while True:
            event = worker.next(deadline, "Connected")
            if event["event"] == "qr":
                raise DemoError("the worker shows a QR code: the login was lost")
            if event["event"] == "state" and event["state"] == "Connected":
                break
        (linked,) = [found for found in admin.devices(PHONE) if found.linked]
        if linked.id != device or linked.two_browsers:
            raise DemoError("the account connected on another device, or in two browsers at once")
        self._console.say(f"    the same device, account {event['account']}")
