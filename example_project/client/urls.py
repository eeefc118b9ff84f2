"""The page of the client. Everything else it needs is in the API and in the static files."""

from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [
    path("", TemplateView.as_view(template_name="client/index.html"), name="client"),
]
