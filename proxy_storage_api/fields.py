"""A serializer field for files whose value is a signed link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Manager, QuerySet
from django.db.models.fields.files import FieldFile
from rest_framework import serializers
from rest_framework.fields import SkipField

from proxy_storage.db.own_files import get_own_records
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions.links import get_signed_url


class SignedFileField(serializers.FileField):
    """A file as a signed link, which opens it until the link expires.

    Each user who receives the instance from the view receives the link. The value is ``null``
    without a file, and if the file belongs to another instance or field: a path
    that is written to a row must not give access to its file. The link is absolute if the context
    has the request.

    A list of instances (``many=True``) needs one query for each meta backend, for all of its files
    of this field. If the list is nested in another serializer, its instances have to be prefetched.

    As an input, the field is a ``FileField``.

    Args:
        max_age: lifetime of the links in seconds; by default, and at most, ``LINK_MAX_AGE``.
        as_attachment: whether browsers save the file instead of showing it.
        **kwargs: the arguments of ``FileField``.
    """

    def __init__(
        self, *, max_age: int | None = None, as_attachment: bool = False, **kwargs: Any
    ) -> None:
        self.max_age = max_age
        self.as_attachment = as_attachment
        # The records of files that are still to be shown, by the identity of the file.
        self._records: dict[int, list[tuple[FieldFile, MetaBackendObject | None]]] = {}
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> str | None:
        """Return a link to the file of an instance.

        Raises:
            ConfigurationError: the records of this field have no content object, or the project
                has no endpoint.
        """
        # A file that has been uploaded and not been saved has no URL yet.
        if not value or not isinstance(value, FieldFile):
            return None
        record = self._pop_record(value)
        if record is None:
            return None
        return get_signed_url(
            record,
            request=self.context.get("request"),
            max_age=self.max_age,
            as_attachment=self.as_attachment,
        ).url

    def _pop_record(self, file: FieldFile) -> MetaBackendObject | None:
        """Return the record of a file. The records of the other files of a list are read as well.

        Each record is used once, so that a later call reads it again.
        """
        if id(file) not in self._records:
            files = [each for each in get_values(self) if each and isinstance(each, FieldFile)]
            if not any(each is file for each in files):
                files = [file]
            found = defaultdict(list)
            for each, record in zip(files, get_own_records(files), strict=True):
                found[id(each)].append((each, record))
            self._records = dict(found)
        remaining = self._records[id(file)]
        _, record = remaining.pop()
        if not remaining:
            del self._records[id(file)]
        return record


def get_values(field: serializers.Field[Any, Any, Any, Any]) -> Iterator[Any]:
    """Yield the values of a field for all instances of its outermost serializer.

    Only instances that have been read from the database already are included.
    """
    steps: list[Any] = [field]
    while steps[-1].parent is not None:
        steps.append(steps[-1].parent)
    root = steps.pop()
    values = [getattr(root, "instance", None)]
    if isinstance(root, serializers.ListSerializer):
        values = list(_iterate(values[0]))
    for step in reversed(steps):
        # The items of a list have the serializer of the list as the parent of their own.
        if not isinstance(step.parent, serializers.ListSerializer):
            values = list(_get_attributes(step, values))
        if isinstance(step, serializers.ListSerializer):
            values = [item for value in values for item in _iterate(value)]
    yield from values


def _get_attributes(field: Any, instances: Iterable[Any]) -> Iterator[Any]:
    for instance in instances:
        # The value may not exist. The serializer reports it, or leaves it out.
        with suppress(AttributeError, KeyError, ObjectDoesNotExist, SkipField):
            yield field.get_attribute(instance)


def _iterate(values: Any) -> Iterable[Any]:
    """Return the items of a list, of a queryset that has been read, or of prefetched relations."""
    if isinstance(values, Manager):
        values = values.all()
    if isinstance(values, QuerySet):
        values = values._result_cache
    return values if isinstance(values, list | tuple) else ()
