"""Play the kubelet for a real worker process: start it as its pod says, and hold the way to the API server closed."""

import contextlib
import json
import pathlib
import socket
import threading
from collections.abc import Mapping
from types import MappingProxyType

from component import workers
from component.workers import wait
from functional.worker import Worker
from functional.world import Place
from scenes.ports import free_port
from whatsapp_session import names

SESSION = "support"


class Cluster:
    """Start the worker of a pod as its kubelet would: its environment, its token, its files."""

    def __init__(self, place: Place, home: workers.Home) -> None:
        self.place = place
        self.home = home

    def start(
        self, pod: Worker, door: "Door | None" = None, env: Mapping[str, str] = MappingProxyType({})
    ) -> workers.Worker:
        container = next(c for c in pod.pod["spec"]["containers"] if c["name"] == names.WORKER_CONTAINER)
        fields = {
            "metadata.name": pod.pod["metadata"]["name"],
            "metadata.uid": pod.uid,
            "metadata.namespace": self.place.name,
            "spec.nodeName": "node",
        }
        told = {
            item["name"]: item.get("value") or fields[item["valueFrom"]["fieldRef"]["fieldPath"]]
            for item in container["env"]
            if "value" in item or "fieldRef" in item.get("valueFrom", {})
        }
        host, port = self.place.world.plane.server.removeprefix("https://").split(":")
        if door is not None:
            host, port = "127.0.0.1", str(door.port)
        told |= {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "WHATSAPP_SERVICE_ACCOUNT_DIR": str(self._account(pod)),
            "WHATSAPP_DATA_PATH": str(self.home.data / pod.uid),
            "WHATSAPP_STORE": f"file:{self.home.store}",
            "WHATSAPP_HEALTH_PORT": str(free_port()),
            "WHATSAPP_BROWSER_ARGS": json.dumps(self.home.simulator.browser_args()),
        }
        pod.runs()
        return self.home.spawn([workers.COMMAND, "run"], {**told, **env})

    def _account(self, pod: Worker) -> pathlib.Path:
        folder = self.home.root / f"account-{pod.uid}"
        folder.mkdir(parents=True, exist_ok=True)
        account = pod.pod["spec"]["serviceAccountName"]
        (folder / "token").write_text(self.place.world.token(self.place.name, account, pod.pod))
        (folder / "ca.crt").write_bytes(pathlib.Path(self.place.world.plane.api.authority).read_bytes())
        return folder

    def session(self) -> dict[str, object]:
        return dict(self.place.status(SESSION).get("session") or {})

    def wait_state(self, state: str, pod: Worker | None = None) -> dict[str, object]:
        """Wait until a worker, that of the pod if one is given, says that it is in this state; returns what it says."""

        def found() -> dict[str, object] | None:
            session = self.session()
            return session if session.get("state") == state and (not pod or session.get("podUID") == pod.uid) else None

        said: dict[str, object] = wait(found, lambda: f"{state}; it is {self.session()}\n{self.home.started[-1]}", 120)
        return said


class Door:
    """A way to the API server that is closed until it is opened."""

    def __init__(self, server: str) -> None:
        host, port = server.removeprefix("https://").split(":")
        self._target = (host, int(port))
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets = [self._listener]

    def open(self) -> None:
        """Let everybody through from now on."""
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let nobody through any more."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
