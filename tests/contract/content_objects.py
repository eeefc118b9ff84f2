"""Save files through model fields, and compare the content objects in their records."""

from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile

from tests.testapp.models import Document


def save_file(instance, field, name="hello.txt", content=b"world", **kwargs):
    getattr(instance, field).save(name, ContentFile(content), **kwargs)
    return getattr(instance, field).name


def get_row(instance, field, path):
    """Return the content object in the record of a file: content type, primary key, field."""
    record = instance._meta.get_field(field).storage.meta_backend.get(path)
    keys = [record.get(key) for key in ("content_type_id", "object_id", "field")]
    return None if keys == [None] * 3 else tuple(keys)


def row_of(instance, field, model=Document):
    """Return the values that the record of the instance's file should have."""
    return ContentType.objects.get_for_model(model).pk, instance.pk, field
