"""Build Chromium's command line. Pure but for `environment`, which looks at this machine once."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whatsapp_worker import errors
from whatsapp_worker.browser import process_switches

STORAGE_FEATURES = (
    "IdbSqliteBackingStore",
    "IdbSqliteOnDiskRollout",
    "DomStorageSqlite",
    "DomStorageSqliteNewDatabases",
    "DomStorageSqliteMigration",
)
"""Features that would move the login to places that no archive covers."""
PLAYWRIGHT_DISABLED = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "TcpPortRandomizationWin",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
    "msForceBrowserSignIn",
    "msEdgeUpdateLaunchServicesPreferredVersion",
)
"""What Playwright's own switch holds: the last switch wins, so ours must repeat it. A component test compares."""
PLAYWRIGHT_ENABLED = ("CDPScreenshotNewSurface", "SkipListAccountsWithoutGaiaCookies")
"""The same of the features that it switches on."""
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-sync",
    "--no-pings",
    "--no-first-run",
    "--disk-cache-size=67108864",
)
"""No calls to anybody but the page's own servers, and a cache that fits a pod's volume."""
FLUSH = "--enable-aggressive-domstorage-flushing"
"""Writes localStorage to disk within a second instead of up to a minute."""
_FEATURES = "--disable-features="
_ENABLED = "--enable-features="
_SMALL_SHM = 1 << 30
_NAMES = ("chromium", "chromium-browser", "google-chrome")
EXECUTABLE = "WHATSAPP_BROWSER_EXECUTABLE"
_SWITCH = re.compile("--[a-z]")
FORBIDDEN = re.compile(
    "(remote-debugging|remote-allow-origins|user-data-dir|profile-directory|disk-cache-dir|incognito|guest"
    "|disable-web-security|load-extension|disable-extensions-except|load-component-extension"
    "|[a-z-]*(cmd-prefix|launcher|subprocess-path))"
)
"""Switches, without their dashes, that open debugging, change the profile, load extensions or start programs.

The resource's schema refuses the same ones.
"""


ATTEMPT = """
import ctypes, sys
unshare = ctypes.CDLL(None).unshare
sys.exit(unshare(0x10000000) != 0 or unshare(0x20000000) != 0)
"""
"""Make a user namespace, and in it one of processes: AppArmor (Ubuntu 24.04) allows the first, and nothing in it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What of this machine decides about switches; without an executable Playwright's own Chromium is used."""

    executable: str | None
    sandbox: bool
    small_shm: bool


def environment(environ: Mapping[str, str]) -> Environment:
    """Look for a browser, for the right to a sandbox, and at /dev/shm."""
    executable = environ.get(EXECUTABLE) or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if executable and not os.access(executable, os.X_OK):
        raise errors.ConfigurationError(f"{EXECUTABLE} names {executable}, which is not an executable file")
    shm = pathlib.Path("/dev/shm")  # noqa: S108  only its size is looked at
    small = shm.exists() and shutil.disk_usage(shm).total < _SMALL_SHM
    return Environment(executable, os.geteuid() != 0 and _user_namespaces(), small)


def sandbox(here: Environment) -> str:
    """Name the sandbox that is in force: UserNamespace, or None for root and where a user may make no namespaces."""
    return "UserNamespace" if here.sandbox else "None"


def _user_namespaces() -> bool:
    # Chromium's sandbox needs them for a user who is not root; a pod usually has none.
    for path, wanted in (
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
    ):
        try:
            if pathlib.Path(path).read_text().strip() == wanted:
                return False
        except OSError:
            continue
    if os.uname().sysname != "Linux":
        return True
    # The only reliable question is the attempt, in a process of its own.
    return subprocess.run([sys.executable, "-I", "-c", ATTEMPT], check=False).returncode == 0


@functools.cache
def version(executable: str | None) -> str:
    """Return a browser's version, "" if it does not tell; blocks for a moment."""
    if executable is None:
        return ""
    try:
        said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((word for word in said.stdout.split() if word[:1].isdigit()), "")


def user_agent(version: str) -> str:
    """Return the user agent of a windowed browser of this version, "" if the version is not known.

    Headless Chromium calls itself HeadlessChrome, a name to which a page may serve its notice for unsupported
    browsers. Nothing else is hidden: the client hints are Chromium's own, navigator.webdriver stays true.
    """
    major = version.partition(".")[0]
    if not major.isdigit():
        return ""
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"


def debugging(port: int) -> list[str]:
    """Return the switches that open DevTools on the loopback for a bot beside the worker; none for port 0."""
    return [f"--remote-debugging-port={port}", "--remote-debugging-address=127.0.0.1"] if port else []


def arguments(here: Environment, extra: Sequence[str], *, separate_processes: bool = False) -> list[str]:
    """Return the switches to pass, with exactly one ``--disable-features`` and one ``--enable-features``.

    A feature in both lists is off. Raises ConfigurationError for an extra switch that is forbidden, or that is none.
    """
    disabled = [*PLAYWRIGHT_DISABLED, *STORAGE_FEATURES]
    disabled += process_switches.features("disabled feature", separate=separate_processes)
    enabled = [*PLAYWRIGHT_ENABLED, *process_switches.features("enabled feature", separate=separate_processes)]
    rest = process_switches.switches(separate=separate_processes)
    for argument in extra:
        if not _SWITCH.match(argument):
            raise errors.ConfigurationError(f"the browser argument {argument!r} must be a switch that begins with '--'")
        if FORBIDDEN.match(argument.removeprefix("--")):
            raise errors.ConfigurationError(f"the browser argument {argument.partition('=')[0]} is not allowed")
        if argument.startswith("--proxy-server=") and "@" in argument:
            raise errors.ConfigurationError(
                "the browser argument --proxy-server may not hold a user or password, which Chromium ignores; "
                "put the proxy's address into the Secret of spec.browser.proxySecretRef"
            )
        if argument.startswith(_FEATURES):
            disabled += [name for name in argument.removeprefix(_FEATURES).split(",") if name not in disabled]
        elif argument.startswith(_ENABLED):
            enabled += [name for name in argument.removeprefix(_ENABLED).split(",") if name not in enabled]
        else:
            rest.append(argument)
    # Playwright adds --no-sandbox itself when it is told that there is no sandbox.
    needed = [] if here.sandbox else ["--disable-setuid-sandbox"]
    return [FLUSH, *QUIET, *needed, _FEATURES + ",".join(disabled), _ENABLED + ",".join(enabled), *rest]


def unwanted_defaults(here: Environment) -> list[str]:
    """Return switches of Playwright's that must not be passed: its list of features (ours holds it), needless ones.

    Playwright filters our own switches by this list too.
    """
    keep_shm = [] if here.small_shm else ["--disable-dev-shm-usage"]
    return [_FEATURES + ",".join(PLAYWRIGHT_DISABLED), "--enable-automation", *keep_shm]
