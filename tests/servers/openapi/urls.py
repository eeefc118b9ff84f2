"""URLs of the example project, and the project's own viewset in a router."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet


class LetterViewSet(FileViewSet):
    """Letters; the parameter with the path has another name."""

    path_parameter = "letter"
    storage_parameter = "of"

    def get_meta_backends(self):
        return [get_proxy_storage("letters").meta_backend]


router = SimpleRouter()
router.register("letters", LetterViewSet, basename="letter")

urlpatterns = [path("", include("config.urls")), path("", include(router.urls))]
