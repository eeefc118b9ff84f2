"""The columns that the document of each contender has."""

from django.conf import settings
from django.db import models


class DocumentBase(models.Model):
    """A document with one owner. Each contender adds the field ``file``."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    # The name of the upload, for contenders that accept a name for the download.
    name = models.CharField(max_length=255, blank=True)

    class Meta:
        abstract = True


def get_folder(document, filename):
    """Return the path of an upload: each user has a folder."""
    return f"user_{document.owner_id}/{filename}"
