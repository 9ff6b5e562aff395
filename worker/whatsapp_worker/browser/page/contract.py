"""Load the page contract: the packaged table, parts of which a mounted file may replace."""

import json
import pathlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from whatsapp_worker import errors

OVERRIDE = "WHATSAPP_PAGE_CONTRACT"
"""Environment variable that names a file with replacements."""


def load(override: pathlib.Path | None = None) -> Mapping[str, Any]:
    """Return the table; objects of the override replace those of the same name.

    Raises ConfigurationError if the file is no JSON object or has keys that the table does not have.
    """
    table: dict[str, Any] = json.loads(
        resources.files("whatsapp_worker.browser.page").joinpath("contract.json").read_text()
    )
    if override is None:
        return table
    try:
        given = json.loads(override.read_text())
    except (OSError, ValueError) as error:
        raise errors.ConfigurationError(f"the page contract {override} cannot be read: {error}") from error
    if not isinstance(given, dict) or not given.keys() <= table.keys():
        raise errors.ConfigurationError(f"the page contract {override} must be an object with keys of {sorted(table)}")
    for key, value in given.items():
        table[key] = {**table[key], **value} if isinstance(table[key], dict) and isinstance(value, dict) else value
    return table


def script() -> str:
    """Return the function that runs in the page."""
    files = resources.files("whatsapp_worker.browser.page")
    adapter, values = (files.joinpath(name).read_text() for name in ("adapter.js", "values.js"))
    return f"(argument) => ({adapter})(argument, {values})"
