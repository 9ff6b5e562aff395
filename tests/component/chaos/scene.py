"""The whole: a control plane, an operator, a node, three stores, a site; and what can be broken of it."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from component import mounts, workers
from component.chaos import machines, node, wire
from component.stores import servers
from component.workers import wait
from functional.callers import Manifest
from functional.conftest import INSTALL, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, installed
from functional.world import Place
from scenes import wrong_clock
from simulator import client
from simulator.testing import Running

KINDS = ("filesystem", "s3", "mongodb")
_BIN = pathlib.Path(sys.executable).parent
_PROCESS = pathlib.Path(__file__).with_name("worker_process.py")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    sessions: int
    poll_seconds: int
    lease: str


@dataclass
class Scene:
    """Everything that runs; `broken` counts what is out of order at present."""

    place: Place
    home: workers.Home
    size: Size
    shared: mounts.MountNamespace
    clock: wrong_clock.Clock
    wires: dict[str, wire.Wire]
    servers: dict[str, machines.Machine]
    kubelet: node.Node = field(init=False)
    devices: dict[str, str] = field(default_factory=dict)
    mounted: bool = False

    def names(self) -> list[str]:
        """The sessions; the store of each goes round the kinds."""
        return [f"{KINDS[number % len(KINDS)]}-{number}" for number in range(self.size.sessions)]

    def mount(self) -> None:
        """Put the directory store in place."""
        if not self.mounted:
            self.shared.run("mount", "--bind", str(self.home.root / "disk"), str(self.home.store))
            self.mounted = True

    def unmount(self) -> None:
        """Take it away under those who use it, as a network file system goes."""
        if self.mounted:
            self.shared.run("umount", "--lazy", str(self.home.store))
            self.mounted = False

    def start(self, pod: Manifest, env: Mapping[str, str], folder: pathlib.Path) -> workers.Text:
        """Start a container's process."""
        kind = pod["metadata"]["labels"].get("whatsapp-operator.dev/store", "")
        secrets = {"WHATSAPP_STORE_SECRETS": str(self.home.root / f"secrets-{kind}")}
        s3 = f"s3:{servers.BUCKET}?region=us-east-1&endpoint=http://127.0.0.1:{self.wires['s3'].port}&forcePathStyle=true"
        stores = {
            "filesystem": {"WHATSAPP_STORE": f"file:{self.home.store}"},
            "s3": {"WHATSAPP_STORE": s3, **secrets},
            "mongodb": {"WHATSAPP_STORE": "mongodb:sessions", **secrets},
        }
        more = {"WHATSAPP_BROWSER_ARGS": json.dumps(self.home.simulator.browser_args()), **self.clock.environment()}
        arguments = pod["spec"]["containers"][0]["args"]
        command = [
            sys.executable,
            str(_PROCESS),
            str(self.size.poll_seconds),
            str(folder / node.LAST_WORDS),
            *arguments,
        ]
        log = folder / f"log-{len(list(folder.glob('log-*')))}"
        with log.open("w") as stream:
            process = subprocess.Popen(
                self.shared.command(*command),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                text=True,
                process_group=0,
                env={**os.environ, **env, **stores.get(kind, {}), **more},
            )
        return workers.Text(process, log)

    def create(self) -> None:
        """Create stores and sessions."""
        self.place.store("filesystem")
        self.place.store("s3", s3={"bucket": servers.BUCKET})
        self.place.store("mongodb", mongodb={"database": "sessions", "uriSecretRef": {"name": "mongo", "key": "uri"}})
        for name in self.names():
            kind = name.partition("-")[0]
            remote = {"storeRef": {"name": kind}, "backupSyncInterval": "60s"}
            spec = {"auth": {"strategy": "RemoteAuth", "remoteAuth": remote}}
            self.place.session(name, **spec, failover={"leaseDuration": self.size.lease})

    def session(self, name: str) -> Manifest:
        """Return what the worker of a session says."""
        return dict(self.place.status(name).get("session") or {})

    def link(self, name: str) -> None:
        """Scan the code of a session with a phone of its own, and wait until the login is saved."""

        def scanned() -> str | None:
            shown = self.session(name).get("qr")
            with contextlib.suppress(client.RefusedError):
                return self.home.simulator.admin.scan(name, shown["code"]) if isinstance(shown, dict) else None
            return None

        self.devices[name] = str(wait(scanned, lambda: f"a code of {name}\n{self.told(name)}", 300))
        wait(lambda: self.session(name).get("saved"), lambda: f"the first save of {name}\n{self.told(name)}", 300)

    def told(self, name: str) -> str:
        """Return what is known of a session, for a failure; no code among it."""
        status = self.place.status(name)
        session = {key: value for key, value in (status.get("session") or {}).items() if key != "qr"}
        unit = self.kubelet.unit(name)
        return json.dumps({**status, "session": session}, indent=1) + (node.said(unit) if unit else "no pod runs")

    def settled(self, name: str) -> str:
        """Return what is not yet as it must be of a session, "" if all is."""
        status = self.place.status(name)
        said = dict(status.get("session") or {})
        device = self.home.simulator.admin.device(self.devices[name])
        unit = self.kubelet.unit(name)
        facts = {
            "phase": status.get("phase") == "Connected",
            "state": said.get("state") == "Connected",
            "pod": unit is not None and said.get("podUID") == unit.uid,
            "device on line": device.online and device.synced and device.linked,
            "account": _alike(str((said.get("account") or {}).get("id")), device.wid),
        }
        return ", ".join(fact for fact, is_so in facts.items() if not is_so)

    def two_browsers(self) -> int:
        """How often the simulator has seen two browsers on one login."""
        return self.home.simulator.admin.counts().get("two_browsers", 0)


