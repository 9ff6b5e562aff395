"""The command line."""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from whatsapp_cli import main
from whatsapp_operator import app, options
from whatsapp_operator.errors import UsageError
from whatsapp_operator.manifests.pod_shape import PodSettings

Manifest = dict[str, Any]


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
        election=options.Election("default", "whatsapp-session-operator"),
    )


def test_what_every_pod_has_is_one_option() -> None:
    given = {
        "labels": {"team": "bots"},
        "annotations": {"cost": "42"},
        "securityContext": {},
        "storePodResources": {"limits": {"memory": "256Mi"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [],
        "priorityClassName": "bots",
    }
    settings = options.parse(["run", f"--pod-settings={json.dumps(given)}"], {}).pod_settings
    assert settings == PodSettings(
        labels={"team": "bots"},
        annotations={"cost": "42"},
        security_context={},
        scheduling={"nodeSelector": {"disk": "ssd"}, "priorityClassName": "bots"},
        store_resources={"limits": {"memory": "256Mi"}},
    )


def test_an_option_may_come_from_the_environment() -> None:
    environ = {"WHATSAPP_OPERATOR_WORKER_IMAGE": "w:2", "WHATSAPP_OPERATOR_NAMESPACE": "one two"}
    chosen = options.parse(["run"], environ)
    assert (chosen.worker_image, chosen.namespaces) == ("w:2", ("one", "two"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--worker-host-alias=nonsense"], "--worker-host-alias must be IP=HOST"),
        (["--worker-host-alias=10.0.0.300=a"], "--worker-host-alias must be IP=HOST"),
        (["--worker-host-alias=10.0.0.3=a b"], "--worker-host-alias must be IP=HOST"),
        (["--worker-host-alias=10.0.0.3="], "--worker-host-alias must be IP=HOST"),
        (["--worker-resources=[]"], "must be a JSON object"),
        (["--worker-resources=" + "[" * 5000], "must be a JSON object"),
        (['--worker-resources={"limit": {}}'], "only contain requests and limits"),
        (['--worker-resources={"limits": 5}'], "only contain requests and limits"),
        (['--worker-resources={"limits": {"memory": "much"}}'], "for limits.memory"),
        (['--worker-resources={"limits": {"memory": "-1Gi"}}'], "for limits.memory"),
        (['--worker-resources={"limits": {"memory": "1mi"}}'], "for limits.memory"),
        (['--worker-resources={"limits": {"cpu": true}}'], "for limits.cpu"),
        (['--worker-resources={"requests": {"cpu": "1.5"}, "limits": {"cpu": "1400m"}}'], "raise the limit"),
        (["--pod-settings=[]"], "--pod-settings must be a JSON object"),
        (['--pod-settings={"nodeselector": {}}'], "does not know 'nodeselector'; it takes labels"),
        (['--pod-settings={"tolerations": {}}'], "tolerations must be a list"),
        (['--pod-settings={"labels": {"a": 1}}'], "the values of labels must be strings"),
        (['--pod-settings={"storePodResources": {"limits": {"cpu": "x"}}}'], "for limits.cpu"),
        (["--max-starting=-5"], "--max-starting must be a whole number from 1"),
        (["--max-starting=0"], "--max-starting must be a whole number from 1"),
        (["--max-starting=many"], "--max-starting must be a whole number from 1"),
        (["--max-starting=" + "9" * 5000], "--max-starting must be a whole number from 1"),
        (["--max-replacing=0"], "--max-replacing must be"),
        (["--max-replacing-percent=101"], "--max-replacing-percent must be a whole number from 1 to 100"),
        (["--max-replacing-per-node=-1"], "--max-replacing-per-node must be"),
        (["--workers=0"], "--workers must be"),
        (["--health-port=70000"], "--health-port must be a whole number from 0 to 65535"),
        (["--health-port=http"], "--health-port must be a whole number from 0 to 65535"),
        (["--worker-image="], "--worker-image must be an image"),
        (["--worker-image=a b\n"], "--worker-image must be an image"),
        (["--worker-image-pull-secret=A b"], "--worker-image-pull-secret must be the name of a Secret"),
        (["--worker-extra-browser-arg=no-sandbox"], "must be a switch that begins with '--'"),
        (["--namespace=a.b"], "--namespace must be the name of a namespace"),
        (["--worker-image-pull-policy=Sometimes"], "invalid choice"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_mistake_ends_the_command_with_code_2_and_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["run", *arguments]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("whatsapp-operator: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("WORKER_IMAGE_PULL_POLICY", "Sometimes"),
        ("POD_SECURITY", "none"),
        ("ADMISSION_POLICY", "Perhaps"),
        ("MAX_STARTING", "-5"),
        ("WORKERS", ""),
        ("NAMESPACE", "one two_three"),
    ],
)
def test_a_mistake_in_the_environment_is_told_as_that_of_its_option(variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^--{variable.lower().replace('_', '-')} must be"):
        options.parse(["run"], {f"WHATSAPP_OPERATOR_{variable}": value})


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        {"requests": {"cpu": 0.5, "memory": "1e3"}, "limits": {"cpu": "500m", "memory": 1000}},
        {"limits": {"example.com/device": "1", "memory": "1.5Gi"}},
    ],
    ids=str,
)
def test_resources_as_kubernetes_takes_them_are_taken(resources: Manifest) -> None:
    assert options.parse(["run", f"--worker-resources={json.dumps(resources)}"], {}).worker_resources == resources


@pytest.mark.parametrize("image", ["w", "localhost:5000/team/w:1.0", f"w:1@sha256:{'a' * 64}", "[fd00::1]:5000/w"])
def test_images_as_nodes_take_them_are_taken(image: str) -> None:
    assert options.parse(["run", f"--worker-image={image}"], {}).worker_image == image


@pytest.mark.parametrize(
    "content",
    [b"clusters: [", b"", b"hello", b"- a", b"\xff\xfe\x00", b"contexts: 5\ncurrent-context: x\n"],
    ids=["no YAML", "empty", "a text", "a list", "no text", "another shape"],
)
@pytest.mark.parametrize("main", [lambda line: app.main(["run", *line]), lambda line: main.main(["list", *line])])
def test_a_file_that_is_no_kubeconfig_is_told_in_a_sentence(
    main: Callable[[list[str]], int], content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_bytes(content)
    assert main(["--kubeconfig", str(tmp_path / "config")]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "invalid kubeconfig: " in sentence
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
