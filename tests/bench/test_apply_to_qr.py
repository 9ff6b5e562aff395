"""How long from ``kubectl apply`` of a session to its QR code, image present, beside the same worker in a plain pod.

The peer is a pod that a person writes by hand: the same image, no operator, no Lease, no store, no status; its first QR
code is read from its log. The ratio is what being a Kubernetes resource costs.
"""

import json
import statistics
import time
from collections.abc import Callable

from deploy.demo.console import wait_for
from deploy.demo.installation import QUICKSTART, SIMULATOR_NAMESPACE
from e2e.world import World

ROUNDS = 5
PEER = "bench-peer"


def _peer_pod(world: World) -> str:
    """Return the manifest of a plain pod that shows a QR code in its log."""
    address = world.kubectl.run(
        "get", "svc", "simulator", "-n", SIMULATOR_NAMESPACE, "-o", "jsonpath={.spec.clusterIP}"
    )
    spki = world.admin.tls().spki
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": PEER, "namespace": "default"},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 0,
                "hostAliases": [{"ip": address, "hostnames": ["web.whatsapp.com"]}],
                "containers": [
                    {
                        "name": "worker",
                        "image": "docker.io/library/whatsapp-session-worker:dev",
                        "imagePullPolicy": "Never",
                        "args": [
                            *("run", "--auth", "none", "--events", "json", "--data-path", "/tmp/profile"),
                            f"--browser-arg=--ignore-certificate-errors-spki-list={spki}",
                        ],
                    }
                ],
            },
        }
    )


def _session_round(world: World) -> float:
    namespace = "bots"
    started = time.monotonic()
    world.kubectl.run("apply", "-f", str(QUICKSTART))

    def code() -> bool | None:
        found = world.kubectl.get("was", "support", namespace) or {}
        return True if ((found.get("status") or {}).get("session") or {}).get("qr") else None

    wait_for("a QR code in the status", code, timeout=120, interval=0.05)
    taken = time.monotonic() - started
    world.kubectl.run("delete", "namespace", namespace, "--timeout=180s", timeout=200)
    return taken


def _peer_round(world: World, manifest: str) -> float:
    started = time.monotonic()
    world.kubectl.apply(manifest)

    def code() -> bool | None:
        phase = world.kubectl.run("get", "pod", PEER, "-n", "default", "-o", "jsonpath={.status.phase}")
        if phase != "Running":
            return None
        return True if '"qr"' in world.kubectl.run("logs", PEER, "-n", "default") else None

    wait_for("a QR code in the plain pod's log", code, timeout=120, interval=0.05)
    taken = time.monotonic() - started
    world.kubectl.run("delete", "pod", PEER, "-n", "default", "--timeout=60s", timeout=70)
    return taken


def test_apply_to_qr(world: World) -> None:
    manifest = _peer_pod(world)
    rounds: list[tuple[str, Callable[[], float]]] = [
        ("session", lambda: _session_round(world)),
        ("plain pod", lambda: _peer_round(world, manifest)),
    ]
    taken: dict[str, list[float]] = {name: [] for name, _ in rounds}
    for _ in range(ROUNDS):
        for name, measure in rounds:
            taken[name].append(measure())
    ours, peer = (statistics.median(taken[name]) for name, _ in rounds)
    print(f"\nfrom kubectl apply to a QR code, image present, median of {ROUNDS}:")
    for name, values in taken.items():
        print(f"  {name:10} {statistics.median(values):5.1f} s   ({', '.join(f'{value:.1f}' for value in values)})")
    print(f"  ratio session / plain pod: {ours / peer:.2f}")
