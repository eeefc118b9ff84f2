"""The secret key of a site that was started without one."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def read_secret_key(file: Path) -> str:
    """Return the key in a file, which is created with a random key that only its owner can read.

    A key in the source code would be known to all readers: they could sign sessions, tokens and
    links of each site that uses the settings unchanged.

    Args:
        file: the file. Its folder exists.
    """
    if not file.exists():
        with NamedTemporaryFile("w", dir=file.parent) as new:
            new.write(secrets.token_urlsafe(50))
            new.flush()
            # A link is made at once or not at all: of two processes, one creates the file.
            with suppress(FileExistsError):
                os.link(new.name, file)
    return file.read_text()
