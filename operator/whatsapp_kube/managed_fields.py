"""Return the fields of an object that a manager has applied, by the object's own record of them.

``metadata.managedFields`` lists, for each manager, the paths of its fields in the format FieldsV1: ``f:<name>`` is a
member of a map, ``k:<JSON>`` an item of a list by its key members, ``v:<JSON>`` an item of a set.
"""

import json
from collections.abc import Mapping
from typing import Any

from whatsapp_session.untrusted import mapping, mappings

_NOTHING = object()


def applied(found: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """Return the fields that a manager has applied, without name, kind and status; empty if it has applied none.

    Equal to the fields of the manifest that it applied last, unless somebody has changed a value since.
    """
    for entry in mappings(mapping(found.get("metadata")).get("managedFields")):
        if (entry.get("manager"), entry.get("operation"), entry.get("subresource")) == (manager, "Apply", None):
            fields = _part(found, mapping(entry.get("fieldsV1")))
            return fields if isinstance(fields, dict) else {}
    return {}


def of_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest in the form of ``applied``: without kind, name and empty values, which no server keeps."""
    without = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in ("name", "namespace")}
    kept = _without_empty({**without, "metadata": metadata})
    return kept if isinstance(kept, dict) else {}


def _part(value: Any, fields: Mapping[str, Any]) -> Any:
    """Return the part of a value that a set of fields names; a set without members names the whole value."""
    named = {name: below for name, below in fields.items() if name != "."}
    if not named:
        return value
    if isinstance(value, Mapping):
        members = ((name[2:], _part(value[name[2:]], below)) for name, below in named.items() if name[2:] in value)
        return dict(members)
    if isinstance(value, list):
        items = ((_item(value, name), below) for name, below in named.items())
        return [_part(item, below) for item, below in items if item is not _NOTHING]
    return value


def _item(items: list[Any], name: str) -> Any:
    """Return the item of a list that a key of FieldsV1 names."""
    kind, _, text = name.partition(":")
    key = json.loads(text)
    for item in items:
        members = isinstance(item, Mapping) and kind == "k" and all(item.get(part) == key[part] for part in key)
        if members or (kind == "v" and item == key):
            return item
    return _NOTHING


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {name: _without_empty(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item is not None and item != {} and item != []}
    return value
