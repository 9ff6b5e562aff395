"""The command line."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from whatsapp_cli import app as cli
from whatsapp_operator import app, options
from whatsapp_operator.errors import UsageError


def test_every_option_reaches_its_place() -> None:
    arguments = ["run", "--worker-image=w:1", "--worker-host-alias=10.0.0.1=a,b", "--worker-extra-browser-arg=--x=1"]
    arguments += ["--worker-image-pull-secret=one-key", "--worker-image-pull-secret=other-key"]
    more = ["--namespace=one", "--namespace=two", '--worker-resources={"limits": {"memory": "1Gi"}}', "--workers=3"]
    assert options.parse([*arguments, *more], {}) == options.Options(
        worker_image="w:1",
        worker_host_aliases=({"ip": "10.0.0.1", "hostnames": ["a", "b"]},),
        worker_extra_browser_args=("--x=1",),
        worker_image_pull_secrets=("one-key", "other-key"),
        worker_resources={"limits": {"memory": "1Gi"}},
        namespaces=("one", "two"),
        workers=3,
    )


def test_an_option_may_come_from_the_environment() -> None:
    environ = {"WHATSAPP_OPERATOR_WORKER_IMAGE": "w:2", "WHATSAPP_OPERATOR_NAMESPACE": "one two"}
    chosen = options.parse(["run"], environ)
    assert (chosen.worker_image, chosen.namespaces) == ("w:2", ("one", "two"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--worker-image=w", "--worker-host-alias=nonsense"], "must be IP=HOST"),
        (["--worker-image=w", "--worker-resources=[]"], "must be a JSON object"),
    ],
    ids=["alias", "resources"],
)
def test_a_mistake_is_told_in_a_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        options.parse(["run", *arguments], {})


def test_a_mistake_ends_the_command_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["run", "--worker-resources=much"]) == 2
    assert "--worker-resources must be a JSON object" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [b"clusters: [", b"", b"hello", b"- a", b"\xff\xfe\x00", b"contexts: 5\ncurrent-context: x\n"],
    ids=["no YAML", "empty", "a text", "a list", "no text", "another shape"],
)
@pytest.mark.parametrize("main", [lambda line: app.main(["run", *line]), lambda line: cli.main(["list", *line])])
def test_a_file_that_is_no_kubeconfig_is_told_in_a_sentence(
    main: Callable[[list[str]], int], content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_bytes(content)
    assert main(["--kubeconfig", str(tmp_path / "config")]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "no usable kubeconfig: " in sentence
    assert sentence.endswith("set --kubeconfig or KUBECONFIG")


def test_nothing_has_to_be_said_to_run_the_worker_of_the_same_version() -> None:
    image = options.parse(["run"], {}).worker_image
    assert image == f"whatsapp-session-worker:{metadata.version('whatsapp-session-operator')}"


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse(["run", "--help"], {})
    text = capsys.readouterr().out
    for option in (
        "--worker-image",
        "--worker-host-alias",
        "--worker-extra-browser-arg",
        "--worker-image-pull-secret",
        "--namespace",
        "--kubeconfig",
    ):
        assert option in text
