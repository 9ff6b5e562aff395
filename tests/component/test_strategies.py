"""NoAuth and LocalAuth as commands, and the library from Python."""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import urllib.request

import psutil
import pytest
from playwright.sync_api import sync_playwright

from component.workers import Home, wait
from scenes.ports import free_port
from whatsapp_session.conditions import ExitCode
from whatsapp_worker import Client, LocalAuth, Options, RemoteAuth


def test_noauth_asks_for_a_code_at_each_start_and_leaves_nothing(home: Home) -> None:
    scratch = pathlib.Path(tempfile.mkdtemp())  # short: the browser puts a socket there, whose path is limited
    env = {"TMPDIR": str(scratch)}
    worker = home.run("--auth", "none", env=env)
    home.link(worker)
    worker.wait("ready")
    assert worker.stop() == 0
    assert not worker.all("saved")
    assert not list(scratch.glob("whatsapp-*"))
    home.run("--auth", "none", env=env).wait("qr")
    home.end()
    shutil.rmtree(scratch, ignore_errors=True)  # the driver removes its own files meanwhile


def test_localauth_keeps_the_login_in_its_directory(home: Home) -> None:
    flags = ["--auth", "local", "--client-id", "one", "--data-path", str(home.data)]
    worker = home.run(*flags)
    device = home.link(worker)
    worker.wait("ready")
    wait(lambda: worker.all("remote_session_saved"), "the flush to be seen")
    worker.kill()
    home.wait_for_browsers_to_end()
    assert (home.data / "session-one" / "Default").is_dir()
    again = home.run(*flags)
    again.wait("ready")
    assert not again.all("qr")
    home.assert_whole(device)


def test_localauth_starts_although_a_dead_browser_left_its_lock(home: Home) -> None:
    profile = home.data / "session"
    profile.mkdir(parents=True)
    (profile / "SingletonLock").symlink_to(f"{socket.gethostname()}-{2**22 + 1}")
    home.run("--auth", "local", "--data-path", str(home.data)).wait("qr")


def test_a_localauth_profile_that_a_user_zipped_whole_is_connected_without_a_code(home: Home) -> None:
    worker = home.run("--auth", "local", "--client-id", home.client_id, "--data-path", str(home.data))
    device = home.link(worker)
    worker.wait("remote_session_saved")
    assert worker.stop() == 0
    home.store.mkdir()
    shutil.make_archive(str(home.store / f"RemoteAuth-{home.client_id}"), "zip", home.data, f"session-{home.client_id}")
    again = home.start()
    again.wait("ready")
    assert not again.all("qr")
    again.wait("saved")
    home.assert_whole(device)


def local_kinds(home: Home, session: str = "session") -> list[str]:
    """Return the kinds of the records of LocalAuth's log."""
    folder = home.data / ".whatsapp-log" / session / "log"
    return [json.loads(path.read_text())["kind"] for path in sorted(folder.glob("*.json"))]


def test_localauth_keeps_a_log_beside_its_profile(home: Home) -> None:
    flags = ["--auth", "local", "--data-path", str(home.data)]
    worker = home.run(*flags)
    device = home.link(worker)
    worker.wait("remote_session_saved")
    assert worker.stop() == 0
    assert local_kinds(home) == ["claim", "release"]
    again = home.run(*flags)
    again.wait("ready")
    home.simulator.admin.logout(device)
    again.wait("disconnected", reason="LOGOUT")
    wait(lambda: local_kinds(home)[-1] == "logout", "the tombstone")


def test_localauth_with_relink_begins_with_an_empty_profile(home: Home) -> None:
    flags = ["--auth", "local", "--data-path", str(home.data)]
    worker = home.run(*flags)
    home.link(worker)
    worker.wait("remote_session_saved")
    assert worker.stop() == 0
    again = home.run(*flags, "--relink")
    again.wait("qr")
    assert not again.all("auth_failure")
    assert local_kinds(home)[-1] == "logout"


def test_localauth_leaves_a_profile_to_the_worker_that_has_not_released_it(home: Home) -> None:
    flags = ["--auth", "local", "--data-path", str(home.data)]
    worker = home.run(*flags)
    worker.wait("qr")
    worker.kill()
    home.wait_for_browsers_to_end()
    record = sorted((home.data / ".whatsapp-log" / "session" / "log").glob("*.json"))[-1]
    theirs = json.loads(record.read_text())
    theirs["owner"] = {"sessionUID": "another", "podUID": "p", "host": "wa-other", "namespace": "elsewhere"}
    record.write_text(json.dumps(theirs))
    refused = home.run(*flags)
    ended = refused.wait("ended")
    assert (ended["code"], ended["reason"]) == (3, "StoreSessionInUse")
    assert "pod wa-other of namespace elsewhere" in ended["message"]
    taking = home.run(*flags, "--take-over")
    taking.wait("fault", reason="LeaseHeld")


def test_localauth_refuses_a_profile_that_another_host_has_locked(home: Home) -> None:
    profile = home.data / "session"
    profile.mkdir(parents=True)
    (profile / "SingletonLock").symlink_to("wa-old-pod-17")
    worker = home.run("--auth", "local", "--data-path", str(home.data))
    assert worker.wait("ended")["code"] == 2
    assert "in use by process 17 on host wa-old-pod" in worker.log.read_text()


