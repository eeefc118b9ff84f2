"""Functions that save files of instances and compare their content objects."""

from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile

from tests.testapp.models import Document


def save_file(instance, field, name="hello.txt", content=b"world", **kwargs):
    """Save a file in a field, and return its path."""
    getattr(instance, field).save(name, ContentFile(content), **kwargs)
    return getattr(instance, field).name


def get_recorded_key(instance, field, path):
    """Return content type, key and field in the record of a path, or None."""
    record = instance._meta.get_field(field).storage.meta_backend.get(path)
    keys = [record.get(key) for key in ("content_type_id", "object_id", "field")]
    return None if keys == [None] * 3 else tuple(keys)


def get_content_object_key(instance, field, model=Document):
    """Return content type, key and field of an instance, as its records contain them."""
    return ContentType.objects.get_for_model(model).pk, instance.pk, field