def _alike(masked: str, wid: str) -> bool:
    """Tell whether a masked account can be this one."""
    begin, stars, end = masked.partition("***")
    return bool(stars) and wid.startswith(begin) and wid.endswith(end)


@contextlib.contextmanager
def running(root: pathlib.Path, simulator: Running, size: Size) -> Iterator[Scene]:
    """Run all of it."""
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(installed(root / "plane", INSTALL))
        home = stack.enter_context(workers.home_at(root / "home", simulator))
        for folder in ("disk", "store"):
            (home.root / folder).mkdir(parents=True)
        port = urlsplit(world.plane.server).port
        assert port is not None
        made = {"s3": machines.s3(root / "s3"), "mongodb": machines.mongo(root / "mongodb")}
        made["api"] = machines.api_server(world.plane.directory, port)
        wires = {"api": wire.Wire(port), "s3": wire.Wire(made["s3"].port), "mongodb": wire.Wire(made["mongodb"].port)}
        for each in wires.values():
            stack.callback(each.close)
        servers.write_s3_secrets(home.root / "secrets-s3")
        servers.write_mongo_secrets(home.root / "secrets-mongodb", f"mongodb://127.0.0.1:{wires['mongodb'].port}/")
        token = world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
        file = world.kubeconfig(root, token)
        file.write_text(file.read_text().replace(f":{port}", f":{wires['api'].port}"))
        line = [str(_BIN / "whatsapp-operator"), "run", "--worker-image=worker:1", f"--kubeconfig={file}"]
        made["operator"] = machines.Machine("operator", line, root / "operator.log")
        clock = wrong_clock.Clock(root / "clock")
        clock.set(0)
        scene = Scene(world.namespace(), home, size, stack.enter_context(mounts.namespace()), clock, wires, made)
        scene.mount()
        for machine in made.values():
            stack.callback(machine.kill)
            machine.start()
        scene.kubelet = node.Node(scene.place, home.root / "pods", lambda: wires["api"].port, scene.start, clock.ahead)
        stack.callback(scene.kubelet.close)
        yield scene


def watch(scene: Scene, seconds: float) -> None:
    """Let so many seconds of the run pass, in which the simulator must not see two browsers on one login."""
    end = time.monotonic() + seconds
    while True:
        assert scene.two_browsers() == 0, "two browsers on one login"
        assert not scene.kubelet.failures, scene.kubelet.failures
        if time.monotonic() >= end:
            return
        time.sleep(0.2)
