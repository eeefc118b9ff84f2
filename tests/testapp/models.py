import uuid

from django.conf import settings
from django.contrib.contenttypes.fields import GenericRelation
from django.core.files.storage import FileSystemStorage, storages
from django.db import models

from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
    UploaderMixin,
)
from tests.testapp.storages import (
    CaseStorage,
    ElsewhereStorage,
    MongoDiskStorage,
    MongoGridFSStorage,
    OrmDiskStorage,
)


class StoredFile(
    ContentObjectFieldMixin,
    OriginalStorageNameMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    UploaderMixin,
    ProxyStorageModelBase,
):
    """Records with all optional columns."""


class PlainStoredFile(ProxyStorageModelBase):
    """Records with the required columns only."""


class TablelessStoredFile(ProxyStorageModelBase):
    """Records whose table does not exist."""

    class Meta:
        managed = False


class ElsewhereStoredFile(ContentObjectFieldMixin, ProxyStorageModelBase):
    """Records in a separate database."""


class NamedStoredFile(OriginalStorageNameMixin, ProxyStorageModelBase):
    """Records with the name of their original storage."""


class CaseFile(ContentObjectFieldMixin, ProxyStorageModelBase):
    """Records to which a generic relation of their content object refers."""


class Team(models.Model):
    members = models.ManyToManyField(settings.AUTH_USER_MODEL)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, to_field="username", null=True, related_name="+"
    )


class TwoFiles(models.Model):
    """A base class for models with one file on each meta backend."""

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
    """Files of an instance that refers to a user."""


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
    """Files on disk, for tests of the file system."""

    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoDiskStorage(), blank=True)
    orm_default = ProxyStorageFileField(storage=OrmDiskStorage(), default="/blank/form.txt")
    mongo_default = ProxyStorageFileField(storage=MongoDiskStorage(), default="/blank/form.txt")


class ShardDocument(models.Model):
    """Rows with the same keys in two databases."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, db_constraint=False
    )
    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoDiskStorage(), blank=True)

    def can_read_file(self, user, field):
        return self.user_id == user.pk

    @classmethod
    def readable_by(cls, user, field):
        return cls.objects.filter(user_id=user.pk)


class NumberedDocument(models.Model):
    number = models.IntegerField(primary_key=True)
    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoDiskStorage(), blank=True)


class PricedDocument(models.Model):
    price = models.DecimalField(primary_key=True, max_digits=6, decimal_places=2)
    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoDiskStorage(), blank=True)


class DatedDocument(models.Model):
    date = models.DateTimeField(primary_key=True)
    orm_file = ProxyStorageFileField(storage=OrmDiskStorage(), blank=True)
    mongo_file = ProxyStorageFileField(storage=MongoDiskStorage(), blank=True)


class LateDocument(models.Model):
    """Its fields are added to the finished class."""

    title = models.CharField(max_length=50, blank=True)


for name, storage in (("orm_file", OrmDiskStorage()), ("mongo_file", MongoDiskStorage())):
    LateDocument.add_to_class(name, ProxyStorageFileField(storage=storage, blank=True))


class LateChild(LateDocument):
    pages = models.IntegerField(default=1)


class LateProxy(LateDocument):
    class Meta:
        proxy = True


class ShortLivedDocument(models.Model):
    """Files that are deleted together with their row."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    orm_file = ProxyStorageFileField(
        storage=OrmDiskStorage(), blank=True, delete_with_content_object=True
    )
    mongo_file = ProxyStorageFileField(
        storage=MongoDiskStorage(),
        default="/blank/form.txt",
        delete_with_content_object=True,
    )


def get_orm_relative_storage():
    return storages["orm-relative-disk"]


def get_mongo_relative_storage():
    return storages["mongo-relative-disk"]


class RelativeDocument(models.Model):
    """Files with relative paths, one of them in Django's `FileField`."""

    code = models.UUIDField(default=uuid.uuid4, unique=True)
    orm_file = ProxyStorageFileField(storage=get_orm_relative_storage, blank=True)
    mongo_file = ProxyStorageFileField(storage=get_mongo_relative_storage, blank=True)
    plain_file = models.FileField(
        storage=get_orm_relative_storage, upload_to="plain", blank=True, max_length=255
    )


class LimitedDocument(models.Model):
    """Files of a few types, and of a small size."""

    title = models.CharField(max_length=50, blank=True)
    orm_file = ProxyStorageFileField(
        storage=OrmDiskStorage(),
        blank=True,
        allowed_types=["application/pdf", "image/*"],
        max_size=1024,
    )
    mongo_file = ProxyStorageFileField(
        storage=MongoGridFSStorage(),
        blank=True,
        allowed_types=["application/pdf", "image/*"],
        max_size=1024,
    )


