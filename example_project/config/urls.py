"""URLs of the example project."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path("", include("jobs.urls")),
    path("files/", include("proxy_storage_api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
