"""The model of the example project."""

from django.conf import settings
from django.db import models

from jobs.storages import FileSystemProxyStorage, GridFSProxyStorage
from proxy_storage.db.fields import ProxyStorageFileField


class JobApply(models.Model):
    """An application for a job."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    what_you_want = models.CharField(max_length=255)
    resume = ProxyStorageFileField(storage=GridFSProxyStorage())
    avatar = ProxyStorageFileField(storage=FileSystemProxyStorage())

    class Meta:
        verbose_name = "job application"

    def __str__(self) -> str:
        return f"{self.user}: {self.what_you_want}"
