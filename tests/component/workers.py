"""Worker processes as the component tests use them: started, followed by their events, killed."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from simulator.testing import Running

COMMAND = str(pathlib.Path(sys.executable).parent / "whatsapp-worker")
Event = Mapping[str, Any]


PATIENCE = 120.0
"""Seconds: no goal, but what a machine that others use too may need for a step; whatever comes sooner ends the wait."""
SLOW = ("did not write localStorage", "did not stop for the copy", "the page does not answer")
"""What a save is given up for when the machine is slow; it is tried again, and half a login is never among these."""


def wait(predicate: Callable[[], Any], what: Callable[[], str] | str, seconds: float = PATIENCE) -> Any:
    """Poll until the predicate's result is true and return it; on time-out say what was waited for."""
    end = time.monotonic() + seconds
    while not (found := predicate()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.02)
    return found


def only_slow(reason: str, message: str) -> bool:
    """Tell whether a fault is that of a save which took too long and is tried again, as on a busy machine it may."""
    return reason == "SnapshotFailed" and any(words in message for words in SLOW)


@dataclass
class Worker:
    """One ``whatsapp-worker run --events json`` process."""

    process: subprocess.Popen[str]
    log: pathlib.Path
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self) -> None:
        for line in self.process.stdout or ():
            self.events.append(json.loads(line))

    def all(self, name: str, after: int = 0, **fields: object) -> list[Event]:
        """Return the events of a name whose fields have these values."""
        return [
            event
            for event in self.events[after:]
            if event["event"] == name and all(event.get(key) == value for key, value in fields.items())
        ]

    def faults(self) -> list[Event]:
        """Return the faults it told, without those of saves that only took too long."""
        return [event for event in self.all("fault") if not only_slow(event["reason"], event["message"])]

    def wait(self, name: str, after: int = 0, seconds: float = PATIENCE, **fields: object) -> Event:
        """Wait for an event and return it."""

        def found() -> Event | None:
            # In this order: what it said before it ended has been read by then.
            ended = self.process.poll() is not None and not self._reader.is_alive()
            hits = self.all(name, after, **fields)
            if not hits and ended:
                raise AssertionError(f"the worker ended with {self.process.returncode} before {name} {fields}:\n{self}")
            return hits[0] if hits else None

        event: Event = wait(found, lambda: f"{name} {fields}; seen:\n{self}", seconds)
        return event

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker's process only."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the worker as a node's loss would: no last word."""
        self.process.kill()
        self.process.wait(30)

    def stop(self, seconds: float = PATIENCE) -> int:
        """Stop it cleanly; returns the exit code."""
        self.process.terminate()
        return self.exit_code(seconds)

    def exit_code(self, seconds: float = PATIENCE) -> int:
        """Wait until it has ended by itself, and all that it said has been read; returns the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code

    def close(self) -> None:
        """Close what it wrote to, unless a process that it left behind still holds that open."""
        self._reader.join(10)
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()

    @property
    def mark(self) -> int:
        """Position in the events, for ``after``."""
        return len(self.events)

    def __str__(self) -> str:
        shown = [
            {**event, "code": "..."} if "code" in event and event["event"] == "qr" else event for event in self.events
        ]
        lines = [json.dumps(event) for event in shown if event["event"] != "loading_screen"]
        return "\n".join(lines[-40:]) + "\n" + self.log.read_text()[-4000:]


