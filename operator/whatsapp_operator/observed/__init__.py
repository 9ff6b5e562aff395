"""Hold what was observed, as frozen values, and parse it."""
