"""URLs of the example project."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import DefaultRouter
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from jobs.api import ApplicationViewSet

router = DefaultRouter()
router.register("applications", ApplicationViewSet, basename="api-application")

urlpatterns = [
    path("", include("jobs.urls")),
    path("client/", include("client.urls")),
    path("files/", include("proxy_storage_api.urls")),
    path("api/token/", TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("api/token/refresh/", TokenRefreshView.as_view(), name="token_refresh"),
    path("api/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("schema/docs/", SpectacularSwaggerSplitView.as_view(), name="schema-docs"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    # Browsers request it for pages without an icon, such as those of the admin.
    path("favicon.ico", RedirectView.as_view(url=static("jobs/icon.svg"))),
]
