from django.contrib import admin
from django.urls import include, path
from drf_chunked_upload.views import ChunkedUploadView
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

urlpatterns = [
    path("files/", include("proxy_storage_api.urls")),
    path("__debug__/", include("debug_toolbar.urls")),
    path("admin/", admin.site.urls),
    path("cms/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("uploads/", ChunkedUploadView.as_view(), name="chunkedupload-list"),
    path("uploads/<uuid:pk>/", ChunkedUploadView.as_view(), name="chunkedupload-detail"),
]
