"""Play the kubelet of one node: run the processes of the pods that the operator makes, as their specs say."""

import contextlib
import http.client
import pathlib
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from component import workers
from component.processes import is_root
from functional.callers import ApiError, Manifest
from functional.worker import Worker, ready, stamp
from functional.world import Place
from scenes.ports import free_port
from whatsapp_session import names
from whatsapp_worker.system import restart_count

LOOK = 0.3
LAST_WORDS = "termination-log"
"""File in a pod's folder."""
LONGEST_PAUSE = 8.0
"""Seconds before a container is started again; the kubelet's grow to five minutes."""
Start = Callable[[Manifest, Mapping[str, str], pathlib.Path], workers.Text]


@dataclass
class Unit:
    """A pod that this node runs."""

    pod: Manifest
    process: workers.Text | None = None
    restarts: int = 0
    start_at: float = 0.0
    deadline: float = 0.0
    """When a pod that is being deleted is killed, 0 = it is not."""
    over: bool = False
    logs: list[pathlib.Path] = field(default_factory=list)

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.process.poll() is None


class Node:
    """Look at the pods of a namespace again and again; `hand` is held while something is done to them."""

    def __init__(
        self, place: Place, root: pathlib.Path, api_port: Callable[[], int], start: Start, ahead: Callable[[], float]
    ) -> None:
        self.place = place
        self.root = root
        self.units: dict[str, Unit] = {}
        self.hand = threading.RLock()
        self.failures: list[str] = []
        self._api_port = api_port
        self._start = start
        self._ahead = ahead
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet")
        self._thread.start()

    def close(self) -> None:
        """Look no more, and end what runs."""
        self._ended.set()
        self._thread.join(60)
        for unit in self.units.values():
            if unit.process is not None:
                unit.process.process.kill()
                unit.process.process.wait(30)
            self._empty(unit)
            restart_count.file(unit.uid).unlink(missing_ok=True)

    def unit(self, session: str) -> Unit | None:
        """Return what runs of a session."""
        with self.hand:
            found = [unit for unit in self.units.values() if unit.name == names.pod(session) and unit.runs]
        return found[0] if found else None

    def _run(self) -> None:
        while not self._ended.wait(LOOK):
            try:
                with self.hand:
                    self._look()
            except (ApiError, OSError, http.client.HTTPException):
                continue  # the API server does not answer, or the pod has changed meanwhile
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")

    def _look(self) -> None:
        pods = {pod["metadata"]["uid"]: pod for pod in self.place.admin.items("Pod", self.place.name)}
        for uid, pod in pods.items():
            unit = self.units.setdefault(uid, Unit(pod))
            unit.pod = pod
            self._sync(unit)
        for uid in self.units.keys() - pods.keys():
            self._vanished(self.units[uid])

    def _sync(self, unit: Unit) -> None:
        if unit.pod["metadata"].get("deletionTimestamp"):
            self._end(unit)
        elif unit.over:
            return
        elif unit.process is None:
            self._begin(unit)
        elif not unit.runs:
            self._ended_by_itself(unit)

    def _begin(self, unit: Unit) -> None:
        worker = self._worker(unit)
        if not unit.pod["spec"].get("nodeName"):
            with contextlib.suppress(ApiError):
                worker.bind()
        running = {"running": {"startedAt": self._stamp()}}
        unit.process = self._start(unit.pod, self._environment(unit), self.root / unit.uid)
        unit.logs.append(unit.process.log)
        unit.start_at = time.monotonic()
        self._say(unit, "Running", running)

    def _ended_by_itself(self, unit: Unit) -> None:
        assert unit.process is not None
        code = unit.process.process.poll()
        assert code is not None
        exit_code = 128 - code if code < 0 else code
        ended = {
            "exitCode": exit_code,
            "startedAt": self._stamp(-2),
            "finishedAt": self._stamp(),
            "message": self._words(unit),
        }
        policy = unit.pod["spec"].get("restartPolicy")
        if policy == "Never" or (policy == "OnFailure" and exit_code == 0):
            self._say(unit, "Failed" if exit_code else "Succeeded", {"terminated": ended})
            unit.over = True
            return
        self._empty(unit)
        pause = min(2.0**unit.restarts, LONGEST_PAUSE)
        if time.monotonic() - unit.start_at < pause:
            return
        unit.restarts += 1
        unit.process = None
        (self.root / unit.uid / LAST_WORDS).unlink(missing_ok=True)
        running = {"running": {"startedAt": self._stamp()}}
        unit.process = self._start(unit.pod, self._environment(unit), self.root / unit.uid)
        unit.logs.append(unit.process.log)
        unit.start_at = time.monotonic()
        self._say(unit, "Running", running, {"terminated": ended})

    def _end(self, unit: Unit) -> None:
        if unit.runs:
            assert unit.process is not None
            if not unit.deadline:
                unit.deadline = time.monotonic() + float(unit.pod["spec"]["terminationGracePeriodSeconds"])
                unit.process.process.terminate()
            elif time.monotonic() > unit.deadline:
                unit.process.process.kill()
            return
        if unit.process is not None and not unit.over:
            code = unit.process.process.poll() or 0
            ended = {
                "exitCode": 128 - code if code < 0 else code,
                "startedAt": self._stamp(-2),
                "finishedAt": self._stamp(),
            }
            ended["message"] = self._words(unit)
            self._say(unit, "Failed" if code else "Succeeded", {"terminated": ended})
            unit.over = True
        metadata = unit.pod["metadata"]
        self.place.admin.delete("Pod", self.place.name, metadata["name"], grace=0)
        self._forget(unit)

    def _vanished(self, unit: Unit) -> None:
        """End what a pod left that was removed by force, as a kubelet does that comes back."""
        if unit.runs:
            assert unit.process is not None
            unit.process.process.kill()
        self._forget(unit)

    def _empty(self, unit: Unit) -> None:
        """End what a container's first process left behind, as the kernel does with a process namespace."""
        for process in browsers(self.root / unit.uid):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _words(self, unit: Unit) -> str:
        """Return the termination message of a container that has ended."""
        path = self.root / unit.uid / LAST_WORDS
        return path.read_text()[:4096] if path.exists() else ""

    def _forget(self, unit: Unit) -> None:
        self._empty(unit)
        self.units.pop(unit.uid, None)
        restart_count.file(unit.uid).unlink(missing_ok=True)
        shutil.rmtree(self.root / unit.uid, ignore_errors=True)

    def _stamp(self, offset: float = 0.0) -> str:
        """Return the time by this node's clock, which its processes see too."""
        return stamp(self._ahead() + offset)

    def _worker(self, unit: Unit) -> Worker:
        return Worker(self.place, unit.name.removeprefix("wa-"), unit.pod)

    def _say(self, unit: Unit, phase: str, state: Manifest, last: Manifest | None = None) -> None:
        container = {
            "name": unit.pod["spec"]["containers"][0]["name"],
            "image": "worker",
            "imageID": "",
            "ready": "running" in state,
            "restartCount": unit.restarts,
            "state": state,
            "lastState": last or {},
        }
        status = {"phase": phase, "conditions": ready("running" in state), "containerStatuses": [container]}
        self.place.admin.merge("Pod", self.place.name, unit.name, {"status": status}, "status")

    def _environment(self, unit: Unit) -> dict[str, str]:
        container: Any = unit.pod["spec"]["containers"][0]
        fields = {
            "metadata.name": unit.name,
            "metadata.uid": unit.uid,
            "metadata.namespace": self.place.name,
            "spec.nodeName": "node",
        }
        env = {item["name"]: item.get("value", "") or fields.get(_field(item), "") for item in container["env"]}
        return env | {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self._api_port()),
            "WHATSAPP_SERVICE_ACCOUNT_DIR": str(self._account(unit)),
            "WHATSAPP_DATA_PATH": str(self.root / unit.uid / "data"),
            "WHATSAPP_HEALTH_PORT": str(free_port()),
        }

    def _account(self, unit: Unit) -> pathlib.Path:
        folder = self.root / unit.uid / "account"
        folder.mkdir(parents=True, exist_ok=True)
        token = folder / "token"
        if not token.exists():
            account = unit.pod["spec"]["serviceAccountName"]
            token.write_text(self.place.world.token(self.place.name, account, unit.pod))
            (folder / "ca.crt").write_bytes(pathlib.Path(self.place.world.plane.api.authority).read_bytes())
        return folder


def _field(item: Mapping[str, Any]) -> str:
    return str(item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", ""))


def browsers(folder: pathlib.Path) -> list[psutil.Process]:
    """Return the first processes of the browsers whose profile lies in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if any(word.startswith(f"--user-data-dir={folder}") for word in command) and is_root(process):
                found.append(process)
    return found


def said(unit: Unit) -> str:
    """Return the end of what a pod's processes have logged."""
    return "\n".join(log.read_text()[-3000:] for log in unit.logs[-2:])
