"""Install simulator and product in a cluster, for the demo and the end-to-end tests.

The samples name the real site. The chart's values give each worker the simulator's address and the hash of its key, so
the samples are applied unchanged.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.kubectl import Kubectl, run
from simulator import client, tls

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "whatsapp-session-operator"
QUICKSTART = ROOT / "deploy" / "samples" / "quickstart.yaml"
RELEASE = "whatsapp-session-operator"
NAMESPACE = "whatsapp-operator"
SIMULATOR_NAMESPACE = "whatsapp-simulator"
TAG = "dev"


@dataclass(frozen=True, slots=True)
class Simulator:
    """The simulator inside a cluster: service address, key hash, and the phones' API on this machine."""

    service_ip: str
    spki: str
    admin: client.Admin


@contextmanager
def simulator(kubectl: Kubectl) -> Iterator[Simulator]:
    """Deploy the simulator, wait until it serves, and forward its admin port while the block runs."""
    kubectl.apply((Path(__file__).parent / "simulator.yaml").read_text())
    kubectl.run("rollout", "status", "deployment/simulator", "-n", SIMULATOR_NAMESPACE, "--timeout=120s", timeout=130)
    service_ip = kubectl.run(
        "get", "service", "simulator", "-n", SIMULATOR_NAMESPACE, "-o", "jsonpath={.spec.clusterIP}"
    )
    with kubectl.port_forward("svc/simulator", SIMULATOR_NAMESPACE, 80) as url:
        admin = client.Admin(url)
        yield Simulator(service_ip, admin.tls().spki, admin)


def install_chart(
    helm: Path, kubectl: Kubectl, target: Simulator, archives: Sequence[Path], more: Mapping[str, Any] | None = None
) -> None:
    """Install or upgrade the chart, workers pointed at the simulator, and wait until the operator is ready.

    The images keep one tag, so the archives' names (they hold a digest of the content) say whether to restart. ``more``
    are further values.
    """
    values: dict[str, Any] = {
        **(more or {}),
        "podAnnotations": {"whatsapp-operator.dev/images": " ".join(sorted(archive.stem for archive in archives))},
        "image": {"repository": "docker.io/library/whatsapp-session-operator", "tag": TAG, "pullPolicy": "Never"},
        "worker": {
            "image": {"repository": "docker.io/library/whatsapp-session-worker", "tag": TAG, "pullPolicy": "Never"},
            "hostAliases": [{"ip": target.service_ip, "hostnames": [tls.ORIGIN_HOST]}],
            "extraBrowserArgs": [f"--ignore-certificate-errors-spki-list={target.spki}"],
        },
    }
    command = [str(helm), "--kubeconfig", str(kubectl.kubeconfig), "upgrade", "--install", RELEASE, str(CHART)]
    command += ["--namespace", NAMESPACE, "--create-namespace", "--values", "-", "--wait", "--timeout", "180s"]
    run(command, stdin=json.dumps(values), timeout=200)
