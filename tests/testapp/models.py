import uuid

from django.conf import settings
from django.db import models

from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    FileFactsMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
)
from tests.testapp.storages import (
    ElsewhereStorage,
    MongoDiskStorage,
    MongoGridFSStorage,
    OrmDiskStorage,
)


class StoredFile(
    ContentObjectFieldMixin,
    OriginalStorageNameMixin,
    FileFactsMixin,
    LinkVersionMixin,
    ProxyStorageModelBase,
):
    """Records with all that they can have."""


class PlainStoredFile(ProxyStorageModelBase):
    """Records with nothing but what they must have."""


class TablelessStoredFile(ProxyStorageModelBase):
    """Records whose table nobody has made."""

    class Meta:
        managed = False


class ElsewhereStoredFile(ContentObjectFieldMixin, ProxyStorageModelBase):
    """Records in another database than everything else."""


class NamedStoredFile(OriginalStorageNameMixin, ProxyStorageModelBase):
    """Records that name their original storage."""


class Team(models.Model):
    members = models.ManyToManyField(settings.AUTH_USER_MODEL)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, to_field="username", null=True, related_name="+"
    )


class TwoFiles(models.Model):
    """A base for models with one file on each meta backend."""

    title = models.CharField(max_length=50, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    teams = models.ManyToManyField(Team, blank=True)
    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoGridFSStorage(), blank=True)

    class Meta:
        abstract = True

    def can_read_file(self, user, field):
        return self.title == f"{field} for {user.username}"

    @classmethod
    def readable_by(cls, user, field):
        return cls.objects.filter(title=f"{field} for {user.username}")


class Document(TwoFiles):
    """Files of an instance that belongs to a user."""


class ScannedDocument(Document):
    pages = models.IntegerField(default=1)


class ProxyDocument(Document):
    class Meta:
        proxy = True


class KeyedDocument(TwoFiles):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class ElsewhereDocument(models.Model):
    file = ProxyStorageFileField(storage=ElsewhereStorage(), blank=True)


class NamedDocument(TwoFiles):
    code = models.CharField(max_length=20, primary_key=True)


class DiskDocument(models.Model):
    """Files on disk, for what only a file system shows."""

    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoDiskStorage(), blank=True)
    orm_default = ProxyStorageFileField(storage=OrmDiskStorage(), default="/blank/form.txt")
    mongo_default = ProxyStorageFileField(storage=MongoDiskStorage(), default="/blank/form.txt")


class Picture(models.Model):
    """Images that a form has to bring, one of which tells the row its size."""

    title = models.CharField(max_length=50, blank=True)
    orm_image = ProxyStorageImageField(
        storage=OrmDiskStorage(), width_field="width", height_field="height"
    )
    mongo_image = ProxyStorageImageField(storage=MongoDiskStorage())
    width = models.IntegerField(null=True, editable=False)
    height = models.IntegerField(null=True, editable=False)


class PlainDocument(models.Model):
    """Files in fields of Django's own, which write no owner."""

    orm_file = models.FileField(storage=OrmDiskStorage(), blank=True, max_length=255)
    mongo_file = models.FileField(storage=MongoDiskStorage(), blank=True, max_length=255)
