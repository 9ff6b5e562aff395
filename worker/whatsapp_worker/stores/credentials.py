"""Read a store's credentials from files, again at each use: a Secret that is changed takes effect without a restart."""

import pathlib
from dataclasses import dataclass

from whatsapp_worker import errors


@dataclass(frozen=True, slots=True)
class Files:
    """A directory with one file for each credential; None if the environment has the credentials."""

    directory: pathlib.Path | None = None

    def read(self, *names: str, optional: tuple[str, ...] = ()) -> tuple[str, ...] | None:
        """Return the stripped contents in order, "" for an optional one that is missing, None without a directory.

        Raises StoreDenied that names the file (SecretMissing: a Secret that is being mounted may appear yet).
        """
        if self.directory is None:
            return None
        return tuple(self._one(self.directory / name, name in optional) for name in (*names, *optional))

    def _one(self, path: pathlib.Path, optional: bool) -> str:
        try:
            text = path.read_text().strip()
        except FileNotFoundError:
            if optional:
                return ""
            raise errors.SecretMissing(f"the store's Secret lacks the key {path.name}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise errors.StoreDenied(
                f"the worker cannot read the key {path.name} of the store's Secret ({type(error).__name__})"
            ) from None
        if not text and not optional:
            raise errors.StoreDenied(f"the store's Secret has an empty {path.name}")
        return text
