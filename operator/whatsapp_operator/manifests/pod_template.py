"""Merge a podTemplate into the operator's pod: maps deeply, keyed lists by key; other lists are replaced."""

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

# The keys of strategic merge patch, which the API server only offers for stored objects.
_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "env": "name",
    "volumeMounts": "mountPath",
}


def merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> Manifest:
    """Return ``base`` with ``overlay`` over it; neither is changed."""
    result: Manifest = dict(base)
    for name, value in overlay.items():
        result[name] = _value(name, result.get(name), value)
    return result


def _value(name: str, old: Any, new: Any) -> Any:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return merged(old, new)
    key = _KEYS.get(name)
    if key is not None and isinstance(old, list) and isinstance(new, list):
        return _keyed(key, old, new)
    return new


def _keyed(key: str, old: list[Any], new: list[Any]) -> list[Any]:
    result = {item[key]: item for item in old}
    nameless = [item for item in new if not isinstance(item, Mapping) or not isinstance(item.get(key), str)]
    for item in new:
        if item in nameless:
            continue
        # An environment variable has either a value or a source, so it is replaced as a whole.
        whole = "value" in item or "valueFrom" in item
        result[item[key]] = item if whole else merged(result.get(item[key], {}), item)
    # Items without a key are appended unchanged; the API server rejects them with a message.
    return [*result.values(), *nameless]
