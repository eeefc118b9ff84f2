"""URLs of the endpoint: ``path("files/", include("proxy_storage_api.urls"))``."""

import logging
from typing import Any

from django.apps import apps
from django.urls import path

from proxy_storage_api.viewsets import FileViewSet

app_name = "proxy_storage_api"
logger = logging.getLogger(app_name)

if not apps.is_installed(app_name):
    logger.warning(
        "The URLs of proxy_storage_api are used, but 'proxy_storage_api' is not in INSTALLED_APPS. "
        "Add it: without it, manage.py check does not find mistakes in the settings of the "
        "endpoint, and url() of a proxy storage does not return a URL of the endpoint."
    )

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
