"""Job applications in Django's admin."""

from django.contrib import admin

from jobs.models import JobApply


@admin.register(JobApply)
class JobApplyAdmin(admin.ModelAdmin):
    """All fields. The links to files lead to the download endpoint."""

    list_display = ["user", "what_you_want", "resume", "avatar"]
