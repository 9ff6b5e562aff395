"""Values of JSON of every shape, for tests of what reads them."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

ODD_TEXTS = (
    "\x1b[2J", "\ud800", "\u202e", "[" * 1200, "9999-12-31T23:59:59Z", "2026-01-01T12:00:00+99:99",
    "2026-01-01t12:00:00z", "0000-01-01T00:00:00Z", "Connected", "", " ", "0",
)  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(ODD_TEXTS), st.text(max_size=40), st.text(st.characters(categories=["Cs", "Cc", "Cf"]), max_size=5)
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), TEXT
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def like(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values with the members of a schema, each of any shape; some of the right one but too long."""
    match node["type"]:
        case "object":
            members = {name: like(child) | SCALARS for name, child in node.get("properties", {}).items()}
            return st.fixed_dictionaries({"other": SCALARS}, optional=members)
        case "array":
            return st.lists(like(node["items"]), max_size=6)
        case "string":
            return TEXT | st.sampled_from(["x" * 9000, "é" * 9000, "2026-01-01T00:00:00Z"])
        case "integer":
            return st.integers() | st.just(10**400)
        case _:
            return st.booleans()
