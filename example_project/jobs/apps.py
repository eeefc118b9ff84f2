"""The app of the example project."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Applications for a job, with a resume and an avatar each."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
