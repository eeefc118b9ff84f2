"""What tests of owners ask of instances and records."""

from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile

from tests.testapp.models import Document


def save_file(instance, field, name="hello.txt", content=b"world", **kwargs):
    getattr(instance, field).save(name, ContentFile(content), **kwargs)
    return getattr(instance, field).name


def get_recorded_key(instance, field, path):
    record = instance._meta.get_field(field).storage.meta_backend.get(path)
    keys = [record.get(key) for key in ("content_type_id", "object_id", "field")]
    return None if keys == [None] * 3 else tuple(keys)


def get_content_object_key(instance, field, model=Document):
    return ContentType.objects.get_for_model(model).pk, instance.pk, field