def get_resumes():
    return storages["orm-relative-metadata"]


class Application(models.Model):
    """The model of the page about uploads."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    resume = ProxyStorageFileField(
        storage=get_resumes,
        allowed_types=["application/pdf", "image/*"],
        max_size=5 * 2**20,
    )


class TrackedBase(models.Model):
    """Files in Django's `FileField`, which get a content object because of their storage."""

    title = models.CharField(max_length=50, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    orm_file = models.FileField(storage=get_orm_relative_storage, upload_to="t", blank=True)
    mongo_file = models.FileField(
        storage=get_mongo_relative_storage, upload_to="t", blank=True, null=True
    )

    class Meta:
        abstract = True


class TrackedDocument(TrackedBase):
    orm_copy = models.FileField(storage=get_orm_relative_storage, upload_to="t", blank=True)


class TrackedChild(TrackedDocument):
    pages = models.IntegerField(default=1)


class TrackedProxy(TrackedDocument):
    class Meta:
        proxy = True


class TrackedKeyedDocument(TrackedBase):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class LateTrackedDocument(models.Model):
    """Django's fields are added to the finished class."""


for name, storage in (
    ("orm_file", get_orm_relative_storage),
    ("mongo_file", get_mongo_relative_storage),
):
    LateTrackedDocument.add_to_class(name, models.FileField(storage=storage, blank=True))


class TrackedPicture(models.Model):
    """An image whose size is stored in the row."""

    orm_file = models.ImageField(
        storage=get_orm_relative_storage, width_field="width", height_field="height", blank=True
    )
    width = models.IntegerField(null=True, editable=False)
    height = models.IntegerField(null=True, editable=False)


class Picture(models.Model):
    """Required images. The size of one of them is stored in the row."""

    title = models.CharField(max_length=50, blank=True)
    orm_image = ProxyStorageImageField(
        storage=OrmDiskStorage(), width_field="width", height_field="height"
    )
    mongo_image = ProxyStorageImageField(storage=MongoDiskStorage())
    width = models.IntegerField(null=True, editable=False)
    height = models.IntegerField(null=True, editable=False)


class PlainDocument(models.Model):
    """Files in Django's `FileField`, which records no content object."""

    orm_file = models.FileField(storage=OrmDiskStorage(), blank=True, max_length=255)
    mongo_file = models.FileField(storage=MongoDiskStorage(), blank=True, max_length=255)


class LatePlainDocument(models.Model):
    """Django's fields are added to the finished class."""


for name, storage in (("orm_file", OrmDiskStorage()), ("mongo_file", MongoDiskStorage())):
    LatePlainDocument.add_to_class(
        name, models.FileField(storage=storage, blank=True, max_length=255)
    )


class Download(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    path = models.CharField(max_length=500)
    by_link = models.BooleanField()
    is_allowed = models.BooleanField()
    at = models.DateTimeField(auto_now_add=True)


class Suspect(models.Model):
    """Its cases are deleted with it."""


class Case(models.Model):
    suspect = models.ForeignKey(Suspect, models.CASCADE, null=True)
    scan = ProxyStorageFileField(storage=CaseStorage(), blank=True)
    copy = ProxyStorageFileField(storage=CaseStorage(), blank=True)
    files = GenericRelation(CaseFile)


class UrgentCase(Case):
    """A multi-table child."""


class PlainLetter(models.Model):
    """The rows of a project before it uses this package."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    file = models.FileField(
        storage=FileSystemStorage(settings.LETTERS_ROOT), upload_to="letters/2026"
    )


def get_orm_letters():
    return storages["orm-letters"]


def get_mongo_letters():
    return storages["mongo-letters"]


class OrmLetter(models.Model):
    """The same rows after the change to `ProxyStorageFileField`, with records in a table."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    file = ProxyStorageFileField(storage=get_orm_letters, upload_to="letters/2026", max_length=100)

    class Meta:
        managed = False
        db_table = PlainLetter._meta.db_table


class MongoLetter(models.Model):
    """The same rows after the change to `ProxyStorageFileField`, with records in MongoDB."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    file = ProxyStorageFileField(
        storage=get_mongo_letters, upload_to="letters/2026", max_length=100
    )

    class Meta:
        managed = False
        db_table = PlainLetter._meta.db_table
