"""URLs of the pages."""

from django.urls import path

from jobs.views import ApplyView, HomeView

urlpatterns = [
    path("", HomeView.as_view(), name="home"),
    path("apply/", ApplyView.as_view(), name="apply"),
]
