"""Values that a definition's schema accepts, made from the schema itself as the API server reads it."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from scenes.json_samples import ODD_TEXTS
from whatsapp_session import names

ROOT = Path(__file__).parents[2]
CONTROL = r"\x00-\x1f\x7f-\x9f"
PATTERNS = {
    r"^[ -~]*$": r"^[ -~]*\Z",
    r"^\P{Cc}*$": rf"^[^{CONTROL}]*\Z",
    r"^[\P{Cc}\n\t]*$": rf"^([^{CONTROL}]|[\n\t])*\Z",
}
"""Go's regular expressions, as the API server reads them, and the same for Python."""
ALPHABETS: Mapping[str | None, st.SearchStrategy[str]] = {
    r"^[ -~]*$": st.characters(min_codepoint=0x20, max_codepoint=0x7E),
    r"^\P{Cc}*$": st.characters(exclude_categories=["Cs", "Cc"]),
    r"^[\P{Cc}\n\t]*$": st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"),
    None: st.characters(exclude_categories=["Cs"]),
}


@functools.cache
def status_session() -> Mapping[str, Any]:
    """Return the schema of what a worker reports."""
    items = yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text())
    name = f"{names.SESSION_PLURAL}.{names.GROUP}"
    definition = next(item for item in items if item and item["metadata"]["name"] == name)
    schema: Mapping[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    session: Mapping[str, Any] = schema["properties"]["status"]["properties"]["session"]
    return session


def for_python(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema for Python's validator, which prunes nothing and so must refuse what it does not know."""
    made = {name: value for name, value in node.items() if name != "format"}
    if "pattern" in node:
        made["pattern"] = PATTERNS[node["pattern"]]
    if "items" in node:
        made["items"] = for_python(node["items"])
    if "properties" in node:
        made["properties"] = {name: for_python(child) for name, child in node["properties"].items()}
        made["additionalProperties"] = False
    return made


def accepted(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that the API server accepts for a schema; each member may be absent."""
    match node["type"]:
        case "object":
            members = {name: accepted(child) for name, child in node.get("properties", {}).items()}
            return st.fixed_dictionaries({}, optional=members)
        case "array":
            return st.lists(accepted(node["items"]), max_size=node["maxItems"])
        case "boolean":
            return st.booleans()
        case "integer":
            largest = 2**31 if node["format"] == "int32" else 2**63
            return st.integers(node.get("minimum", -largest), node.get("maximum", largest - 1))
        case _:
            return times(node["maxLength"]) if node.get("format") == "date-time" else _texts(node)


def times(longest: int = 40) -> st.SearchStrategy[str]:
    """Return what the API server takes for a date-time, which is more than RFC 3339."""
    digits = st.integers(0, 59).map("{:02d}".format)
    odd = st.integers(0, 99).map("{:02d}".format)
    offset = st.tuples(st.sampled_from("+-"), odd, odd).map(lambda part: f"{part[0]}{part[1]}:{part[2]}")
    fraction = st.just("") | st.tuples(st.sampled_from(".,x"), st.text("0123456789", min_size=1)).map("".join)
    years = st.sampled_from(["0000", "0001", "1969", "2026", "9999"]) | st.integers(0, 9999).map("{:04d}".format)
    date = st.tuples(years, st.sampled_from(["01-01", "02-28", "12-31"])).map("-".join)
    clock = st.tuples(st.integers(0, 23).map("{:02d}".format), digits, digits).map(":".join)
    made = st.tuples(date, st.sampled_from("tT"), clock, fraction, st.sampled_from("zZ") | offset).map("".join)
    return made.filter(lambda text: len(text) <= longest)


def _texts(node: Mapping[str, Any]) -> st.SearchStrategy[str]:
    alphabet = ALPHABETS[node.get("pattern")]
    odd = [text for text in ODD_TEXTS if len(text) <= node["maxLength"] and _takes(node, text)]
    return st.text(alphabet, max_size=min(node["maxLength"], 60)) | st.sampled_from([*odd, "x" * node["maxLength"]])


def _takes(node: Mapping[str, Any], text: str) -> bool:
    encodes = not any(0xD800 <= ord(letter) < 0xE000 for letter in text)  # JSON of the API server is UTF-8
    return encodes and re.search(PATTERNS.get(node.get("pattern", ""), ""), text) is not None
