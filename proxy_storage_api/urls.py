"""``path("files/", include("proxy_storage_api.urls"))``."""

from django.urls import path

from proxy_storage_api.viewsets import FileViewSet

app_name = "proxy_storage_api"

urlpatterns = [
    path("", FileViewSet.as_view({"get": "list", "post": "create"}), name="files"),
    *(
        path(
            f"{extra.url_path}/",
            FileViewSet.as_view(dict(extra.mapping), **extra.kwargs),
            name=extra.url_name,
        )
        for extra in FileViewSet.get_extra_actions()
    ),
]
