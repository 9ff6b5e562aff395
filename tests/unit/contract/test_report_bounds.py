"""What a worker writes keeps within the schema, and the schema within 16 kB."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import json_samples, schema_samples
from whatsapp_session import report_bounds
from whatsapp_session.report_bounds import Bound

SESSION = schema_samples.status_session()
ASCII = "^[ -~]*$"
VALIDATOR = jsonschema.Draft7Validator(schema_samples.for_python(SESSION))
INTEGERS = {"int32": report_bounds.INT32, "int64": report_bounds.INT64}


def leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every node of the schema that holds no others by name."""
    if node["type"] == "array":
        yield path, node
        yield from leaves(node["items"], f"{path}[]")
    elif node["type"] == "object":
        assert "additionalProperties" not in node, f"the names of {path} have no bound: name them as properties"
        assert "x-kubernetes-preserve-unknown-fields" not in node, path
        for name, child in node["properties"].items():
            yield from leaves(child, f"{path}.{name}")
    else:
        yield path, node


def most_bytes(node: Mapping[str, Any]) -> int:
    """Return how many bytes of UTF-8 JSON a value of the schema takes at most, but for what JSON escapes."""
    match node["type"]:
        case "array":
            return 2 + int(node["maxItems"]) * (1 + most_bytes(node["items"]))
        case "object":
            return 2 + sum(len(name) + 4 + most_bytes(child) for name, child in node["properties"].items())
        case "string":
            ascii_only = node.get("format") == "date-time" or node.get("pattern") == ASCII
            return 2 + int(node["maxLength"]) * (1 if ascii_only else 4)
        case _:
            return 20


def words(bound: Bound) -> dict[str, Any]:
    """Return what the schema says of a bound."""
    match bound:
        case report_bounds.Word(longest) | report_bounds.Code(longest):
            return {"type": "string", "maxLength": longest, "pattern": ASCII}
        case report_bounds.Text(longest, prose):
            return {"type": "string", "maxLength": longest, "pattern": r"^[\P{Cc}\n\t]*$" if prose else r"^\P{Cc}*$"}
        case report_bounds.Time(longest):
            return {"type": "string", "maxLength": longest, "format": "date-time"}
        case report_bounds.Number(largest):
            return {"type": "integer", "maximum": largest}
        case report_bounds.Flag():
            return {"type": "boolean"}
        case report_bounds.ListOf(longest, item):
            return {"type": "array", "maxItems": longest, "items": words(item)}
        case _:
            return {"type": "object", "properties": {name: words(item) for name, item in bound.items()}}


def bare(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without its descriptions, with the largest number of its format."""
    kept = {name: node[name] for name in ("type", "maxLength", "pattern", "maxItems", "maximum") if name in node}
    if node["type"] == "integer":
        kept["maximum"] = node.get("maximum", INTEGERS[node["format"]])
    elif "format" in node:
        kept["format"] = node["format"]
    if "items" in node:
        kept["items"] = bare(node["items"])
    if "properties" in node:
        kept["properties"] = {name: bare(child) for name, child in node["properties"].items()}
    return kept


def test_every_string_and_list_of_a_report_has_a_bound() -> None:
    bound = {"string": "maxLength", "array": "maxItems"}
    assert [path for path, node in leaves(SESSION) if bound.get(node["type"], "type") not in node] == []


def test_a_report_takes_less_than_16_kb() -> None:
    assert most_bytes(SESSION) < report_bounds.TOTAL_BYTES


def test_the_schema_and_the_worker_know_the_same_bounds() -> None:
    assert bare(SESSION) == words(report_bounds.REPORT)


@given(st.one_of(json_samples.ANYTHING, json_samples.like(SESSION)))
def test_whatever_a_report_holds_its_writer_keeps_within_the_schema(report: Any) -> None:
    written = report_bounds.bounded(report)
    VALIDATOR.validate(written)
    assert report_bounds.bounded(written) == written


@given(schema_samples.accepted(SESSION))
def test_the_samples_of_the_schema_are_what_it_accepts(report: Any) -> None:
    VALIDATOR.validate(report)


@pytest.mark.parametrize("code", ["x" * 1025, "é", "\x1b", ""], ids=["long", "not ASCII", "escape", "empty"])
def test_half_a_code_is_no_code(code: str) -> None:
    found = report_bounds.bounded({"qr": {"code": code, "attempt": 1}, "pairingCode": code})
    assert found == ({"qr": {"code": "", "attempt": 1}, "pairingCode": ""} if code == "" else {})
