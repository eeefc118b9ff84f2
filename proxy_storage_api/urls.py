"""URLs of the endpoint: ``path("files/", include("proxy_storage_api.urls"))``.

The URL of an action ends with a slash, and the URL with the path of a file does not. So
``files/record`` is the file ``record``, and ``files/record/`` is the action.
"""

from typing import Any

from django.urls import path, re_path

from proxy_storage.endpoint import PATH_KWARG
from proxy_storage_api.viewsets import FileViewSet

app_name = "proxy_storage_api"

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
