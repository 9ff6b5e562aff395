"""Build images with docker where its engine answers, else with buildah."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local import cache, container_engine, progress
from deploy.local.build import debian_packages
from deploy.local.commands import SYSTEM

BASE = "debian:bookworm-slim"
BASE_REFERENCE = f"docker.io/library/{BASE}"
_CA_IN_BUILD = "/etc/ssl/build-ca.crt"
# Settings of pip that a build takes from the environment, by their names in pip.conf.
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "default-timeout", "proxy", "retries")
_CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# As in Debian's own slim image: no manuals, no translations; licences are kept.
_SLIM = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)


_NO_ARGUMENTS: Mapping[str, str] = {}


class Builder(Protocol):
    """Builds images from Dockerfiles. Errors: LocalClusterError."""

    def base(self) -> str:
        """Make the base image available; return the identity of its content."""
        ...

    def build(
        self, context: Path, dockerfile: str, reference: str, arguments: Mapping[str, str] = _NO_ARGUMENTS
    ) -> None:
        """Build the image under its name, with cached layers; ``arguments`` are the Dockerfile's (ARG)."""
        ...

    def load(self, archive: Path, reference: str) -> None:
        """Load the image of an archive that ``export`` wrote, under its name."""
        ...

    def export(self, reference: str, archive: Path) -> None:
        """Write the image to an archive that containerd imports."""
        ...


class ImageStore(Protocol):
    """Holds the images that were built. Errors: LocalClusterError."""

    def sizes(self, references: Sequence[str]) -> dict[str, int]:
        """Return the unpacked bytes of each image that it holds."""
        ...

    def push(self, reference: str, target: str) -> None:
        """Copy an image to a registry under the full name `target`; the login of docker or buildah is used."""
        ...


class ImageBuilder(Builder, ImageStore, Protocol):
    """What docker and buildah have in common."""


def choose(store: cache.Cache) -> ImageBuilder:
    """Return docker if its engine answers, else buildah."""
    if container_engine.answers("docker"):
        return Docker()
    debian_packages.ensure("image")
    return Buildah(store)


def pip_configuration(environ: Mapping[str, str]) -> str:
    """Return a pip.conf for a build: the settings of the environment that are needed to reach an index."""
    lines = ["[global]", "disable-pip-version-check = true"]
    for setting in _PIP_SETTINGS:
        if value := environ.get("PIP_" + setting.upper().replace("-", "_")):
            lines.append(f"{setting} = {value}")
    if authorities(environ):
        lines.append(f"cert = {_CA_IN_BUILD}")
    return "\n".join(lines) + "\n"


def authorities(environ: Mapping[str, str]) -> Path | None:
    """Return the file of certificate authorities that the environment names."""
    named = (Path(environ[name]) for name in _CA_VARIABLES if environ.get(name))
    return next((path for path in named if path.is_file()), None)


@contextmanager
def _secrets() -> Iterator[list[str]]:
    """Give the arguments that pass pip settings and authorities to the build as secrets; no layer keeps them."""
    with tempfile.TemporaryDirectory(prefix="wso-build-") as scratch:
        configuration = Path(scratch) / "pip.conf"
        configuration.write_text(pip_configuration(os.environ))
        arguments = ["--secret", f"id=pip,src={configuration}"]
        if bundle := authorities(os.environ):
            arguments += ["--secret", f"id=ca,src={bundle}"]
        yield arguments


