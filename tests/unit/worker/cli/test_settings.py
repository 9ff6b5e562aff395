"""Switches, settings and the command line: what is passed on, and how wrong input is answered."""

import ctypes
import json
import pathlib
import types

import pytest

from whatsapp_worker import auth, client, errors
from whatsapp_worker.auth import local
from whatsapp_worker.browser import command_line, process_switches, proxy_address
from whatsapp_worker.browser.page import contract
from whatsapp_worker.cli import arguments, run
from whatsapp_worker.core import page_events
from whatsapp_worker.repository import records

POD = command_line.Environment("/usr/bin/chromium", sandbox=False, small_shm=True)
LAPTOP = command_line.Environment("/usr/bin/chromium", sandbox=True, small_shm=False)


def test_there_is_one_list_of_disabled_features_with_all_names() -> None:
    given = command_line.arguments(POD, ["--disable-features=Mine,MediaRouter", "--mute-audio"])
    lists = [argument for argument in given if argument.startswith("--disable-features=")]
    assert len(lists) == 1
    names = lists[0].removeprefix("--disable-features=").split(",")
    assert set(names) >= {*command_line.PLAYWRIGHT_DISABLED, *command_line.STORAGE_FEATURES, "Mine"}
    assert len(names) == len(set(names))
    assert "--mute-audio" in given
    assert command_line.FLUSH in given


def test_there_is_one_list_of_enabled_features_with_all_names() -> None:
    given = command_line.arguments(POD, ["--enable-features=Mine"])
    (listed,) = [argument for argument in given if argument.startswith("--enable-features=")]
    names = listed.removeprefix("--enable-features=").split(",")
    assert set(names) == {*command_line.PLAYWRIGHT_ENABLED, "NetworkServiceInProcess2", "Mine"}


def test_one_setting_leaves_out_every_switch_that_saves_processes() -> None:
    few, separate = (" ".join(command_line.arguments(POD, [], separate_processes=on)) for on in (False, True))
    for saving in process_switches.SAVINGS:
        assert saving.name in few
        assert saving.name not in separate


def test_the_sandbox_is_given_up_only_where_there_is_none() -> None:
    assert "--disable-setuid-sandbox" in command_line.arguments(POD, [])
    assert "--disable-setuid-sandbox" not in command_line.arguments(LAPTOP, [])
    assert "--disable-dev-shm-usage" in command_line.unwanted_defaults(LAPTOP)
    assert "--disable-dev-shm-usage" not in command_line.unwanted_defaults(POD)


@pytest.mark.parametrize(
    "argument",
    [
        *("--remote-debugging-port=1", "--user-data-dir=/x", "--load-extension=/x", "--disable-web-security", "url"),
        *("--zygote-cmd-prefix=/x", "--ppapi-plugin-launcher=/x", "--incognito", "-remote-debugging-port=1", "--"),
    ],
)
def test_a_switch_that_opens_or_moves_the_profile_is_refused_by_name(argument: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=argument.partition("=")[0]):
        command_line.arguments(POD, [argument])


@pytest.mark.parametrize(
    ("refused", "usable"), [(None, True), (0x10000000, False), (0x20000000, False)], ids=["no", "user", "processes"]
)
def test_a_user_namespace_in_which_nothing_is_allowed_is_no_sandbox(
    refused: int | None, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = types.SimpleNamespace(unshare=lambda flag: -1 if flag == refused else 0)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: made)
    with pytest.raises(SystemExit) as ended:
        exec(command_line.ATTEMPT, {})
    assert (not ended.value.code) is usable


def test_the_resources_schema_refuses_the_same_switches() -> None:
    charts = pathlib.Path(__file__).parents[4] / "charts" / "whatsapp-session-operator"
    schema = (charts / "templates" / "crds" / "whatsappsessions.yaml").read_text()
    assert f"!self.matches('^--{command_line.FORBIDDEN.pattern}')" in schema


