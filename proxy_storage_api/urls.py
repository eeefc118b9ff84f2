"""URLs of the endpoint: ``path("files/", include("proxy_storage_api.urls"))``.

The URL of an action ends with a slash, and the URL with the path of a file does not. So
``files/record`` is the file ``record``, and ``files/record/`` is the action.
"""

import logging
from typing import Any

from django.apps import apps
from django.urls import path, re_path

from proxy_storage.endpoint import PATH_KWARG
from proxy_storage_api.viewsets import FileViewSet

app_name = "proxy_storage_api"
logger = logging.getLogger(app_name)

if not apps.is_installed(app_name):
    logger.warning(
        "The URLs of proxy_storage_api are used, but 'proxy_storage_api' is not in INSTALLED_APPS. "
        "Add it: without it, manage.py check does not find mistakes in the settings of the "
        "endpoint, and url() of a proxy storage does not return a URL of the endpoint."
    )

# No empty segments: other URLs of the project below files/ may end with a slash.
FILE_PATH_REGEX = r"[^/]+(?:/[^/]+)*"

# The stubs of DRF do not have the attributes of an action.
_extra_actions: list[Any] = FileViewSet.get_extra_actions()

urlpatterns = [
    path(
        "",
        FileViewSet.as_view({"get": "list", "post": "create", "delete": "destroy"}),
        name="files",
    ),
    *(
        path(
            f"{extra.url_path}/",
            FileViewSet.as_view(dict(extra.mapping), **extra.kwargs),
            name=extra.url_name,
        )
        for extra in _extra_actions
    ),
    re_path(
        rf"^(?P<{PATH_KWARG}>{FILE_PATH_REGEX})\Z",
        FileViewSet.as_view({"get": "download", "delete": "destroy"}),
        name="file",
    ),
]
