"""The URLs of the project: those of the contender, and those that prepare a case."""

from importlib import import_module

from django.conf import settings
from django.urls import path

from tests.comparison.site import views

urlpatterns = [
    path("login/", views.log_in),
    path("logout/", views.log_out),
    path("upload/", views.upload),
    path("replace/<int:pk>/", views.upload),
    path("delete/<int:pk>/", views.delete),
    path("give/<int:pk>/", views.give),
    path("deactivate/", views.deactivate),
    *import_module(f"tests.comparison.contenders.{settings.CONTENDER}.urls").urlpatterns,
]
