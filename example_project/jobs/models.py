"""The model of the example project."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.urls import reverse

from jobs import pictures
from jobs.storages import FileSystemProxyStorage, GridFSProxyStorage
from jobs.thumbnails import PICTURE_STORAGE, delete_thumbnail, ensure_thumbnail
from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField
from proxy_storage.records.models import StoredFile

MAX_FILE_SIZE = 5 * 2**20


class JobApply(models.Model):
    """An application for a job."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="applications"
    )
    what_you_want = models.CharField("what do you want?", max_length=255)
    resume = ProxyStorageFileField(
        storage=GridFSProxyStorage(),
        allowed_types=["application/pdf", "text/plain"],
        max_size=MAX_FILE_SIZE,
        help_text="A PDF or a text file. Only you and the staff can read it.",
    )
    avatar = ProxyStorageImageField(
        storage=FileSystemProxyStorage(),
        allowed_types=pictures.MIME_TYPES,
        max_size=MAX_FILE_SIZE,
        validators=[pictures.validate_pixels],
        help_text="A picture of you: JPEG, PNG or WebP. All visitors can see it.",
    )
    certificate = ProxyStorageImageField(
        storage=FileSystemProxyStorage(),
        blank=True,
        allowed_types=pictures.MIME_TYPES,
        max_size=MAX_FILE_SIZE,
        validators=[pictures.validate_pixels],
        help_text="A picture: JPEG, PNG or WebP. Only you and the staff can see it.",
    )

    #: The names of the file fields, in the order of the pages.
    FILE_FIELDS = ("resume", "avatar", "certificate")
    PICTURE_FIELDS = ("avatar", "certificate")
    #: The files that can be deleted without the application.
    OPTIONAL_FIELDS = ("certificate",)

    class Meta:
        verbose_name = "job application"

    def __str__(self) -> str:
        return f"{self.user}: {self.what_you_want}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the application, delete replaced files, and make the thumbnails of new pictures."""
        former = self._get_former_files(kwargs.get("update_fields"))
        super().save(*args, **kwargs)
        for name, file in former:
            if file.name != getattr(self, name).name:
                file.delete(save=False)
        for name in self.PICTURE_FIELDS:
            picture = getattr(self, name)
            if picture:
                ensure_thumbnail(picture)

    def get_absolute_url(self) -> str:
        """Return the URL of the application's page."""
        return reverse("application", args=[self.pk])

    def _get_former_files(self, update_fields: Any) -> list[tuple[str, FieldFile]]:
        """Return the files that a save may replace; one query unless the row is new."""
        row = None if self._state.adding else JobApply.objects.filter(pk=self.pk).first()
        files = [] if row is None else row.get_files()
        return [
            (name, file) for name, file in files if update_fields is None or name in update_fields
        ]

    def get_files(self) -> Iterator[tuple[str, FieldFile]]:
        """Yield the name of each field with a file, and the file."""
        for name in self.FILE_FIELDS:
            file = getattr(self, name)
            if file:
                yield name, file


@receiver(post_delete, sender=JobApply)
def delete_files(instance: JobApply, **kwargs: Any) -> None:
    """Delete the files of an application that is deleted, also by the admin or with its user."""
    for _, file in instance.get_files():
        file.delete(save=False)


@receiver(post_delete, sender=StoredFile)
def delete_thumbnail_of_record(instance: StoredFile, **kwargs: Any) -> None:
    """Delete the thumbnail of a picture that is deleted: by a page, the API or the admin."""
    if instance.proxy_storage_name == PICTURE_STORAGE:
        delete_thumbnail(instance.path)
