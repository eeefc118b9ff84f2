"""The admin of records: `RecordAdmin`, which is registered for the ready model.

No page contains a folder of the server: full paths are shown without it, and the path of the bytes
in the original storage is not shown.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected as django_delete_selected
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import model_ngettext, quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import connections, transaction
from django.db.models import CharField, Model, Q, QuerySet, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from proxy_storage import registry
from proxy_storage.content_objects import clear_field, fetch_content_objects
from proxy_storage.endpoint import get_file_url
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.orm import ORMMetaBackend, get_column_names
from proxy_storage.records.filters import (
    ContentTypeFilter,
    HasContentObjectFilter,
    MimeTypeFilter,
    ProxyStorageFilter,
)
from proxy_storage.storages.configured import READY_MODEL
from proxy_storage.storages.lookup import get_full_roots, get_roots

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

logger = logging.getLogger("proxy_storage")

#: The number of files that a message about a failed deletion names.
MAX_NAMED_FILES = 20
#: The keys that the query of a page must not compare, since the result would reveal a folder.
HIDDEN_KEYS = frozenset({"path", "original_storage_path"})


class RecordChangeList(ChangeList):
    """A page of records, with their content objects: one query for each of their models."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows of the page, and their content objects."""
        super().get_results(request)
        rows = list(self.result_list)
        model_admin: Any = self.model_admin
        model_admin.prepare_rows(request, rows)
        self.result_list: Any = rows


