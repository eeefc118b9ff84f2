"""URLs of the endpoint: ``path("files/", include("proxy_storage_api.urls"))``."""

from typing import Any

from django.urls import path

from proxy_storage_api.viewsets import FileViewSet

app_name = "proxy_storage_api"

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
]
