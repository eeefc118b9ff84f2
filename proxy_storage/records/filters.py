"""Filters of the admin of records. Their choices are made without a query of the records."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.admin import SimpleListFilter
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from proxy_storage import registry
from proxy_storage.content_objects import get_content_object_models

#: The value of a choice for records of storages or models that the project does not have.
OTHER = "-"
MIME_TYPES = ("application/pdf", "application/", "audio/", "image/", "text/", "video/")


class RecordFilter(SimpleListFilter):
    """The base class of the filters. A value that is not one of the choices finds no records."""

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records of the choice in the URL, or all records without one."""
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            return queryset.none()
        return self.filter_records(queryset, value)

    @abstractmethod
    def filter_records(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the records of a choice.

        Args:
            queryset: the records.
            value: the value of the choice.
        """


class ProxyStorageFilter(RecordFilter):
    """Records of one proxy storage, or of those that are not registered."""

    title = _("proxy storage")
    parameter_name = "storage"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the names of the registered proxy storages."""
        names = sorted(registry.get_proxy_storage_names())
        return [*((name, name) for name in names), (OTHER, _("not registered"))]

    def filter_records(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the records of a storage, or of those that are not registered."""
        if value == OTHER:
            return queryset.exclude(proxy_storage_name__in=registry.get_proxy_storage_names())
        return queryset.filter(proxy_storage_name=value)


class ContentTypeFilter(RecordFilter):
    """Records whose content object is of one model."""

    title = _("model of the content object")
    parameter_name = "model"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the models whose files have a content object."""
        models = get_content_object_models()
        labels = {model._meta.label_lower: model._meta.verbose_name for model in models}
        return sorted((label, f"{name} ({label})") for label, name in labels.items())

    def filter_records(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the records of a model."""
        content_type = ContentType.objects.get_for_model(apps.get_model(value))
        return queryset.filter(content_type_id=content_type.pk)


class HasContentObjectFilter(RecordFilter):
    """Records with a content object, or without one."""

    title = _("content object")
    parameter_name = "has_content_object"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the two choices."""
        return [("yes", _("Yes")), ("no", _("No"))]

    def filter_records(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the records with or without a content object."""
        return queryset.filter(content_type_id__isnull=value == "no")


class MimeTypeFilter(RecordFilter):
    """Records of one MIME type, or of a group of them."""

    title = _("MIME type")
    parameter_name = "mime_type"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the groups. The types of all records would have to be read from the table."""
        groups = [(text, f"{text}*" if text.endswith("/") else text) for text in MIME_TYPES]
        return [*groups, (OTHER, _("not recorded"))]

    def filter_records(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the records of a type, of a group, or without a type."""
        if value == OTHER:
            return queryset.filter(mime_type="")
        return queryset.filter(mime_type__startswith=value)