async def test_the_library_keeps_a_session_from_python(home: Home) -> None:
    home.root.mkdir(exist_ok=True)
    options = Options(browser_args=tuple(home.simulator.browser_args()))
    seen: list[str] = []
    device: list[str | None] = []
    client = Client(auth=RemoteAuth(f"file:{home.store}", "library", home.data), options=options)

    @client.on("qr")
    async def scan(code: str) -> None:
        seen.append("qr")
        device.append(await asyncio.to_thread(home.simulator.admin.scan, "alice", code))

    for name in ("authenticated", "ready", "remote_session_saved"):
        client.on(name, lambda name=name: seen.append(name))
    client.on("remote_session_saved", client.stop)
    async with asyncio.timeout(300):
        outcome = await client.run()
    assert outcome.code is ExitCode.DONE
    assert seen[:4] == ["qr", "authenticated", "ready", "remote_session_saved"]
    assert device[0] is not None


async def test_a_listeners_mistake_does_not_cost_the_session(home: Home) -> None:
    home.root.mkdir(exist_ok=True)
    client = Client(
        auth=LocalAuth(data_path=home.data), options=Options(browser_args=tuple(home.simulator.browser_args()))
    )

    def broken(code: str) -> None:
        client.stop()
        raise RuntimeError("a mistake")

    client.on("qr", broken)
    async with asyncio.timeout(300):
        assert (await client.run()).code is ExitCode.DONE


def test_wrong_flags_end_with_code_2_and_one_sentence(home: Home) -> None:
    worker = home.run("--auth", "remote", "--store", f"file:{home.store}", "--backup-sync-interval", "30s")
    assert worker.exit_code() == 2
    text = worker.log.read_text()
    assert text.startswith("whatsapp-worker: ")
    assert "at least 60 seconds" in text
    assert os.linesep not in text.strip()


def test_a_bot_attaches_to_the_browser_through_its_port_on_the_loopback(home: Home) -> None:
    port = free_port()
    worker = home.start("--cdp-port", str(port))
    worker.wait("qr")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
        pages = json.load(answer)
    assert [page["url"] for page in pages if page["type"] == "page"] == ["https://web.whatsapp.com/"]
    listening = []
    for process in home.browsers():
        with contextlib.suppress(psutil.NoSuchProcess):
            listening += [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_a_bot_beside_the_worker_uses_the_page_while_the_worker_saves_and_goes_without_harm(home: Home) -> None:
    port = free_port()
    worker, device = home.linked("--cdp-port", str(port))
    admin = home.simulator.admin
    with sync_playwright() as driver:
        bot = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        (page,) = bot.contexts[0].pages
        assert page.evaluate("window.require('WAWebSocketModel').Socket.state") == "CONNECTED"
        home.news(device, "while the bot looks on")
        mark = worker.mark
        worker.signal(signal.SIGUSR1)
        worker.wait("saved", mark, trigger="Request")
        assert page.evaluate("window.require('WAWebSocketModel').Socket.state") == "CONNECTED"
        bot.close()
    home.news(device, "after the bot has gone")
    assert worker.stop() == 0
    assert not worker.faults()
    shutil.rmtree(home.data)
    home.start().wait("ready")
    home.assert_whole(device)
    assert admin.device(device).rollbacks == 0


def test_a_save_that_is_asked_for_holds_what_the_browser_had_not_written_yet(home: Home) -> None:
    port = free_port()
    worker, _ = home.linked("--cdp-port", str(port))
    with sync_playwright() as driver:
        bot = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        (page,) = bot.contexts[0].pages
        mark = worker.mark
        page.evaluate("localStorage.setItem('bot', 'a second ago')")
        worker.signal(signal.SIGUSR1)
        worker.wait("saved", mark, trigger="Request")
        bot.close()


def test_without_a_browser_of_the_system_the_drivers_full_chromium_runs_and_not_its_headless_shell(home: Home) -> None:
    executable = shutil.which("chromium")
    assert executable
    with sync_playwright() as driver:
        theirs = pathlib.Path(driver.chromium.executable_path)
    installed = home.root / "browsers" / theirs.parts[-3] / theirs.parts[-2]
    env = {"PATH": str(home.root), "PLAYWRIGHT_BROWSERS_PATH": str(home.root / "browsers")}
    missing = home.run("--auth", "none", env=env).wait("fault")
    assert "playwright install chromium" in missing["message"]
    installed.mkdir(parents=True)
    (installed / theirs.name).write_text(f'#!/bin/sh\nexec {executable} "$@"\n')
    (installed / theirs.name).chmod(0o755)
    worker = home.run("--auth", "none", env=env)
    worker.wait("qr")
    assert worker.wait("browser")["version"]


def test_a_browser_that_the_image_does_not_hold_is_refused_with_one_sentence(home: Home) -> None:
    worker = home.start(env={"WHATSAPP_BROWSER_CHANNEL": "chromium-headless-shell"})
    assert worker.exit_code() == 2
    assert "WHATSAPP_BROWSER_CHANNEL must be chromium" in worker.log.read_text()


@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), ("\n", "is empty")], ids=["missing", "empty"])
@pytest.mark.parametrize("variable", ["WHATSAPP_PROXY_FILE", "WHATSAPP_PHONE_NUMBER_FILE"])
def test_a_worker_whose_secret_is_missing_says_so_and_starts_no_browser(
    home: Home, variable: str, content: str | None, why: str
) -> None:
    file = home.root / "value"
    if content is not None:
        home.root.mkdir(parents=True)
        file.write_text(content)
    worker = home.start(env={variable: str(file)})
    assert worker.exit_code() == 1
    assert f"whatsapp-worker: SecretNotFound: the file that {variable} names {why}" in worker.log.read_text()
    assert not home.browsers()
