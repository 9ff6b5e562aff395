"""Know the browser profile: on disk, in a snapshot, in an archive."""
