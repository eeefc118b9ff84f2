"""The endpoint."""

from django.urls import include, path

urlpatterns = [path("files/", include("proxy_storage_api.urls"))]