@pytest.mark.parametrize(
    ("address", "server", "username", "password"),
    [
        ("http://proxy:3128", "http://proxy:3128", "", ""),
        ("socks5://proxy:1080/", "socks5://proxy:1080", "", ""),
        ("https://bot:hunter%232@proxy", "https://proxy", "bot", "hunter#2"),
        ("http://bot:hunter2@[::1]:3128", "http://[::1]:3128", "bot", "hunter2"),
    ],
)
def test_a_proxys_address_is_parsed_whole(address: str, server: str, username: str, password: str) -> None:
    found = proxy_address.parse(address)
    assert found == proxy_address.Proxy(server, username, password)
    assert not password or password not in repr(found)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://bot:hunter2#x@proxy:3128", "percent-encoded"),
        ("http://bot:1#hunter2@proxy:3128", "percent-encoded"),
        ("http://bot:hun/ter2@proxy:3128", "percent-encoded"),
        ("http://bot:1?hunter2@proxy", "percent-encoded"),
        ("http://proxy:3128/hunter2", "nothing after host and port"),
        ("bot:hunter2@proxy:3128", "has no scheme"),
        ("proxy:3128", "has no scheme"),
        ("http://hunter2\nproxy", "line breaks"),
        ("http://[hunter2", "brackets"),
        ("ftp://hunter2", "must begin with http:// or https:// or socks4:// or socks5://"),
        ("http://bot:hunter2@proxy:70000", "a port from 1 to 65535"),
        ("http://bot:hunter2@proxy:0", "a port from 1 to 65535"),
        ("http://bot:hunter2@", "names no host"),
        ("socks5://bot:hunter2@proxy:1080", "Chromium cannot log in to SOCKS proxies"),
        ("socks5://hunter2@proxy", "Chromium cannot log in to SOCKS proxies"),
        ("SOCKS4://:hunter2@proxy", "Chromium cannot log in to SOCKS proxies"),
    ],
)
async def test_a_wrong_address_of_a_proxy_is_refused_at_the_start_without_a_word_of_it(address: str, says: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=says) as refused:
        client.Client(options=client.Options(proxy=address)).start()
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://bot:hunter2#x@proxy:3128", "socks5://bot:hunter2@proxy:1080"])
def test_a_wrong_address_of_a_proxy_in_a_secret_is_one_sentence_and_code_2(
    address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "proxy"
    secret.write_text(f"{address}\n")
    monkeypatch.setenv("WHATSAPP_PROXY_FILE", str(secret))
    assert run.main(["run"]) == 2
    captured = capsys.readouterr()
    assert (captured.err.count("\n"), "hunter" in captured.err) == (1, False)


def test_a_browser_that_cannot_be_run_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="not an executable file"):
        command_line.environment({command_line.EXECUTABLE: str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--auth", "remote"], "set --store"),
        (["run", "--auth", "remote", "--store", "ftp:x"], "use file:DIRECTORY"),
        (["run", "--auth", "remote", "--store", "file:x", "--client-id", "../x"], "letters, digits"),
        (["run", "--auth", "remote", "--store", "file:x", "--backup-sync-interval", "59s"], "at least 60 seconds"),
        (["run", "--auth", "local", "--client-id", "a b"], "letters, digits"),
        (["run", "--backup-sync-interval", "soon"], "--backup-sync-interval: 'soon' is not a duration"),
        (["run", "--memory-warning", "2GB"], "--memory-warning: '2GB' is not a size"),
        (["run", "--browser-arg=--user-data-dir=/x"], "--user-data-dir is not allowed"),
        (["run", "--browser-arg=--proxy-server=socks5://a:b@h"], "--proxy-server may not hold a user or password"),
        (["run", "--url", "web.whatsapp.com"], "the page's address has no scheme"),
        (["run", "--url", "ftp://web.whatsapp.com"], "the page's address must begin with https:// or http://"),
        (["run", "--url", "https://"], "the page's address names no host"),
        (["run", "--url", "https://h:99999"], "the page's address must have a port"),
        (["run", "--url", "https://me:x@h"], "the page's address may not hold a user or password"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_a_browsers_switch_may_follow_its_flag() -> None:
    given = arguments.joined(["run", "--browser-arg", "--lang=de", "--browser-arg=--mute-audio", "--relink"])
    flags = arguments.parser().parse_args(given)
    assert flags.browser_arg == ["--lang=de", "--mute-audio"]
    assert flags.relink


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--auth", "local", "--store", "file:x"], "--store has no effect with --auth local; remove it"),
        (["--auth", "local", "--backup-sync-interval", "5m"], "use --auth remote"),
        (["--data-path", "x"], "--data-path has no effect with --auth none"),
        (["--client-id", "x"], "use --auth remote or --auth local"),
        (["--relink"], "--relink has no effect with --auth none"),
        (["--take-over"], "--take-over has no effect with --auth none"),
        (["--auth", "local", "--archive-warning", "5Mi"], "--archive-warning has no effect"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_flag_without_effect_is_refused(flags: list[str], says: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=says):
        run.configuration(arguments.parser().parse_args(["run", *flags]))


def test_the_help_names_every_flag_signal_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["run", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in ("--auth", "--store", "--client-id", "--events", "file:DIRECTORY", "USR1", "exit codes"):
        assert word in text


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--auth", "magic"]])
def test_an_unknown_command_is_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(arguments)
    assert ended.value.code == 2
    capsys.readouterr()


def test_the_guides_names_of_directories_are_kept(tmp_path: pathlib.Path) -> None:
    assert auth.LocalAuth(data_path=tmp_path).profile == tmp_path / "session"
    assert auth.LocalAuth("one", tmp_path).profile == tmp_path / "session-one"
    assert auth.RemoteAuth("file:/x", data_path=tmp_path).profile == tmp_path / "RemoteAuth"
    assert auth.RemoteAuth("file:/x", "one", tmp_path).profile == tmp_path / "RemoteAuth-one"
    assert auth.LocalAuth().profile.parent.name == ".wwebjs_auth"


def test_a_client_without_a_strategy_is_noauth_and_knows_its_events() -> None:
    made = client.Client()
    assert isinstance(made._auth, auth.NoAuth)
    for name in client.EVENTS:
        made.on(name, lambda *_: None)
    with pytest.raises(ValueError, match="there is no event 'reday'"):
        made.on("reday", lambda: None)


def test_without_kubernetes_an_owner_is_host_boot_process_and_data_path() -> None:
    owner = client.local_owner("/data")
    assert owner.data_path == "/data"
    assert owner.pid > 0
    assert owner.start_time > 0
    assert owner.boot_id
    assert owner.same_session(records.Owner(host=owner.host, boot_id=owner.boot_id, data_path="/data"))


def test_a_file_replaces_parts_of_the_page_contract(tmp_path: pathlib.Path) -> None:
    override = tmp_path / "contract.json"
    override.write_text(
        json.dumps({"objects": {"socket": {"modules": ["New"], "path": "", "members": [], "neededFor": "session"}}})
    )
    table = contract.load(override)
    assert table["objects"]["socket"]["modules"] == ["New"]
    assert table["objects"]["conn"] == contract.load()["objects"]["conn"]


@pytest.mark.parametrize("text", ["", "[]", '{"typo": 1}'])
def test_a_wrong_page_contract_is_answered_with_its_name(tmp_path: pathlib.Path, text: str) -> None:
    override = tmp_path / "contract.json"
    override.write_text(text)
    with pytest.raises(errors.ConfigurationError, match=r"contract\.json"):
        contract.load(override)


def test_a_word_of_the_page_that_is_not_known_is_unknown_and_no_crash() -> None:
    found = page_events.facts({"state": "BRAND_NEW", "account": None})
    assert found.state is page_events.SocketState.UNKNOWN
    assert page_events.parse({"kind": "brand new"}) is None


PLAIN, OUT = "https://web.whatsapp.com/", "https://web.whatsapp.com/?post_logout=1&logout_reason=0"


@pytest.mark.parametrize(
    ("url", "before", "news"),
    [
        (OUT, PLAIN, True),
        (OUT, "", True),
        (PLAIN, PLAIN, False),
        ("https://web.whatsapp.com/?post_logout=0", PLAIN, False),
        (OUT, OUT, False),
        (PLAIN, OUT, False),
    ],
)
def test_the_address_after_a_logout_is_news_once(url: str, before: str, news: bool) -> None:
    assert page_events.is_news_of_logout(url, before, "post_logout") is news


def test_a_stale_lock_of_a_dead_process_goes_and_a_living_one_stays(tmp_path: pathlib.Path) -> None:
    import os
    import socket

    lock = tmp_path / "SingletonLock"
    lock.symlink_to(f"{socket.gethostname()}-{2**22 + 1}")
    local.clear_locks(tmp_path)
    assert not lock.is_symlink()
    for target in (f"{socket.gethostname()}-{os.getpid()}", "another-host-1"):
        lock.symlink_to(target)
        with pytest.raises(errors.ConfigurationError, match="is in use by process"):
            local.clear_locks(tmp_path)
        assert lock.is_symlink()
        lock.unlink()
