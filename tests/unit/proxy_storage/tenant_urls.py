"""URLs whose endpoint has the name of a tenant as an argument."""

from django.urls import include, path

files = (
    [path("files/", include("proxy_storage_api.urls"))],
    "tenant",
)
urlpatterns = [path("<tenant>/", include(files))]
