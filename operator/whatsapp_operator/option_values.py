"""Parse the value of each option; a value that can never work raises a UsageError that names the option. Pure."""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from whatsapp_operator.errors import UsageError
from whatsapp_operator.manifests import pod_security
from whatsapp_operator.manifests.pod_shape import SCHEDULING, STORE_POD_RESOURCES, PodSettings

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL.pattern}([.]{_LABEL.pattern})*")
_IMAGE: Final = re.compile(
    r"((([A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?)|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/)?"
    r"[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?(@[A-Za-z0-9][-+._A-Za-z0-9]*:[0-9A-Fa-f]{32,128})?"
)
"""The same pattern as in the CRD of SessionStore for spec.custom.image."""
_SWITCH: Final = re.compile(r"--[a-z][ -~]*")
_QUANTITY: Final = re.compile(
    r"(?P<number>[0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:(?P<suffix>[numkKMGTPE]i?)|[eE](?P<power>[-+]?[0-9]{1,2}))?"
)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_EXAMPLE: Final = 'must be a JSON object such as {"requests": {"memory": "512Mi"}}'
_OF_PODS: Final[Mapping[str, type]] = {
    "labels": dict,
    "annotations": dict,
    "securityContext": dict,
    "storePodResources": dict,
}
_SHAPES: Final[Mapping[type, str]] = {dict: "an object", list: "a list", str: "a string"}


def number(option: str, text: str, least: int, most: int) -> int:
    """Return a whole number between two bounds."""
    # The pattern limits the number of digits: Python refuses to parse thousands of them.
    value = int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
    if value is None or not least <= value <= most:
        raise UsageError(f"{option} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return value


def choice(option: str, text: str, known: Sequence[str]) -> str:
    """Return one of the known values: argparse does not check a default that the environment gives."""
    if text not in known:
        raise UsageError(f"{option} must be one of {', '.join(known)}, not {text[:40]!r}")
    return text


def image(text: str) -> str:
    """Return the reference of an image."""
    if not _IMAGE.fullmatch(text):
        raise UsageError(f"--worker-image must be an image such as registry.example.com/worker:1.0, not {text[:80]!r}")
    return text


def objects(option: str, texts: Sequence[str], kind: str) -> tuple[str, ...]:
    """Return names of Kubernetes objects."""
    shape = _LABEL if kind == "namespace" else _SUBDOMAIN
    for text in texts:
        if not shape.fullmatch(text):
            raise UsageError(
                f"{option} must be the name of a {kind} (lower-case letters, digits and '-'), not {text!r}"
            )
    return tuple(texts)


def switches(texts: Sequence[str]) -> tuple[str, ...]:
    """Return switches for the browser."""
    for text in texts:
        if not _SWITCH.fullmatch(text):
            raise UsageError(
                "--worker-extra-browser-arg must be a switch that begins with '--', such as --lang=de,"
                f" not {text[:80]!r}"
            )
    return tuple(texts)


def alias(text: str) -> Mapping[str, Any]:
    """Return an entry of /etc/hosts."""
    address, _, hosts = text.partition("=")
    names = hosts.split(",")
    try:
        ipaddress.ip_address(address)
        known = all(_SUBDOMAIN.fullmatch(name) for name in names)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"--worker-host-alias must be IP=HOST[,HOST], such as 10.0.0.1=web.whatsapp.com, not {text!r}")
    return {"ip": address, "hostnames": names}


def resources(option: str, text: str) -> Mapping[str, Any]:
    """Return requests and limits of a container."""
    return _resources(option, _parsed(text))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _resources(option: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{option} {_EXAMPLE}")
    amounts = {part: _amounts(option, part, value[part]) for part in value}
    for name, requested in amounts.get("requests", {}).items():
        if requested > amounts.get("limits", {}).get(name, requested):
            raise UsageError(f"{option} has a request for {name} above its limit; raise the limit")
    return value


def _amounts(option: str, part: str, value: Any) -> Mapping[str, Decimal]:
    if part not in ("requests", "limits") or not isinstance(value, dict):
        raise UsageError(f"{option} {_EXAMPLE}; it may only contain requests and limits")
    found = {name: _quantity(amount) for name, amount in value.items()}
    wrong = [name for name, amount in found.items() if amount is None]
    if wrong:
        raise UsageError(f"{option} needs a quantity such as 512Mi or 500m for {part}.{wrong[0][:40]}")
    return {name: amount for name, amount in found.items() if amount is not None}


def pod_settings(option: str, text: str) -> PodSettings:
    """Return what is the same for every pod; what is inside its parts, the API server judges."""
    value = _parsed(text)
    if not isinstance(value, dict):
        raise UsageError(f'{option} must be a JSON object such as {{"nodeSelector": {{"disk": "ssd"}}}}')
    known = {**_OF_PODS, **SCHEDULING}
    for name, part in value.items():
        if name not in known:
            raise UsageError(f"{option} does not know {name[:40]!r}; it takes {', '.join(known)}")
        if not isinstance(part, known[name]):
            raise UsageError(f"{option}: {name} must be {_SHAPES[known[name]]}")
    for name in ("labels", "annotations", "nodeSelector"):
        if not all(isinstance(part, str) for part in value.get(name, {}).values()):
            raise UsageError(f"{option}: the values of {name} must be strings")
    store_resources = value.get("storePodResources") or STORE_POD_RESOURCES
    return PodSettings(
        labels=value.get("labels", {}),
        annotations=value.get("annotations", {}),
        security_context=value.get("securityContext", pod_security.ids()),
        scheduling={name: part for name, part in value.items() if name in SCHEDULING and part},
        store_resources=_resources(f"{option}: storePodResources", store_resources),
    )


def _quantity(value: Any) -> Decimal | None:
    match = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None or isinstance(value, bool) or len(match["number"]) > 30:
        return None
    amount, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix in _BINARY:
        return amount * Decimal(1024 ** _BINARY[suffix])
    if suffix and suffix not in _DECIMAL:
        return None
    return amount.scaleb(_DECIMAL[suffix] if suffix else int(match["power"] or 0))
