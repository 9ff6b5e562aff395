"""What may happen, how it ends, and a schedule of it from a seed."""

import pathlib
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from component.chaos import node
from component.chaos.scene import Scene
from scenes.wrong_clock import DAY, HOUR
from whatsapp_session import names

Act = Callable[[Scene, str], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that strikes a session or a part that all share, and how it is restored."""

    name: str
    strike: Act
    restore: Act = lambda scene, session: None
    soak: bool = False
    """Whether it takes longer than a short run has."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault at a time of the run (seconds), for so long, on a session where that matters."""

    at: float
    lasts: float
    fault: Fault
    session: str

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.fault.name} ({self.session}) for {self.lasts:.1f} s"


def _kill_worker(scene: Scene, session: str) -> None:
    with scene.kubelet.hand:
        if unit := scene.kubelet.unit(session):
            assert unit.process is not None
            unit.process.process.kill()


def _stop_worker(scene: Scene, session: str) -> None:
    if unit := scene.kubelet.unit(session):
        assert unit.process is not None
        unit.process.process.send_signal(signal.SIGSTOP)


def _continue_worker(scene: Scene, session: str) -> None:
    with scene.kubelet.hand:
        for unit in scene.kubelet.units.values():
            if unit.name == names.pod(session) and unit.runs:
                assert unit.process is not None
                unit.process.process.send_signal(signal.SIGCONT)


def _folder(scene: Scene, session: str) -> pathlib.Path | None:
    unit = scene.kubelet.unit(session)
    return scene.kubelet.root / unit.uid if unit else None


def _kill_browser(scene: Scene, session: str) -> None:
    if folder := _folder(scene, session):
        for process in node.browsers(folder):
            try:
                process.kill()
            except psutil.Error:
                continue


def _lose_pod(scene: Scene, session: str) -> None:
    """Take a pod with its node: nothing of it runs or lies anywhere any more, and it is removed by force."""
    with scene.kubelet.hand:
        if unit := scene.kubelet.unit(session):
            _kill_worker(scene, session)
            _kill_browser(scene, session)
            shutil.rmtree(scene.kubelet.root / unit.uid, ignore_errors=True)
            scene.place.admin.delete("Pod", scene.place.name, unit.name, grace=0)


def _delete_pod(scene: Scene, session: str) -> None:
    scene.place.admin.delete("Pod", scene.place.name, names.pod(session))


def _server(name: str) -> tuple[Act, Act]:
    return lambda scene, _: scene.servers[name].kill(), lambda scene, _: scene.servers[name].start()


def _wire(name: str) -> tuple[Act, Act]:
    return lambda scene, _: scene.wires[name].cut(), lambda scene, _: scene.wires[name].mend()


def _site(up: bool) -> Act:
    return lambda scene, _: scene.home.simulator.admin.set_network(up)


def _clock(ahead: float) -> Act:
    return lambda scene, _: scene.clock.set(ahead)


ALL = (
    Fault("worker killed", _kill_worker),
    Fault("browser killed", _kill_browser),
    Fault("pod deleted", _delete_pod),
    Fault("pod lost with its node", _lose_pod, soak=True),
    Fault("worker stands still", _stop_worker, _continue_worker, soak=True),
    Fault("operator killed", *_server("operator")),
    Fault("API server killed", *_server("api")),
    Fault("S3 server killed", *_server("s3")),
    Fault("MongoDB server killed", *_server("mongodb")),
    Fault("mount gone", lambda scene, _: scene.unmount(), lambda scene, _: scene.mount()),
    Fault("no network to the API server", *_wire("api")),
    Fault("no network to the S3 server", *_wire("s3")),
    Fault("no network to the MongoDB server", *_wire("mongodb")),
    Fault("no network to WhatsApp Web", _site(False), _site(True)),
    Fault("clock 26 h behind", _clock(-26 * HOUR), _clock(0)),
    Fault("clock 3 days ahead", _clock(3 * DAY), _clock(0)),
)


def schedule(chance: random.Random, sessions: list[str], count: int, soak: bool) -> list[Planned]:
    """Return faults with gaps between them and lengths, in order of time; each kind comes before any comes again."""
    planned: list[Planned] = []
    at, left = 0.0, list[Fault]()
    while len(planned) < count:
        if not left:
            left = [fault for fault in ALL if soak or not fault.soak]
            chance.shuffle(left)
        at += chance.uniform(0, 15 if soak else 4)
        lasts = chance.choice((chance.uniform(1, 10), chance.uniform(10, 100))) if soak else chance.uniform(1, 6)
        planned.append(Planned(at, lasts, left.pop(), chance.choice(sessions)))
    return planned


def end_all(scene: Scene) -> None:
    """Restore everything, whatever struck."""
    for machine in scene.servers.values():
        machine.start()
    for each in scene.wires.values():
        each.mend()
    scene.mount()
    scene.clock.set(0)
    scene.home.simulator.admin.set_network(True)
    for session in scene.names():
        _continue_worker(scene, session)
