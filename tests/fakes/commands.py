"""A machine with a container engine and kind: what the provider `kind` sees of it through Commands."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import LocalClusterError


@dataclass
class FakeCommands:
    """`clusters` holds the containers of each cluster and whether each runs, `images` what `ctr images ls` prints."""

    programs: set[str] = field(default_factory=set)
    engines: set[str] = field(default_factory=set)
    clusters: dict[str, dict[str, bool]] = field(default_factory=dict)
    images: str = ""
    pull_fails: bool = False
    crashes: bool = False
    calls: list[list[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def find(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self.programs else None

    def succeeds(self, command: Sequence[str], timeout: float = 300) -> bool:
        return command[0] in self.programs and command[0] in self.engines

    def output(
        self, command: Sequence[str], what: str, stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> str:
        self.calls.append(list(command))
        program = Path(command[0]).name
        if program not in self.programs:
            raise LocalClusterError(f"{what} failed: {program} is not installed")
        match [program, *command[1:]]:
            case [engine, "ps", *options] if engine in self.engines:
                return self._listed(options)
            case [engine, "exec", _, "ctr", *_] if engine in self.engines:
                return self.images
            case ["kind", "create", "cluster", "--name", name, "--kubeconfig", kubeconfig, *_]:
                self.environments.append(environment or {})
                self._create(name, Path(kubeconfig), stdin, what)
            case ["kind", "delete", "cluster", "--name", name, *_]:
                self.clusters.pop(name, None)
            case ["kind", "load", "image-archive", *_]:
                pass
            case unknown:
                raise LocalClusterError(f"{what} failed: unknown command {unknown}")
        return ""

    def loaded(self) -> list[str]:
        """Return the archives that were imported."""
        return [call[3] for call in self.calls if call[1:3] == ["load", "image-archive"]]

    def _listed(self, options: Sequence[str]) -> str:
        (label,) = [option for option in options if option.startswith("label=io.x-k8s.kind.cluster=")]
        containers = self.clusters.get(label.rpartition("=")[2], {})
        return "".join(f"{name}\n" for name, runs in containers.items() if runs or "status=running" not in options)

    def _create(self, name: str, kubeconfig: Path, configuration: str, what: str) -> None:
        if self.pull_fails:
            raise LocalClusterError(f"{what} failed: ERROR: failed to pull image")
        if self.clusters.get(name):
            raise LocalClusterError(f'{what} failed: ERROR: node(s) already exist for a cluster with the name "{name}"')
        roles = [node["role"] for node in json.loads(configuration)["nodes"]]
        numbered = [f"{name}-{role}{roles[:place].count(role) + 1}" for place, role in enumerate(roles)]
        self.clusters[name] = {one.removesuffix("1"): not self.crashes for one in numbered}
        kubeconfig.write_text("kubeconfig")
