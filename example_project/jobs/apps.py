"""The app of the example project."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Job applications, each with a resume and an avatar."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
