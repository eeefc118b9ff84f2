"""``path("files/", include("proxy_storage_api.urls"))``."""

from django.urls import path

from proxy_storage_api.viewsets import FileViewSet

app_name = "proxy_storage_api"

urlpatterns = [
    path("", FileViewSet.as_view({"get": "download"}), name="files"),
]
