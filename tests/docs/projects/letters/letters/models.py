from django.conf import settings
from django.db import models

from proxy_storage.db.fields import ProxyStorageFileField


class Letter(models.Model):
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    scan = ProxyStorageFileField(upload_to="scans/")
