from django.conf import settings
from django.db import models
from django_cleanup import cleanup
from imagekit.models import ImageSpecField
from imagekit.processors import ResizeToFill
from simple_history.models import HistoricalRecords
from versatileimagefield.fields import VersatileImageField

from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField


class Picture(models.Model):
    """An image of a user; imagekit's thumbnail of it is in the storage "default" as well."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    image = ProxyStorageImageField(upload_to="pictures/%Y")
    small = ImageSpecField(source="image", processors=[ResizeToFill(10, 10)], format="PNG")


class VersatilePicture(models.Model):
    """An image with thumbnails in a field of django-versatileimagefield."""

    image = VersatileImageField(upload_to="versatile")


@cleanup.select
class CleanedDocument(models.Model):
    """A file that django-cleanup deletes when the row has another, or is deleted."""

    scan = ProxyStorageFileField(upload_to="scans")


@cleanup.select
class CleanedLetter(models.Model):
    """The same with a file in Django's own field."""

    scan = models.FileField(upload_to="scans")


class TracedLetter(models.Model):
    """Files whose former paths are kept in rows of another model."""

    file = models.FileField(upload_to="letters", blank=True)
    scan = ProxyStorageFileField(upload_to="scans", blank=True)
    history = HistoricalRecords()


class Letter(models.Model):
    """A file in Django's own field."""

    title = models.CharField(max_length=50)
    file = models.FileField(upload_to="letters/%Y", blank=True)
