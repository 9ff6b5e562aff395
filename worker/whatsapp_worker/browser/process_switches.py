"""List the switches that let Chromium run a session in few processes: each with its reason and its risk. Pure.

``separate`` (``spec.browser.separateProcesses``, WHATSAPP_BROWSER_SEPARATE_PROCESSES) leaves all of them out.
Not in the list, with the reason: ``--no-zygote`` (each process then has a copy of its own of what the linker writes,
14 MiB), ``--single-process`` (Chromium does not support it), ``--disable-software-rasterizer`` (10 MiB, but takes WebGL
away, which a page can see), ``--renderer-process-limit=1`` (nothing: a session has one page), ``--disable-breakpad``
(Playwright passes it).
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["switch", "disabled feature", "enabled feature"]


@dataclass(frozen=True, slots=True)
class Saving:
    """A switch or a feature, with private memory in MiB that it saves (Chromium 156, x86-64)."""

    name: str
    kind: Kind
    saves: int
    reason: str
    risk: str


SAVINGS = (
    Saving(
        *("WebUIOmniboxPopup", "disabled feature", 36),
        "with the next one: no renderer for the address bar's suggestions, which nobody sees in a headless browser",
        "none for the page; the names change with Chromium's version, so a test looks for the process",
    ),
    Saving(*("WebUIOmniboxAimPopup", "disabled feature", 0), "see the one before", "see the one before"),
    Saving(
        *("SpareRendererForSitePerProcess", "disabled feature", 6),
        "no renderer in reserve for a second site: a session has one page of one site",
        "the first load starts its renderer itself, some 10 ms later",
    ),
    Saving(
        *("--in-process-gpu", "switch", 2),
        "graphics are computed by the CPU in any case: a process of their own isolates no driver",
        "a fault in the graphics code ends the browser, which the worker starts again on the same profile",
    ),
    Saving(
        *("NetworkServiceInProcess2", "enabled feature", 16),
        "the network in the browser's process, as on small Android phones",
        "a fault in the network code ends the browser instead of one process; without a sandbox (as in most pods) it "
        "isolated nothing; a freeze for a snapshot holds up the network, too, for the same few milliseconds",
    ),
    Saving(
        *("--disable-crashpad-for-testing", "switch", 1),
        "no two handlers of crashes beside the browser, which Playwright's --disable-breakpad leaves running; their "
        "dumps would hold the login's keys",
        "a crash leaves no dump; the worker reports it and starts the browser again as before",
    ),
    Saving(
        *("--no-unsandboxed-zygote", "switch", 15),
        "no template for processes without a sandbox, of which there are none any more",
        "the program's file must not be replaced under a running browser; an image's does not change",
    ),
)


def switches(*, separate: bool) -> list[str]:
    """Return the switches to pass."""
    return [] if separate else [saving.name for saving in SAVINGS if saving.kind == "switch"]


def features(kind: Kind, *, separate: bool) -> list[str]:
    """Return the features to switch off or on."""
    return [] if separate else [saving.name for saving in SAVINGS if saving.kind == kind]
