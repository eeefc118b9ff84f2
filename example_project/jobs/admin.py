"""Job applications in Django's admin. The records have pages of the app proxy_storage.records."""

from django.contrib import admin

from jobs.models import JobApply


@admin.register(JobApply)
class JobApplyAdmin(admin.ModelAdmin):
    """All fields. The links to files lead to the download endpoint."""

    list_display = ["user", "what_you_want", "resume", "avatar", "certificate"]
    list_select_related = ["user"]
    search_fields = ["user__username", "what_you_want"]