@dataclass(frozen=True, slots=True)
class Buildah:
    """Buildah with its own storage in the cache; it needs no daemon."""

    store: cache.Cache

    def base(self) -> str:
        """Pull the base image; where no registry can be reached, make it from Debian packages."""
        if not self._identity(BASE_REFERENCE) and not SYSTEM.succeeds(self._command("pull", "--quiet", BASE_REFERENCE)):
            with progress.step(self.store.progress, f"making the base image {BASE} from packages", 40):
                self._make_base()
        return self._identity(BASE_REFERENCE)

    def build(
        self, context: Path, dockerfile: str, reference: str, arguments: Mapping[str, str] = _NO_ARGUMENTS
    ) -> None:
        with _secrets() as secrets:
            command = self._command("build", "--isolation", "chroot", "--network", "host", "--layers", "--quiet")
            command += ["--format", "oci", "--file", str(context / dockerfile), "--tag", reference]
            command += [*_build_arguments(arguments), *secrets, str(context)]
            SYSTEM.output(["nice", "-n", "10", *command], f"building {reference}")

    def load(self, archive: Path, reference: str) -> None:
        loaded = SYSTEM.output(
            self._command("pull", "--quiet", f"oci-archive:{archive}"), f"loading {reference}"
        ).split()[-1]
        SYSTEM.output(self._command("tag", loaded, reference), f"tagging {reference}")

    def export(self, reference: str, archive: Path) -> None:
        command = self._command("push", "--quiet", "--compression-format", "zstd", reference)
        SYSTEM.output([*command, f"oci-archive:{archive}:{reference}"], f"exporting {reference}")

    def sizes(self, references: Sequence[str]) -> dict[str, int]:
        found = {}
        for image in json.loads(SYSTEM.output(self._command("images", "--json"), "listing images") or "[]"):
            for name in image.get("names") or []:
                if name in references:
                    found[name] = size_in_bytes(image["size"])
        return found

    def push(self, reference: str, target: str) -> None:
        """Copy the image to a registry; one on the loopback may speak plain HTTP."""
        loopback = target.split(":")[0] in {"127.0.0.1", "localhost"}
        command = self._command("push", "--quiet", *(["--tls-verify=false"] if loopback else []))
        SYSTEM.output([*command, reference, f"docker://{target}"], f"pushing {target}")

    def _identity(self, reference: str) -> str:
        command = self._command("images", "--quiet", "--no-trunc", reference)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def _make_base(self) -> None:
        with tempfile.TemporaryDirectory(prefix="wso-base-") as scratch:
            tarball = Path(scratch) / "base.tar"
            hooks = [f"--customize-hook=rm -rf {' '.join(f'$1{path}' for path in _UNWANTED)}"]
            options = [f"--dpkgopt={line}" for line in _SLIM]
            command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", *options, *hooks]
            SYSTEM.output(["nice", "-n", "10", *command, "bookworm", str(tarball)], f"making {BASE} from packages")
            container = SYSTEM.output(self._command("from", "scratch"), f"making {BASE}").strip()
            try:
                SYSTEM.output(self._command("add", "--quiet", container, str(tarball), "/"), f"filling {BASE}")
                SYSTEM.output(self._command("config", "--cmd", "bash", container), f"configuring {BASE}")
                SYSTEM.output(self._command("commit", "--quiet", container, BASE_REFERENCE), f"committing {BASE}")
            finally:
                SYSTEM.output(self._command("rm", container), "cleaning up")

    def _command(self, verb: str, *arguments: str) -> list[str]:
        own = self.store.image_storage
        # Buildah's networks are not used, but it would create their directory in /etc.
        settings = own / "containers.conf"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(f'[network]\nnetwork_config_dir = "{own / "networks"}"\n')
        storage = ["--root", str(own / "root"), "--runroot", str(own / "run"), "--storage-driver", "overlay"]
        return ["env", f"CONTAINERS_CONF={settings}", "buildah", *storage, verb, *arguments]


_UNWANTED = ("/var/lib/apt/lists/*", "/var/cache/apt/*", "/etc/hostname", "/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Docker:
    """Docker's own builder (BuildKit)."""

    def base(self) -> str:
        """Pull the base image; return its identity."""
        SYSTEM.output(["docker", "pull", "--quiet", BASE], f"pulling {BASE}")
        return SYSTEM.output(["docker", "image", "inspect", "--format", "{{.Id}}", BASE], f"inspecting {BASE}").strip()

    def build(
        self, context: Path, dockerfile: str, reference: str, arguments: Mapping[str, str] = _NO_ARGUMENTS
    ) -> None:
        with _secrets() as secrets:
            command = ["docker", "build", "--quiet", "--file", str(context / dockerfile), "--tag", reference]
            SYSTEM.output([*command, *_build_arguments(arguments), *secrets, str(context)], f"building {reference}")

    def load(self, archive: Path, reference: str) -> None:
        """Load the archive; the image's name is in it."""
        SYSTEM.output(["docker", "load", "--quiet", "--input", str(archive)], f"loading {reference}")

    def export(self, reference: str, archive: Path) -> None:
        SYSTEM.output(["docker", "save", "--output", str(archive), reference], f"exporting {reference}")

    def sizes(self, references: Sequence[str]) -> dict[str, int]:
        inspect = ["docker", "image", "inspect", "--format", "{{.Size}}"]
        return {one: int(SYSTEM.output([*inspect, one], f"inspecting {one}")) for one in references}

    def push(self, reference: str, target: str) -> None:
        """Tag the image with its name in the registry and push it."""
        SYSTEM.output(["docker", "tag", reference, target], f"tagging {target}")
        SYSTEM.output(["docker", "push", "--quiet", target], f"pushing {target}")


def size_in_bytes(text: str) -> int:
    """Return 135000000 for buildah's "135 MB"."""
    number, unit = text.split()
    return round(float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit.upper()])


def _build_arguments(arguments: Mapping[str, str]) -> list[str]:
    return [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
