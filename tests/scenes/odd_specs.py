"""Specifications of sessions and stores with odd values in them, made from the definitions; the same for one seed."""

import copy
import functools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from whatsapp_session import names

Manifest = dict[str, Any]
Path_ = tuple[str | int, ...]
INSTALL = Path(__file__).parents[2] / "deploy" / "install.yaml"
PLURALS = {names.SESSION_KIND: names.SESSION_PLURAL, names.STORE_KIND: names.STORE_PLURAL}
TEXTS = (
    "", " ", "a", "A b", "a\nb", "\x00", "\u202e", "ü", "😀", "-a", "a-", "a..b", "../..", "/", "x" * 63, "x" * 64,
    "x" * 300, "0", "-1", "null", "true", "$(HOME)", "${X}", "{{ x }}", "%s", "a=b", "999999h999999m999999s", "0s",
    "1ms", "1e999", "-1Gi", "0.5Gi", "9E", "1m", "http://", "https://[", "https://h:70000", "s3://b", "--", "--a=\n",
    "mongodb://u:p@h", "*",
)  # fmt: skip
EXAMPLES: Mapping[str, Sequence[Any]] = {
    "claimName": ("archives", "mine", "a.b"),
    "path": ("a/b", "Büro 1", "."),
    "dataPath": ("a/b", ".x"),
    "bucket": ("archives", "My.Bucket_1"),
    "remoteDataPath": ("a/b", "x"),
    "region": ("eu-central-1", "us-east-1"),
    "endpoint": ("http://minio:9000", "https://[fd00::1]", "https://x.example.com/a"),
    "kmsKeyId": ("alias/key",),
    "database": ("whatsapp", "admin"),
    "name": ("default", "archive", "gone", "mine", "worker"),
    "key": ("value", "a.b"),
    "mountPath": ("/mnt",),
    "uriSecretRef": ({"name": "login", "key": "uri"},),
    "keySecretRef": ({"name": "key", "key": "value"},),
    "image": ("store:1", "r.example.com/a/b@sha256:" + "a" * 64),
    "prefix": ("A_", "whatsapp_"),
    "clientId": ("", "-", "Support_1"),
    "size": ("1Mi", "500M", "1.5Ti", "7E"),
    "storageClassName": ("", "fast"),
    "expectedAccount": ("4915100000000", "12345@c.us"),
    "backupSyncInterval": ("1m", "999999h", "0h60s"),
    "timeout": ("0s", "30s", "999999h"),
    "leaseDuration": ("30s", "10m"),
    "url": ("https://web.example.com:8443/?a=b@c", "https://[::1]/"),
    "userAgent": ("Mine/1.0", "x" * 512),
    "archiveSize": ("1Ki", "999999999Ti"),
    "memory": ("1Ki", "999999999Ti"),
}
"""Values that the definitions take, by the field's name."""
REMOTE = {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}
BASES: Mapping[str, Sequence[Manifest]] = {
    names.SESSION_KIND: (
        {},
        {"auth": REMOTE},
        {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"storeRef": {"name": "archive"}}}},
        {"auth": {"strategy": "LocalAuth", "localAuth": {}}},
        {"auth": {"strategy": "NoAuth"}},
        {"operatingMode": "Suspended"},
        {"podTemplate": {"spec": {"containers": [{"name": "worker"}, {"name": "bot", "image": "bot:1"}]}}},
        {"podTemplate": {"spec": {"containers": [{"name": "worker"}]}}},
    ),
    names.STORE_KIND: (
        {"filesystem": {"claimName": "archives"}},
        {"s3": {"bucket": "archives"}},
        {"mongodb": {"uriSecretRef": {"name": "login", "key": "uri"}, "database": "whatsapp"}},
        {"custom": {"name": "mine"}},
    ),
}
POD_PARTS = (
    "resources", "securityContext", "tolerations", "affinity", "nodeSelector", "volumes", "volumeMounts", "env", "name",
    "envFrom", "ports", "image", "command", "priority", "dnsConfig", "hostAliases", "imagePullSecrets", "lifecycle",
    "topologySpreadConstraints", "terminationGracePeriodSeconds", "livenessProbe", "unknownField", "schedulerName",
)  # fmt: skip
ALONE = ("filesystem", "s3", "mongodb", "custom", "remoteAuth", "localAuth")
"""Fields of which a specification has one: another one beside it is refused, and shows nothing more."""


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a specification, and its schema."""

    path: Path_
    schema: Mapping[str, Any]


@functools.cache
def fields(kind: str) -> tuple[Field, ...]:
    """Return every field of a kind's specification."""
    items = yaml.safe_load_all(INSTALL.read_text())
    name = f"{PLURALS[kind]}.{names.GROUP}"
    definition = next(item for item in items if item and item["metadata"]["name"] == name)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return tuple(_fields(schema, ()))


def _fields(schema: Mapping[str, Any], path: Path_) -> Iterator[Field]:
    for name, child in schema.get("properties", {}).items():
        yield Field((*path, name), child)
        yield from _fields(child, (*path, name))
    if "items" in schema:
        yield Field((*path, 0), schema["items"])
        yield from _fields(schema["items"], (*path, 0))


