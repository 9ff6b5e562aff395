"""Build manifests as plain dicts from specs; one module per kind of object."""
