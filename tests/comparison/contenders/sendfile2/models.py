"""The document, with Django's file field."""

from django.db import models

from tests.comparison.site.models import DocumentBase, get_folder


class Document(DocumentBase):
    """A document of views with django-sendfile2."""

    file = models.FileField(upload_to=get_folder)