class Maker:
    """Makes specifications; ``chance`` decides."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def spec(self, kind: str) -> Manifest:
        """Return a specification with one to four odd or unusual values."""
        made = copy.deepcopy(self._chance.choice(BASES[kind]))
        for _ in range(self._chance.randint(1, 4)):
            self.change(kind, made)
        return made

    def change(self, kind: str, spec: Manifest) -> None:
        """Give one field of a specification another value."""
        there = [field for field in fields(kind) if not _beside(field.path, spec)]
        # First the member: a pod's template has more fields than all others together.
        member = self._chance.choice(sorted({str(field.path[0]) for field in there}))
        if member == "podTemplate" and self._chance.random() < 0.5:
            self._put(kind, spec, self._place_in_a_pod(), self._anything(depth=1))
            return
        field = self._chance.choice([field for field in there if field.path[0] == member])
        self._put(kind, spec, field.path, self._value(field, depth=0))

    def _place_in_a_pod(self) -> Path_:
        """Return a field of a pod or a container that the definition leaves to the API server."""
        part, container = self._chance.choice(POD_PARTS), self._chance.choice(("containers", "initContainers"))
        return self._chance.choice((("podTemplate", "spec", part), ("podTemplate", "spec", container, 0, part)))

    def metadata(self) -> Manifest:
        """Return annotations and labels as users and tools write them, requests among them."""
        requests = ("restart", "relink", "save", "takeover", "skip-purge", "nonsense")
        times = ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "now", "x" * 300, "2026-01-01T00:00:00+99:99", "")
        found = {names.request_annotation(self._chance.choice(requests)): self._chance.choice(times)}
        return self._chance.choice(({}, {}, {"annotations": found}, {"labels": {"team": "a"}}))

    def _value(self, field: Field, depth: int) -> Any:
        schema, name = field.schema, field.path[-1]
        if self._chance.random() < 0.03:
            return self._anything(depth)
        match schema.get("type"):
            case "string":
                return self._text(schema, str(name))
            case "integer":
                low, high = schema.get("minimum", 0), schema.get("maximum", 2**31 - 1)
                return self._chance.choice((low, high, low - 1, high + 1, 0, 1, 5, 2**31))
            case "boolean":
                return self._chance.random() < 0.5
            case "array":
                items = Field((*field.path, 0), schema["items"])
                return [self._value(items, depth + 1) for _ in range(self._chance.randint(0, 2))]
            case "object":
                return self._object(field, depth)
            case _:
                return self._anything(depth)

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        if "enum" in schema and self._chance.random() < 0.8:
            return str(self._chance.choice(schema["enum"]))
        known = EXAMPLES.get(name, ())
        return str(self._chance.choice(known if known and self._chance.random() < 0.6 else TEXTS))

    def _object(self, field: Field, depth: int) -> Any:
        schema = field.schema
        if "additionalProperties" in schema:
            keys = self._chance.choices(
                ("a", "team/role", "a..b/c", "A b", "x" * 64, "", "whatsapp-operator.dev/x"), k=2
            )
            return {key: self._chance.choice(TEXTS) for key in keys}
        made: Manifest = {}
        for name, child in schema.get("properties", {}).items():
            if name in schema.get("required", ()) or self._chance.random() < 0.2:
                made[name] = self._value(Field((*field.path, name), child), depth + 1)
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            for _ in range(self._chance.randint(0, 2)):
                made[self._chance.choice(POD_PARTS)] = self._anything(depth + 1)
        return made

    def _put(self, kind: str, spec: Manifest, path: Path_, value: Any) -> None:
        """Set a value; what is between is made where it is missing, with what the definition requires."""
        found: Any = spec
        for end in range(1, len(path)):
            empty: Any = [] if isinstance(path[end], int) else self._required(kind, path[:end])
            step = path[end - 1]
            if isinstance(step, str):
                found = found.setdefault(step, empty)
            else:
                found[:] = found or [empty]
                found = found[0]
            if not isinstance(found, type(empty)):
                return  # an odd value stands there already
        if isinstance(found, list):
            found[:1] = [value]
        else:
            found[path[-1]] = value

    def _required(self, kind: str, path: Path_) -> Manifest:
        schema = next(field.schema for field in fields(kind) if field.path == path)
        members = {name: schema["properties"][name] for name in schema.get("required", ())}
        return {name: EXAMPLES.get(name, ("AES256",))[0] for name in members}

    def _anything(self, depth: int) -> Any:
        simple = (
            None,
            True,
            0,
            -1,
            2**40,
            1.5,
            *self._chance.choices(TEXTS, k=4),
            {},
            [],
            {"name": "a"},
            [{"name": "a"}],
        )
        if depth > 3 or self._chance.random() < 0.6:
            return copy.deepcopy(self._chance.choice(simple))
        if self._chance.random() < 0.5:
            return [self._anything(depth + 1) for _ in range(2)]
        return {self._chance.choice(POD_PARTS): self._anything(depth + 1) for _ in range(2)}


def _beside(path: Path_, spec: Manifest) -> bool:
    """Return whether a field belongs to one of several members, another of which the specification has."""
    found: Any = spec
    for step in path:
        if step in ALONE:
            return not (isinstance(found, dict) and step in found)
        found = found.get(step) if isinstance(found, dict) else None
    return False
