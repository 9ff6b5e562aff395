"""Open the simulator's page in a real browser and go through its first steps."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Page, sync_playwright

from conformance import packages
from simulator.testing import Running

Launch = Callable[[Running, pathlib.Path], contextlib.AbstractContextManager[Page]]
QR = """async () => {
  const part = (name) => window.require(name);
  const encode = part('WABase64').encodeB64;
  const noise = await part('WAWebUserPrefsInfoStore').waNoiseInfo.get();
  const registration = await part('WAWebSignalStoreApi').waSignalStore.getRegistrationInfo();
  return [part('WAWebConnModel').Conn.ref, encode(noise.staticKeyPair.pubKey),
    encode(registration.identityKeyPair.pubKey), part('WAWebUserPrefsMultiDevice').getADVSecretKey(),
    part('WAWebCompanionRegClientUtils').DEVICE_PLATFORM].join(',');
}"""
SMALL: dict[str, Any] = {"sync_bytes": 300_000, "sync_s": 0.2}  # knobs


def in_state(page: Page, *states: str) -> None:
    wanted = json.dumps(states)
    page.wait_for_function(f"{wanted}.includes(window.Debug && window.require('WAWebSocketModel').Socket.state)")


def link(page: Page, simulator: Running) -> str:
    in_state(page, "UNPAIRED")
    device = simulator.admin.scan("alice", page.evaluate(QR))
    assert device is not None
    simulator.admin.wait_for("the page to have synced", lambda devices: devices[-1].synced)
    return device


@contextlib.contextmanager
def launcher() -> Iterator[Launch]:
    """Yield what opens the page with a profile directory."""
    with sync_playwright() as playwright:

        @contextlib.contextmanager
        def launched(simulator: Running, profile: pathlib.Path) -> Iterator[Page]:
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=packages.browser(),
                args=[*simulator.browser_args(), "--enable-aggressive-domstorage-flushing"],
                chromium_sandbox=os.geteuid() != 0,
            )
            try:
                context.set_default_timeout(120_000)
                page = context.pages[0]
                page.goto("https://web.whatsapp.com/")
                yield page
            finally:
                context.close()

        yield launched
