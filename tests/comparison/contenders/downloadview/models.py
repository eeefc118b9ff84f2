"""The document, with Django's file field on a storage that has a URL of its own."""

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.db import models

from tests.comparison.site.models import DocumentBase, get_folder


def get_storage():
    return FileSystemStorage(location=settings.FILES_ROOT, base_url="/media/documents/")


class Document(DocumentBase):
    """A document of django-downloadview."""

    file = models.FileField(upload_to=get_folder, storage=get_storage)
