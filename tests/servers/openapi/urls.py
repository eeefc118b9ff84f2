"""URLs of the endpoint, and the project's own viewset in a router."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.pagination import RecordPagination
from proxy_storage_api.viewsets import FileViewSet


class LetterViewSet(FileViewSet):
    """Letters, with the paginator of the package; the parameter with the path has another name."""

    path_parameter = "letter"
    storage_parameter = "of"
    pagination_class = RecordPagination

    def get_meta_backends(self):
        return [get_proxy_storage("letters").meta_backend]


router = SimpleRouter()
router.register("letters", LetterViewSet, basename="letter")

urlpatterns = [
    path("files/", include("proxy_storage_api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include(router.urls)),
]
