"""Install the npm packages of the lock file into the cache directory, outside the repository."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
FILES = ("package.json", "package-lock.json", ".npmrc")


def cache() -> pathlib.Path:
    """Return the cache directory of this project."""
    explicit = os.environ.get("WSO_CACHE_DIR")
    if explicit:
        return pathlib.Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "whatsapp-session-operator"


def installed() -> pathlib.Path:
    """Return the folder node_modules that the lock file describes; install it when it is not there yet."""
    assert shutil.which("node"), "no node on PATH: install Node.js 18 or newer, with npm"
    assert shutil.which("npm"), "no npm on PATH: install it with Node.js"
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = cache() / "conformance" / digest
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for name in FILES:
                shutil.copy(HERE / name, folder)
            # The browser is the system's; no package may run a script of its own.
            environment = {**os.environ, "PUPPETEER_SKIP_DOWNLOAD": "1"}
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
            (folder / "complete").touch()
    return folder / "node_modules"


def browser() -> str:
    """Return the system's Chromium."""
    found = os.environ.get("WHATSAPP_BROWSER_EXECUTABLE") or shutil.which("chromium")
    assert found, "no chromium on PATH: make browser"
    return found
