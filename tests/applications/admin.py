from django.contrib import admin
from import_export.admin import ImportExportModelAdmin

from tests.applications.models import Letter, Picture

admin.site.register(Picture)


@admin.register(Letter)
class LetterAdmin(ImportExportModelAdmin):
    """Letters can be imported from a file."""
