"""Build the manifests of a session: specification in, plain dicts out; one module a kind."""