@dataclass
class Text:
    """A worker whose output is for people."""

    process: subprocess.Popen[str]
    log: pathlib.Path

    def text(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text()


@dataclass
class Home:
    """Where workers of one session live: a store and data directories below one temporary directory."""

    root: pathlib.Path
    simulator: Running
    client_id: str = "support"
    started: list[Worker] = field(default_factory=list)

    @property
    def store(self) -> pathlib.Path:
        """The store's directory."""
        return self.root / "store"

    @property
    def data(self) -> pathlib.Path:
        """The data directory that workers use unless told otherwise."""
        return self.root / "data"

    @property
    def session(self) -> pathlib.Path:
        """The session's folder in the store."""
        return self.store / f"RemoteAuth-{self.client_id}"

    @property
    def profile(self) -> pathlib.Path:
        """The browser's profile."""
        return self.data / f"RemoteAuth-{self.client_id}"

    def records(self) -> list[dict[str, Any]]:
        """Return the log."""
        return [json.loads(path.read_text()) for path in sorted((self.session / "log").glob("*.json"))]

    def kinds(self) -> list[str]:
        """Return the kinds of the log's records, in order."""
        return [str(record["kind"]) for record in self.records()]

    def archives(self) -> list[pathlib.Path]:
        """Return the archives in the store, oldest first."""
        return sorted((self.session / "archives").glob("*.zip"))

    def start(self, *flags: str, env: Mapping[str, str] | None = None, data: pathlib.Path | None = None) -> Worker:
        """Start a worker with RemoteAuth on this home's store."""
        remote = ["--auth", "remote", "--store", f"file:{self.store}", "--client-id", self.client_id]
        return self.run(*remote, "--data-path", str(data or self.data), *flags, env=env)

    def run(self, *flags: str, env: Mapping[str, str] | None = None) -> Worker:
        """Start a worker with these flags and the way to the simulator."""
        arguments = [f"--browser-arg={argument}" for argument in self.simulator.browser_args()]
        return self.spawn([COMMAND, "run", "--events", "json", "--log-level", "info", *flags, *arguments], env)

    def spawn(self, command: list[str], env: Mapping[str, str] | None = None) -> Worker:
        """Start a process whose standard output is events."""
        self.root.mkdir(parents=True, exist_ok=True)
        log = self.root / f"worker-{len(self.started)}.log"
        with log.open("w") as stream:
            environment = {**os.environ, **(env or {})}
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stream, text=True, env=environment, process_group=0
            )
        worker = Worker(process, log)
        self.started.append(worker)
        return worker

    def spawn_text(self, *arguments: str) -> "Text":
        """Start a worker as a person would; its output is text."""
        self.root.mkdir(parents=True, exist_ok=True)
        log = self.root / f"worker-{len(self.started)}.log"
        way = [f"--browser-arg={argument}" for argument in self.simulator.browser_args()]
        with log.open("w") as stream:
            process = subprocess.Popen(
                [COMMAND, *arguments, *way], stdout=stream, stderr=stream, text=True, cwd=self.root, env=os.environ
            )
        self.started.append(Worker(process, log))
        return Text(process, log)

    def link(self, worker: Worker, phone: str = "alice", after: int = 0) -> str:
        """Scan the worker's code; returns the device."""
        code = worker.wait("qr", after)["code"]
        device = self.simulator.admin.scan(phone, code)
        assert device is not None
        return device

    def linked(self, *flags: str) -> tuple[Worker, str]:
        """Start a worker, link it and wait until its login is saved."""
        worker = self.start(*flags)
        device = self.link(worker)
        worker.wait("saved")
        return worker, device

    def news(self, device: str, text: str = "news", seconds: float = PATIENCE) -> None:
        """Let a message come to a device, which changes its profile, and wait until the page has it on disk."""
        admin = self.simulator.admin
        admin.write(admin.device(device).phone, "4917012345678", text)
        wait(lambda: admin.device(device).undelivered == 0, f"{text!r} to arrive", seconds)

    def assert_whole(self, device: str) -> None:
        """Let the page recompute every checksum of what it holds."""
        report = self.simulator.admin.verify(device)
        assert report["ok"], report
        assert report["bad"] == 0, report
        assert report["missing"] == 0, report

    def browsers(self) -> list[psutil.Process]:
        """Return the browsers whose profile lies below this home."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(argument.startswith(f"--user-data-dir={self.root}") for argument in process.cmdline()):
                    found.append(process)
        return found

    def wait_for_browsers_to_end(self) -> None:
        """Wait until the browsers of killed workers have followed them."""
        wait(lambda: not self.browsers(), "the browser to end")

    def end(self) -> None:
        """Kill what still runs, and wait until the browsers have gone: the simulator outlives its connections.

        They would follow their worker; nobody looks at that here, and a kill is sooner done.
        """
        for worker in self.started:
            if worker.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
                worker.process.wait(30)
        for _ in range(3):  # one that was just being started is found at the second look
            left = self.browsers()
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=10)
        for worker in self.started:
            worker.close()


@contextlib.contextmanager
def home_at(root: pathlib.Path, simulator: Running) -> Iterator[Home]:
    """Yield a home whose workers are killed at the end."""
    home = Home(root, simulator)
    try:
        yield home
    finally:
        home.end()


def lose_everything_but_the_store(home: Home, worker: Worker) -> None:
    """Kill the worker and remove its directory."""
    worker.kill()
    home.wait_for_browsers_to_end()
    shutil.rmtree(home.data)
