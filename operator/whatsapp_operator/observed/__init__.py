"""Parse resources of the API server into frozen values."""
