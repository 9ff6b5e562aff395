"""Parse the command line and the environment into one frozen value."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, NoReturn

from whatsapp_operator import option_values, rollout
from whatsapp_operator.admission_policy import AdmissionPolicy
from whatsapp_operator.errors import UsageError
from whatsapp_operator.manifests.pod_security import Level

ENV = "WHATSAPP_OPERATOR_"
RUN, RELEASE = "run", "release-finalizers"
LEVELS = ("debug", "info", "warning", "error")
PULLS = ("Always", "IfNotPresent", "Never")


@dataclass(frozen=True, slots=True)
class Options:
    """How the operator runs. An empty ``namespaces`` means all."""

    worker_image: str
    command: str = RUN
    worker_image_pull_policy: str = "IfNotPresent"
    worker_image_pull_secrets: tuple[str, ...] = ()
    worker_resources: Mapping[str, Any] = field(default_factory=dict)
    worker_host_aliases: tuple[Mapping[str, Any], ...] = ()
    worker_extra_browser_args: tuple[str, ...] = ()
    pod_security: Level = Level.RESTRICTED
    namespaces: tuple[str, ...] = ()
    kubeconfig: str | None = None
    context: str | None = None
    health_port: int | None = None
    log_level: str = "info"
    admission_policy: str = AdmissionPolicy.REQUIRED
    workers: int = 16
    limits: rollout.Limits = field(default_factory=rollout.Limits)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence, as every other mistake's is."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `{self.prog} --help` lists the options")


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the command line's parser; each option's default may come from the environment."""
    top = _Parser(
        prog="whatsapp-operator",
        description="Keep WhatsApp Web sessions linked: reconcile WhatsAppSession resources into worker pods.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    release = commands.add_parser(
        RELEASE,
        help="remove finalizers left behind after an uninstall",
        description="Stop purges and remove the operator's finalizers from sessions and stores; the archives stay."
        " Run it after the operator is uninstalled: a running operator sets the finalizers again.",
    )
    release.add_argument(
        "--namespace", action="append", default=[], help="only in this namespace (repeatable; default: all)"
    )
    release.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig file (default: as for `run`)")
    release.add_argument("--context", help="context in the kubeconfig")
    release.add_argument("--log-level", choices=LEVELS, default="info")
    run = commands.add_parser(
        RUN,
        help="run the operator, in the cluster or against the current kubeconfig",
        description="Run the operator: in a pod with its service account, elsewhere with the current kubeconfig.",
        epilog=f"Options may be given as environment variables, such as {ENV}WORKER_IMAGE.",
    )

    def option(name: str, **more: Any) -> None:
        variable = ENV + name.strip("-").upper().replace("-", "_")
        default = environ.get(variable, more.pop("default", None))
        if more.get("action") == "append":
            default = default.split() if isinstance(default, str) else []
        run.add_argument(name, default=default, **more)

    image = f"whatsapp-session-worker:{metadata.version('whatsapp-session-operator')}"
    option("--worker-image", metavar="IMAGE", default=image, help=f"image of the worker pods (default: {image})")
    option("--worker-image-pull-policy", choices=PULLS, default="IfNotPresent")
    option(
        "--worker-image-pull-secret",
        metavar="NAME",
        action="append",
        help="Secret in the session's namespace for pulling the images of its pods (repeatable)",
    )
    option(
        "--worker-resources",
        metavar="JSON",
        default="{}",
        help="resource requests and limits of the worker container (default: {})",
    )
    option(
        "--worker-host-alias",
        metavar="IP=HOST[,HOST]",
        action="append",
        help="/etc/hosts entry for every worker (repeatable)",
    )
    option(
        "--worker-extra-browser-arg",
        metavar="ARG",
        action="append",
        help="Chromium switch for every worker (repeatable)",
    )
    option(
        "--pod-security",
        choices=[str(level) for level in Level],
        default=str(Level.RESTRICTED),
        help="Pod Security Standard that sessions' podTemplates must keep (default: restricted)",
    )
    option("--namespace", action="append", help="serve this namespace only (repeatable; default: all)")
    option(
        "--kubeconfig",
        metavar="FILE",
        help="kubeconfig file (default: the pod's service account, else KUBECONFIG, else ~/.kube)",
    )
    option("--context", help="context in the kubeconfig")
    option("--health-port", metavar="PORT", help="serve /healthz, /readyz and /metrics on this port (default: off)")
    option("--log-level", choices=LEVELS, default="info")
    option(
        "--admission-policy",
        choices=tuple(AdmissionPolicy),
        default=AdmissionPolicy.REQUIRED,
        help="Required: start workers only while the admission policy is in force (default: Required)",
    )
    limits = rollout.Limits()

    def number(name: str, default: int, text: str) -> None:
        option(name, default=str(default), metavar="N", help=f"{text} (default: {default})")

    number("--workers", 16, "sessions reconciled at a time; one namespace gets at most half of them")
    number("--max-starting", limits.starting, "worker pods starting at a time")
    number("--max-replacing", limits.replacing, "worker pods replaced at a time")
    number(
        "--max-replacing-percent",
        limits.replacing_percent,
        "worker pods replaced at a time, in percent of all sessions, at least one",
    )
    number("--max-replacing-per-node", limits.replacing_per_node, "worker pods replaced at a time on one node")
    return top


def parse(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> Options:
    """Parse; raises UsageError with a sentence, or exits as argparse does (``--help``)."""
    found = parser(os.environ if environ is None else environ).parse_args(arguments)
    if found.command == RELEASE:
        return Options(
            worker_image="",
            command=RELEASE,
            namespaces=option_values.objects("--namespace", found.namespace, "namespace"),
            kubeconfig=found.kubeconfig,
            context=found.context,
            log_level=found.log_level,
        )
    secrets, port = found.worker_image_pull_secret, found.health_port
    known = tuple(AdmissionPolicy)
    return Options(
        worker_image=option_values.image(found.worker_image),
        worker_image_pull_policy=option_values.choice(
            "--worker-image-pull-policy", found.worker_image_pull_policy, PULLS
        ),
        worker_image_pull_secrets=option_values.objects("--worker-image-pull-secret", secrets, "Secret"),
        worker_resources=option_values.resources(found.worker_resources),
        worker_host_aliases=tuple(option_values.alias(text) for text in found.worker_host_alias),
        worker_extra_browser_args=option_values.switches(found.worker_extra_browser_arg),
        pod_security=Level(option_values.choice("--pod-security", found.pod_security, tuple(Level))),
        namespaces=option_values.objects("--namespace", found.namespace, "namespace"),
        kubeconfig=found.kubeconfig,
        context=found.context,
        health_port=None if port is None else option_values.number("--health-port", port, 0, 65535),
        log_level=option_values.choice("--log-level", found.log_level, LEVELS),
        admission_policy=option_values.choice("--admission-policy", found.admission_policy, known),
        workers=option_values.number("--workers", found.workers, 1, 1000),
        limits=_limits(found),
    )


def _limits(found: argparse.Namespace) -> rollout.Limits:
    return rollout.Limits(
        starting=option_values.number("--max-starting", found.max_starting, 1, 100_000),
        replacing=option_values.number("--max-replacing", found.max_replacing, 1, 100_000),
        replacing_percent=option_values.number("--max-replacing-percent", found.max_replacing_percent, 1, 100),
        replacing_per_node=option_values.number("--max-replacing-per-node", found.max_replacing_per_node, 1, 100_000),
    )
