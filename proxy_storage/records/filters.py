"""Filters of the admin of records. Their choices are made without a query of the records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from proxy_storage import registry
from proxy_storage.content_objects import get_content_object_models

#: The value of a choice for records of storages or models that the project does not have.
OTHER = "-"
MIME_TYPES = ("application/pdf", "application/", "audio/", "image/", "text/", "video/")


class ProxyStorageFilter(SimpleListFilter):
    """Records of one proxy storage, or of those that are not registered."""

    title = _("proxy storage")
    parameter_name = "storage"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the names of the registered proxy storages."""
        names = sorted(registry.get_proxy_storage_names())
        return [*((name, name) for name in names), (OTHER, _("not registered"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records of the chosen storage."""
        if self.value() is None:
            return queryset
        if self.value() == OTHER:
            return queryset.exclude(proxy_storage_name__in=registry.get_proxy_storage_names())
        return queryset.filter(proxy_storage_name=self.value())


class ContentTypeFilter(SimpleListFilter):
    """Records whose content object is of one model."""

    title = _("model of the content object")
    parameter_name = "model"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the models whose files have a content object."""
        models = get_content_object_models()
        labels = {model._meta.label_lower: model._meta.verbose_name for model in models}
        return sorted((label, f"{name} ({label})") for label, name in labels.items())

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records of the chosen model."""
        if self.value() is None:
            return queryset
        for model in get_content_object_models():
            if model._meta.label_lower == self.value():
                content_type = ContentType.objects.get_for_model(model)
                return queryset.filter(content_type_id=content_type.pk)
        return queryset.none()


class HasContentObjectFilter(SimpleListFilter):
    """Records with a content object, or without one."""

    title = _("content object")
    parameter_name = "has_content_object"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the two choices."""
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records with or without a content object."""
        if self.value() is None:
            return queryset
        return queryset.filter(content_type_id__isnull=self.value() == "no")


class MimeTypeFilter(SimpleListFilter):
    """Records of one MIME type, or of a group of them."""

    title = _("MIME type")
    parameter_name = "mime_type"

    def lookups(self, request: Any, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the groups. The types of all records would have to be read from the table."""
        groups = [(text, f"{text}*" if text.endswith("/") else text) for text in MIME_TYPES]
        return [*groups, (OTHER, _("not recorded"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the records of the chosen type."""
        value = self.value()
        if value is None:
            return queryset
        if value == OTHER:
            return queryset.filter(mime_type="")
        return queryset.filter(mime_type__startswith=value)
