from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("files/", include("proxy_storage_api.urls")),
    path("admin/", admin.site.urls),
]
