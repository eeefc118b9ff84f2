"""Deliver files through django-sendfile2, with the project's ``SENDFILE_*`` settings.

Source: https://django-sendfile2.readthedocs.io/
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import Storage
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ConfigurationError, ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving import x_accel, x_sendfile
from proxy_storage.serving.base import ServerBase, check_sendfile_type
from proxy_storage.serving.conditional import get_validators
from proxy_storage.serving.local import get_local_file, get_local_problem, require_local_file
from proxy_storage.serving.streaming import STREAMING

# These backends send the file from Python. One of them has no ranges and reads the whole file
# into memory, so StreamingServer replaces them.
_PYTHON_BACKENDS = ("django_sendfile.backends.simple", "django_sendfile.backends.development")
_NGINX_BACKEND = "django_sendfile.backends.nginx"


class SendfileServer(ServerBase):
    """Deliver files below ``SENDFILE_ROOT`` by the backend of django-sendfile2.

    If ``SENDFILE_BACKEND`` is one that sends the file from Python, `StreamingServer` does that.
    """

    @property
    def offloads(self) -> bool:  # type: ignore[override]  # a class attribute of the base class
        """Whether the backend offloads files, and does not send them from Python."""
        return get_setting("SENDFILE_BACKEND") not in _PYTHON_BACKENDS

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why no file of a storage can be delivered, or ``None`` if some can."""
        problem = get_local_problem(original_storage)
        if problem is not None:
            return problem
        folder, root = original_storage.path(""), get_setting("SENDFILE_ROOT")
        if not get_setting("SENDFILE_BACKEND") or root is None:
            return "SendfileServer needs SENDFILE_BACKEND and SENDFILE_ROOT in the settings."
        if get_setting("SENDFILE_BACKEND") == _NGINX_BACKEND and not get_setting("SENDFILE_URL"):
            return "SendfileServer needs SENDFILE_URL, the internal location of nginx."
        if not (is_below(folder, root) or is_below(root, folder)):
            return f"The files in {folder!r} are not below SENDFILE_ROOT, which is {root!r}."
        return None

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Return the response of django-sendfile2's backend, with the headers of the file."""
        file = require_local_file(meta_backend_obj)
        problem = self.get_problem(file.storage)
        if problem is not None or not is_below(file.path, get_setting("SENDFILE_ROOT")):
            raise ServingError(problem or f"{file.path!r} is not below SENDFILE_ROOT.")
        if get_setting("SENDFILE_BACKEND") in _PYTHON_BACKENDS:
            return STREAMING.serve(request, meta_backend_obj, headers)
        response: Any = get_sendfile()(request, file.path, attachment_filename=False)
        if x_sendfile.HEADER in response:
            # XSendfileServer encodes the path correctly and answers conditional requests.
            server = x_sendfile.XSendfileServer()
            return server.offload(request, meta_backend_obj, headers, file)
        if x_accel.HEADER in response:
            check_sendfile_type(request, x_accel.HEADER)
        # The backend sets the length of the file, although the body is empty, and an encoding
        # guessed from the name, although the file is sent as it is.
        del response["Content-Length"]
        del response["Content-Encoding"]
        validators = get_validators(meta_backend_obj, file)
        for header, value in {**headers, **validators.headers}.items():
            response[header] = value
        return response  # type: ignore[no-any-return]  # It has no types.


def is_below_sendfile_root(meta_backend_obj: MetaBackendObject) -> bool:
    """Return whether the project has set up django-sendfile2 and it can deliver a file."""
    if not get_setting("SENDFILE_BACKEND"):
        return False  # Most projects do not use django-sendfile2. The file is not looked up.
    file = get_local_file(meta_backend_obj)
    if file is None or SENDFILE.get_problem(file.storage) is not None:
        return False
    return is_below(file.path, get_setting("SENDFILE_ROOT"))


#: Delivers files for which no server is configured, if the project uses django-sendfile2
SENDFILE = SendfileServer()


def get_setting(name: str) -> Any:
    """Return a setting of django-sendfile2, or ``None``."""
    return getattr(settings, name, None)


def is_below(path: str, folder: str | os.PathLike[str]) -> bool:
    """Return whether a path is inside a folder, or is the folder."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def get_sendfile() -> Any:
    """Return the function of django-sendfile2.

    Raises:
        ConfigurationError: the package is not installed.
    """
    try:
        from django_sendfile import sendfile
    except ImportError as error:
        raise ConfigurationError(
            "SendfileServer needs django-sendfile2. Install it with: "
            'pip install "django-proxy-storage[api]"'
        ) from error
    return sendfile