class RecordAdmin(ModelAdmin):
    """The admin of a model of records: list, view and delete files.

    ::

        from proxy_storage.records.admin import RecordAdmin

        admin.site.register(LetterFile, RecordAdmin)

    Columns, fields and filters for which the model does not have the mixin are left out. Records
    cannot be added or changed. A deletion deletes the file through its proxy storage, and clears
    the field of its content object. If it fails, the file and its record stay.

    Permissions are those of Django's admin for the model. A link to a file leads to the download
    endpoint, which checks the permissions for the file.
    """

    list_display = [
        "shown_path",
        "open_link",
        "proxy_storage_name",
        "content_object_link",
        "readable_size",
        "file_type",
        "saved_at",
    ]
    fields = [
        "shown_path",
        "open_link",
        "name",
        "proxy_storage_name",
        "original_storage_name",
        "content_object_link",
        "readable_size",
        "file_type",
        "checksum",
        "saved_at",
        "released_at",
        "uploader_id",
    ]
    list_filter = [ProxyStorageFilter, ContentTypeFilter, HasContentObjectFilter, MimeTypeFilter]
    #: The columns that a list display, a field or a filter needs.
    needed_columns = {
        "content_object_link": "content_type",
        "readable_size": "size",
        "file_type": "mime_type",
        "saved_at": "created_at",
        "name": "name",
        "original_storage_name": "original_storage_name",
        "checksum": "checksum",
        "released_at": "released_at",
        "uploader_id": "uploader_id",
        ContentTypeFilter: "content_type",
        HasContentObjectFilter: "content_type",
        MimeTypeFilter: "mime_type",
    }
    # `get_search_results` makes the search. Django shows the search box only if a field is named.
    search_fields = ["path"]
    search_help_text = _(
        "The beginning of a path, a part of a name, a checksum or the key of a content object"
    )
    # These do not read the whole table: the newest records first, and an order by path.
    ordering = ["-pk"]
    sortable_by = ["shown_path"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)
        # It replaces Django's action, also in a subclass with actions of its own.
        if self.actions is not None and "delete_selected" not in self.actions:
            self.actions = [*self.actions, "delete_selected"]

    # Columns and fields

    def _get_columns(self) -> frozenset[str]:
        model: Any = self.model
        return get_column_names(model)

    def _get_existing(self, names: Iterable[Any]) -> list[Any]:
        """Return the names for which the model has the column."""
        columns = self._get_columns()
        needed = self.needed_columns
        return [name for name in names if name not in needed or needed[name] in columns]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns of the list that the model has."""
        return self._get_existing(super().get_list_display(request))

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Return the filters for which the model has the column."""
        return self._get_existing(super().get_list_filter(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields of the page of one record that the model has."""
        return self._get_existing(super().get_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return all fields, since values of records cannot be changed."""
        return [*super().get_readonly_fields(request, obj), *self.get_fields(request, obj)]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list, which reads the content objects of a page."""
        return RecordChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return a row, with the values that its page shows."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.prepare_rows(request, [row])
        return row

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Set the links of rows, which depend on the user: one query for each model.

        Args:
            request: the request, with its user.
            rows: instances of the model.
        """
        records = ORMMetaBackend(model=self.model).get_records(rows)
        labels: dict[Any, str] = {None: ""}
        if "content_type" in self._get_columns():
            fetch_content_objects(records)
            labels |= _get_labels({row.content_type_id for row in rows} - {None})
        for row, record in zip(rows, records, strict=True):
            row.file_url = _get_url(row, request)
            row.content_object_text = self._describe_content_object(request, record, labels)

    def _describe_content_object(
        self, request: HttpRequest, record: MetaBackendObject, labels: dict[Any, str]
    ) -> str:
        """Return the model, the key and the field of a content object, with a link to its page."""
        label = labels[record.get("content_type_id")]
        if not label:
            return ""
        text = f"{label} {record['object_id']}"
        url = self._get_content_object_url(request, record.get_content_object())
        if url is not None:
            text = format_html('<a href="{}">{}</a>', url, text)
        return format_html("{} ({})", text, record["field"])

    def _get_content_object_url(self, request: HttpRequest, instance: Model | None) -> str | None:
        """Return the URL of an instance in this admin site, if the user may view it there."""
        model_admin = None if instance is None else self.admin_site._registry.get(type(instance))
        if model_admin is None or instance is None:
            return None
        # A row of another database may have the same key.
        if model_admin.get_queryset(request).db != instance._state.db:
            return None
        if not model_admin.has_view_or_change_permission(request, instance):
            return None
        name = f"admin:{instance._meta.app_label}_{instance._meta.model_name}_change"
        return reverse(name, args=[quote(instance.pk)], current_app=self.admin_site.name)

    @admin.display(description=_("file"), ordering="path")
    def shown_path(self, row: Any) -> str:
        """Return the path of the record without the folders of the server."""
        return str(row.get_display_path())

    @admin.display(description=_("link"))
    def open_link(self, row: Any) -> str | None:
        """Return a link to the file at the endpoint, which checks the permissions."""
        if row.file_url is None:
            return None
        return format_html('<a href="{}" target="_blank">{}</a>', row.file_url, _("Open"))

    @admin.display(description=_("content object"))
    def content_object_link(self, row: Any) -> str:
        """Return the content object: its model, its key, and the field."""
        return str(row.content_object_text)

    @admin.display(description=_("size"))
    def readable_size(self, row: Any) -> str | None:
        """Return the size with a unit."""
        return None if row.size is None else filesizeformat(row.size)

    @admin.display(description=_("MIME type"))
    def file_type(self, row: Any) -> str:
        """Return the MIME type."""
        return str(row.mime_type)

    @admin.display(description=_("saved at"))
    def saved_at(self, row: Any) -> datetime | None:
        """Return the time of the save."""
        return row.created_at  # type: ignore[no-any-return]  # The model has the column.

    # Search

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the records that a search finds. The search term is one text with its spaces."""
        term = search_term.strip()
        if not term:
            return queryset, False
        columns = self._get_columns()
        condition = Q(path=term)
        # The beginning of an absolute path can be a folder of the server.
        if not term.startswith("/"):
            condition |= Q(path__startswith=term)
            # Paths in storages without local files.
            own_path = Concat(Value("/"), "original_storage_path", output_field=CharField())
            condition |= Q(path__startswith=f"/{term}", path=own_path)
            for root in _get_all_roots(self.model):
                condition |= Q(path__startswith=f"{root}{term}")
        if "name" in columns:
            condition |= Q(name__icontains=term)
        if "checksum" in columns:
            condition |= Q(checksum=term.lower())
        if "object_id" in columns:
            condition |= Q(object_id=term)
        return queryset.filter(condition), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether the URL of a list may compare a key. Paths could be guessed by parts."""
        if lookup.partition("__")[0] in HIDDEN_KEYS:
            return False
        return super().lookup_allowed(lookup, value, request)

    # Permissions

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return ``False``: a record is created when a file is saved."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return ``False``: the values of a record describe the stored file."""
        return False

    # Deletion

    def get_urls(self) -> list[Any]:
        """Return the URLs, whose views are not part of the transactions of ``ATOMIC_REQUESTS``.

        Inside a transaction, a file is deleted after the commit. The view could not show an error.
        """
        urls = super().get_urls()
        for url in urls:
            for alias in connections.settings:
                transaction.non_atomic_requests(using=alias)(url.callback)
        return urls

    def has_delete_selected_permission(self, request: HttpRequest) -> bool:
        """Return whether the action is shown: not if the site disables Django's action."""
        enabled = {name for name, _action in self.admin_site.actions}
        return "delete_selected" in enabled and self.has_delete_permission(request)

    @admin.action(
        permissions=["delete_selected"],
        description=django_delete_selected.short_description,  # type: ignore[attr-defined]  # set by Django
    )
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Delete the selected files, and report which could not be deleted.

        Django's action logs all deletions before, and reports all of them as successful.

        Args:
            request: the request, with its user.
            queryset: the selected rows.
        """
        if not request.POST.get("post"):
            return django_delete_selected(self, request, queryset)
        rows = list(queryset)
        if not self.may_delete(request, rows):
            raise PermissionDenied
        deleted = self.delete_files(request, rows)
        if deleted:
            text = _("Successfully deleted %(count)d %(items)s.") % {
                "count": deleted,
                "items": model_ngettext(self.opts, deleted),
            }
            self.message_user(request, text, messages.SUCCESS)
        return None

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show the page that asks for confirmation, or delete the file.

        Django's view opens a transaction and logs the deletion before it.
        """
        row = self.get_object(request, unquote(object_id))
        # Without a confirmation, the permission or a row, Django's view answers.
        if not request.POST or row is None or not self.may_delete(request, [row]):
            return super().delete_view(request, object_id, extra_context)
        shown_path, key = row.get_display_path(), row.pk
        if self.delete_files(request, [row]):
            return self.response_delete(request, shown_path, key)
        return HttpResponseRedirect(request.get_full_path())

    def may_delete(self, request: HttpRequest, rows: Sequence[Any]) -> bool:
        """Return whether the user may delete these rows, and the rows that refer to them."""
        if not all(self.has_delete_permission(request, row) for row in rows):
            return False
        _objects, _count, missing_permissions, protected = self.get_deleted_objects(rows, request)
        return not (missing_permissions or protected)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """Return to the list, which Django does only for users who may change records."""
        response = super().response_delete(request, obj_display, obj_id)
        if not (isinstance(response, HttpResponseRedirect) and self.has_view_permission(request)):
            return response
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        filters: Any = {"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}
        url = add_preserved_filters(filters, reverse(name, current_app=self.admin_site.name))
        return HttpResponseRedirect(url)

    def delete_files(self, request: HttpRequest, rows: Iterable[Any]) -> int:
        """Delete files one by one, log the deletions, and show errors to the user.

        Args:
            request: the request, with its user.
            rows: the rows of the files.

        Returns:
            The number of deleted files.
        """
        failures: dict[str, list[str]] = defaultdict(list)
        deleted = 0
        log_deletions: Any = self.log_deletions  # The stubs require a queryset.
        for row in rows:
            shown_path = row.get_display_path()
            reason = get_obstacle(row)
            if reason is None:
                try:
                    self.delete_model(request, row)
                except Exception as error:
                    # The text of an error may contain a folder of the server.
                    logger.exception("The file %r could not be deleted in the admin.", row.path)
                    reason = _(
                        "The storage raised %(error)s, which the log of the server describes."
                    ) % {"error": type(error).__name__}
            if reason is None:
                deleted += 1
                log_deletions(request, [row])
            else:
                failures[str(reason)].append(shown_path)
        for reason, shown_paths in failures.items():
            self.message_user(request, _describe_failure(reason, shown_paths), messages.ERROR)
        return deleted

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a file through its proxy storage, and clear the field of its content object.

        Args:
            request: the request.
            obj: the row of the file.

        Raises:
            ConfigurationError: `get_obstacle` returns a reason.
        """
        reason = get_obstacle(obj)
        if reason is not None:
            raise ConfigurationError(str(reason))
        (record,) = ORMMetaBackend(model=self.model).get_records([obj])
        if record.get_proxy_storage().delete_record(record):
            clear_field(record)

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[Any]) -> None:
        """Delete files through their proxy storages.

        Args:
            request: the request.
            queryset: the rows of the files.
        """
        for row in queryset:
            self.delete_model(request, row)


def get_obstacle(row: Any) -> Any:
    """Return why a file cannot be deleted through its proxy storage; ``None`` if it can."""
    name = row.proxy_storage_name
    if name not in registry.get_proxy_storage_names():
        return _(
            "The proxy storage “%(name)s” is not registered. Add it to "
            "PROXY_STORAGE['PROXY_STORAGE_CLASSES'] or STORAGES."
        ) % {"name": name}
    try:
        storage = registry.get_proxy_storage(name)
    except ImproperlyConfigured:
        return None  # The deletion raises the error, and it is logged.
    if _has_records_in(storage, type(row)):
        return None
    return _(
        "The proxy storage “%(name)s” has its records in another meta backend. Set its meta "
        "backend to one with the model %(model)s."
    ) % {"name": name, "model": row._meta.label}


def _describe_failure(reason: str, shown_paths: Sequence[str]) -> str:
    named = ", ".join(shown_paths[:MAX_NAMED_FILES])
    rest = len(shown_paths) - MAX_NAMED_FILES
    if rest > 0:
        named = _("%(names)s and %(count)d more") % {"names": named, "count": rest}
    text = ngettext(
        "%(count)d file was not deleted: %(names)s. %(reason)s",
        "%(count)d files were not deleted: %(names)s. %(reason)s",
        len(shown_paths),
    )
    return text % {"count": len(shown_paths), "names": named, "reason": reason}


def _get_labels(content_type_ids: set[Any]) -> dict[Any, str]:
    """Return the names of models by their content types. They are cached by Django."""
    labels: dict[Any, str] = {}
    for content_type_id in content_type_ids:
        labels[content_type_id] = "?"
        with suppress(ContentType.DoesNotExist):
            labels[content_type_id] = ContentType.objects.get_for_id(content_type_id).name
    return labels


def _get_url(row: Any, request: HttpRequest) -> str | None:
    """Return the URL of a file at the endpoint.

    ``url()`` of a storage could return a signed link, which gives access without a login.

    Returns:
        ``None`` if the URL would contain a folder of the server, if the proxy storage is not
        registered, or if the project does not have an endpoint.
    """
    if row.get_display_path() not in (row.path, row.path.removeprefix("/")):
        return None
    if row.proxy_storage_name not in registry.get_proxy_storage_names():
        return None
    try:
        return get_file_url(row.path, row.proxy_storage_name, request)
    except ImproperlyConfigured:
        return None


def _get_all_roots(model: type[Model]) -> set[str]:
    """Return the texts that precede a relative name in the paths of a model's records."""
    roots: set[str] = set()
    for name in registry.get_proxy_storage_names():
        with suppress(ImproperlyConfigured):
            storage = registry.get_proxy_storage(name)
            if _has_records_in(storage, model):
                roots |= {*get_roots(storage), *get_full_roots(storage)}
    return roots - {"", "/"}


def _has_records_in(storage: ProxyStorageBase, model: type[Model]) -> bool:
    """Return whether the records of a proxy storage are rows of a model."""
    meta_backend = storage.meta_backend
    return isinstance(meta_backend, ORMMetaBackend) and meta_backend.model is model


# A project can import `RecordAdmin` without this app.
if apps.is_installed("proxy_storage.records"):
    admin.site.register(apps.get_model(READY_MODEL), RecordAdmin)
