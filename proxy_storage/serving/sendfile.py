"""django-sendfile2 delivers the bytes, by the project's ``SENDFILE_*`` settings.

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
from proxy_storage.serving.base import ServerBase, require_front
from proxy_storage.serving.conditional import get_validators
from proxy_storage.serving.local import (
    get_local_file,
    get_local_problem,
    require_local_file,
)
from proxy_storage.serving.streaming import STREAMING
from proxy_storage.serving.x_sendfile import XSendfileServer

# these two have Python deliver, one without ranges and with the whole file in memory
_PYTHON_BACKENDS = ("django_sendfile.backends.simple", "django_sendfile.backends.development")
_NGINX_BACKEND = "django_sendfile.backends.nginx"


class SendfileServer(ServerBase):
    """Let django-sendfile2 say how a file below ``SENDFILE_ROOT`` is delivered.

    Where ``SENDFILE_BACKEND`` has Python deliver, `StreamingServer` does so.
    """

    hands_over = True

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why no file of a storage can be delivered, if none can."""
        problem = get_local_problem(original_storage)
        if problem is not None:
            return problem
        folder, root = original_storage.path(""), get_setting("SENDFILE_ROOT")
        if not get_setting("SENDFILE_BACKEND") or root is None:
            return "SendfileServer needs SENDFILE_BACKEND and SENDFILE_ROOT in the settings."
        if get_setting("SENDFILE_BACKEND") == _NGINX_BACKEND and not get_setting("SENDFILE_URL"):
            return "SendfileServer needs SENDFILE_URL, the internal location of nginx."
        if not (is_below(folder, root) or is_below(root, folder)):
            return f"The files in {folder!r} do not lie below SENDFILE_ROOT, which is {root!r}."
        return None

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer as the backend of django-sendfile2 does, with our headers."""
        file = require_local_file(meta_backend_obj)
        problem = self.get_problem(file.storage)
        if problem is not None or not is_below(file.path, get_setting("SENDFILE_ROOT")):
            raise ServingError(problem or f"{file.path!r} does not lie below SENDFILE_ROOT.")
        if get_setting("SENDFILE_BACKEND") in _PYTHON_BACKENDS:
            return STREAMING.serve(request, meta_backend_obj, headers)
        response: Any = get_sendfile()(request, file.path, attachment_filename=False)
        if "X-Sendfile" in response:  # whose spelling and conditions take more
            return XSendfileServer().hand_over(request, meta_backend_obj, headers, file)
        if "X-Accel-Redirect" in response:
            require_front(request, "X-Accel-Redirect")
        # it takes these two for granted: a length that no body has, and an unpacked content
        del response["Content-Length"]
        del response["Content-Encoding"]
        validators = get_validators(meta_backend_obj, file)
        for header, value in {**headers, **validators.headers}.items():
            response[header] = value
        handed_over: HttpResponseBase = response
        return handed_over


def is_set_up_for(meta_backend_obj: MetaBackendObject) -> bool:
    """Tell whether the project has set django-sendfile2 up, and a file lies where it looks."""
    if not get_setting("SENDFILE_BACKEND"):
        return False  # most have not, and need not wait for a look at the file
    file = get_local_file(meta_backend_obj)
    if file is None or SendfileServer().get_problem(file.storage) is not None:
        return False
    return is_below(file.path, get_setting("SENDFILE_ROOT"))


def get_setting(name: str) -> Any:
    """Return a setting of django-sendfile2, or ``None``."""
    return getattr(settings, name, None)


def is_below(path: str, folder: str | os.PathLike[str]) -> bool:
    """Tell whether a path lies in a folder, or is it."""
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
            "SendfileServer needs django-sendfile2: pip install 'django-proxy-storage[api]'"
        ) from error
    return sendfile
