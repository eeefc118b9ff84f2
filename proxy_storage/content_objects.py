"""The content object of a file: the model instance and field that it was saved for.

A record names its content object by four values: ``content_type_id``, ``object_id``, ``field``
and ``content_object_scope``. The model is the one that declares the field: the parent for a
multi-table child, the concrete model for a proxy model, the child for an abstract parent. A file
therefore has the same content object whichever class it is reached through.

Rows in different databases, or in the schemas of different tenants, can have the same key. The
scope therefore names the database and the tenant of the row:

=================  ===========================================================
``None``           the default database
``"shard"``        the database ``"shard"``
``"default/one"``  the tenant ``"one"`` of the default database
=================  ===========================================================

The tenant is named only where it differs from the tenant of the records. Records that live in
each tenant's own schema need no tenant in their scope.

``ContentType`` is imported inside functions, since Django loads models only after the modules of
apps and of storages have been imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.backends.utils import format_number
from django.db.models import DecimalField, Field, FileField, Model, Q
from django.utils import timezone

from proxy_storage.db import plain_fields
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import CONTENT_OBJECT_KEYS, BackendValue, is_storable
from proxy_storage.settings import SETTING, cached, import_setting, proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject

SCOPE_KEY = "content_object_scope"
#: The keys of a released record that name its former content object, by the keys for a current one
FORMER_KEYS = {
    "content_type_id": "former_content_type_id",
    "object_id": "former_object_id",
    "field": "former_field",
    SCOPE_KEY: "former_content_object_scope",
}
#: The key of the time at which a record was released
RELEASED_KEY = "released_at"
#: The key of the user who uploaded a file through the endpoint
UPLOADER_KEY = "uploader_id"

# The attribute of a model's ``_meta`` that keeps its file fields.
_FIELDS = "proxy_storage_file_fields"
# The attribute of a record that keeps the model and the database of its content object.
_LOCATION = "_content_object_location"


def get_tenant(model: type[Model], using: str) -> str:
    """Return the tenant that the rows of a model belong to at the moment.

    If ``PROXY_STORAGE["GET_TENANT"]`` is set, that function returns it. Otherwise it is the
    schema that django-tenants has activated on the connection, for models of ``TENANT_APPS``.

    Args:
        model: a model class.
        using: the alias of a database.

    Returns:
        An empty text for rows that do not belong to a tenant.

    Source: https://django-tenants.readthedocs.io/en/latest/use.html
    """
    function = get_tenant_function()
    if function is not None:
        return function(model, using) or ""
    schema: str | None = getattr(connections[using], "schema_name", None)
    if schema is None:
        return ""
    tenant_apps = getattr(settings, "TENANT_APPS", None)
    app = model._meta.app_config
    if tenant_apps is None or app is None:
        return schema
    names = {app.name, f"{type(app).__module__}.{type(app).__qualname__}"}
    # The tables of all other apps are in the schema that all tenants share.
    return schema if names & set(tenant_apps) else ""


@cached
def get_tenant_function() -> Callable[[type[Model], str], str | None] | None:
    """Return the function of ``PROXY_STORAGE["GET_TENANT"]``, if it is set.

    Raises:
        ConfigurationError: the setting cannot be imported, or is not a callable.
    """
    function = proxy_storage_settings.GET_TENANT
    if isinstance(function, str):
        function = import_setting(f"{SETTING}['GET_TENANT']", function)
    if function is not None and not callable(function):
        raise ConfigurationError(
            f"{SETTING}['GET_TENANT'] must be the dotted path of a callable, not {function!r}."
        )
    return function  # type: ignore[no-any-return]  # The project's own callable.


def has_tenants() -> bool:
    """Return whether rows can belong to tenants: of ``GET_TENANT``, or of django-tenants.

    The connections are checked each time. If a database backend activated its first schema after a
    cached check, rows of different tenants would be confused.
    """
    return get_tenant_function() is not None or any(
        hasattr(connection, "schema_name") for connection in connections.all()
    )


def get_scope(model: type[Model], using: str, meta_backend: MetaBackendBase | None) -> str | None:
    """Return the scope of the keys of a model's rows, as it is written into records.

    Args:
        model: the model that declares the file field.
        using: the alias of the database of the row.
        meta_backend: the meta backend that holds the records.
    """
    if has_tenants():
        tenant = get_tenant(model, using)
        if tenant != ("" if meta_backend is None else meta_backend.get_tenant()):
            return f"{using}/{tenant}"
    return None if using == DEFAULT_DB_ALIAS else using


def get_database(
    model: type[Model], scope: str | None, meta_backend: MetaBackendBase | None
) -> str | None:
    """Return the database in which the content object of a record is looked up.

    Args:
        model: the model of the content object.
        scope: the value of `SCOPE_KEY` in the record.
        meta_backend: the meta backend that holds the record.

    Returns:
        The alias of the database; ``None`` if the row belongs to another tenant or to a
        database in which content objects are not looked up.
    """
    if len(connections.settings) == 1 and not has_tenants():
        return DEFAULT_DB_ALIAS if scope is None else None
    for alias in get_databases(model):
        if scope == get_scope(model, alias, meta_backend):
            return alias
    return None


def get_databases(model: type[Model]) -> tuple[str, ...]:
    """Return the databases in which content objects of a model are looked up.

    These are the default database, the database to which the routers send the model, and those
    of ``PROXY_STORAGE["CONTENT_OBJECT_DATABASES"]`` that have the model's table.
    """
    named: list[Any] = [DEFAULT_DB_ALIAS, *proxy_storage_settings.CONTENT_OBJECT_DATABASES]
    allowed = [alias for alias in named if router.allow_migrate_model(alias, model)]
    return tuple(dict.fromkeys([*allowed, router.db_for_write(model)]))


class Scopes(BackendValue):
    """The scopes of some databases, as the value of a condition on records.

    The text of a scope depends on the tenant of the records.

    Args:
        model: the model of the content objects.
        databases: aliases of databases; by default those of `get_databases`.
    """

    def __init__(self, model: type[Model], *databases: str) -> None:
        self.model = model
        self.databases = databases or get_databases(model)

    def get_condition(self, meta_backend: MetaBackendBase | None) -> Q | bool:
        """Return the condition on the records of a meta backend."""
        scopes = {get_scope(self.model, alias, meta_backend) for alias in self.databases}
        texts = sorted(scope for scope in scopes if scope is not None)
        condition = Q(**{f"{SCOPE_KEY}__in": texts}) if texts else Q()
        if None in scopes:
            condition |= Q(**{f"{SCOPE_KEY}__isnull": True})
        return condition


def get_content_object_data(
    instance: Model,
    field: Field[Any, Any],
    using: str | None = None,
    meta_backend: MetaBackendBase | None = None,
) -> dict[str, Any]:
    """Return the values by which a record names its content object.

    Args:
        instance: a saved instance of the model that has the field.
        field: the file field, as found in the model's ``_meta``.
        using: the alias of the database of the row; by default the one that a save of the
            instance writes to, or the one of ``CONTENT_OBJECT_DATABASES`` that it was read from.
        meta_backend: the meta backend that holds the record.

    Returns:
        A dict with the three `CONTENT_OBJECT_KEYS` and the scope of the key. The primary key has
        the form that it has when the row is read. A key that is neither an integer nor text, such
        as a UUID, is converted to text, which every meta backend can hold.
    """
    from django.contrib.contenttypes.models import ContentType

    model = field.model
    if using is None:
        using = get_row_database(instance, model)
    key = normalize_key(model, getattr(instance, model._meta.pk.attname))
    return {
        "content_type_id": ContentType.objects.get_for_model(model).pk,
        # A bool is an int in Python, but a database may return it as text.
        "object_id": key if isinstance(key, str) or type(key) is int else str(key),
        "field": field.name,
        SCOPE_KEY: get_scope(model, using, meta_backend),
    }


def get_row_database(instance: Model, model: type[Model]) -> str:
    """Return the database of the row of an instance.

    The row of an instance that was read from a replica is in the database that routers write to.
    """
    alias = instance._state.db
    if alias is not None and alias in proxy_storage_settings.CONTENT_OBJECT_DATABASES:
        return alias
    return router.db_for_write(model, instance=instance)


def normalize_key(model: type[Model], value: Any) -> Any:
    """Return a primary key in the form that it has when its row is read.

    Django does not convert a key that was assigned to an instance until the row is read again. It
    can be the text of a UUID, or a ``Decimal`` with fewer decimal places than its column.

    Args:
        model: the model of the key.
        value: the key of an instance.
    """
    field: Any = model._meta.pk
    while field.remote_field is not None:
        field = field.target_field
    try:
        value = field.to_python(value)
        if isinstance(value, datetime):
            return _to_utc(value)
        value = field.to_python(field.get_prep_value(value))
        if isinstance(field, DecimalField):
            return field.to_python(format_number(value, field.max_digits, field.decimal_places))
    except (ValidationError, ValueError, TypeError, ArithmeticError):
        return value  # Not a key of this model, so no record has it.
    return value


def _to_utc(value: datetime) -> datetime:
    if not settings.USE_TZ:
        return value
    aware = value if timezone.is_aware(value) else timezone.make_aware(value)
    return aware.astimezone(UTC)


def belongs_to(record: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Return whether a record names this content object.

    Args:
        record: the record, with an ``object_id`` of the type of the model's key.
        data: the values of `get_content_object_data`.
    """
    if record.get(SCOPE_KEY) != data.get(SCOPE_KEY):
        return False
    return all(
        record.get(key) is not None and str(record[key]) == str(data[key])
        for key in CONTENT_OBJECT_KEYS
    )


def has_content_object(record: Mapping[str, Any]) -> bool:
    """Return whether a record names a content object."""
    return any(record.get(key) is not None for key in CONTENT_OBJECT_KEYS)


def get_recorded_content_object(
    record: Mapping[str, Any], meta_backend: MetaBackendBase
) -> dict[str, Any]:
    """Return the values by which a record names its content object. They are empty without one.

    They are a condition for changes: a record whose content object has changed since it was read
    does not have them any more. This also holds for a record that has got a content object and has
    lost it again.

    Args:
        record: the record.
        meta_backend: the meta backend that it was read from.
    """
    keys = (*CONTENT_OBJECT_KEYS, SCOPE_KEY, FORMER_KEYS["content_type_id"])
    return {key: record.get(key) for key in keys if meta_backend.can_hold(key)}


def locate_content_object(data: Mapping[str, Any]) -> tuple[type[Model], str] | tuple[None, None]:
    """Return the model class and the database alias of the content object that a record names.

    They are needed several times for one request. A record therefore keeps them as long as its
    values are the same, unless the project has tenants: a record can be used by several of them.

    Returns:
        ``None`` for both if the record does not name a content object, if its model has been
        removed, or if its row belongs to another tenant or to a database in which content
        objects are not looked up.
    """
    values = (data.get("content_type_id"), data.get("object_id"), data.get(SCOPE_KEY))
    model, using, known_values = getattr(data, _LOCATION, (None, "", None))
    if model is not None and known_values == values and not has_tenants():
        return model, using
    model = _get_model(data)
    if model is None:
        return None, None
    using = get_database(model, data.get(SCOPE_KEY), getattr(data, "meta_backend", None))
    if using is None:
        return None, None
    with suppress(AttributeError):  # A plain dict cannot keep them.
        setattr(data, _LOCATION, (model, using, values))
    return model, using


def _get_model(data: Mapping[str, Any]) -> type[Model] | None:
    if data.get("content_type_id") is None or data.get("object_id") is None:
        return None
    from django.contrib.contenttypes.models import ContentType

    try:
        # The manager caches it: one query for each model in the life of a process.
        return ContentType.objects.get_for_id(data["content_type_id"]).model_class()
    except ContentType.DoesNotExist:
        return None


def restore_object_ids(records: Iterable[dict[str, Any]]) -> None:
    """Convert the keys of content objects, which may be stored as text, to their own types.

    A key that cannot be converted, since the model has another type of key by now, is not changed.
    """
    # Each model is looked up once: Django does not cache that a content type is missing.
    models: dict[Any, type[Model] | None] = {}
    for data in records:
        if data.get("object_id") is None:
            continue
        content_type_id = data.get("content_type_id")
        if content_type_id not in models:
            models[content_type_id] = _get_model(data)
        model = models[content_type_id]
        if model is not None:
            with suppress(ValidationError, ValueError, TypeError):
                data["object_id"] = model._meta.pk.to_python(data["object_id"])


def get_content_object(data: Mapping[str, Any]) -> Model | None:
    """Return the content object that a record names; one query.

    Returns:
        ``None`` as for `locate_content_object`, and if the row has been deleted.
    """
    model, using = locate_content_object(data)
    if model is None or using is None:
        return None
    return _fetch(model, using, [data["object_id"]])[0]


def clear_field(record: Mapping[str, Any]) -> None:
    """Clear the field of the content object of a deleted file; one query.

    A field that names another file by now is not changed. No signal is sent.
    """
    model, using = locate_content_object(record)
    if model is None or using is None:
        return
    name, key = record.get("field"), _get_key(model, record["object_id"])
    for field in model._meta.local_fields:
        if field.name == name and is_tracked(field) and key is not None:
            rows = model._base_manager.using(using).filter(pk=key, **{name: record["path"]})
            rows.update(**{name: None if field.null else ""})


def fetch_content_objects(records: Iterable[MetaBackendObject]) -> None:
    """Fetch the content objects of many records; one query for each model and database.

    ``get_content_object()`` of these records makes no further query. Records whose content object
    has been fetched already are skipped.
    """
    # Records with equal values have their content objects in the same table.
    alike: dict[Any, list[MetaBackendObject]] = defaultdict(list)
    for record in records:
        if not record.has_fetched_content_object:
            has_key = record.get("object_id") is not None
            values = (record.get("content_type_id"), has_key, record.get(SCOPE_KEY))
            alike[(*values, record.meta_backend)].append(record)
    located: dict[Any, list[MetaBackendObject]] = defaultdict(list)
    for group in alike.values():
        located[locate_content_object(group[0])] += group
    for (model, using), group in located.items():
        instances: Iterable[Model | None] = repeat(None)
        if model is not None:
            instances = _fetch(model, using, [record["object_id"] for record in group])
        for record, instance in zip(group, instances, strict=False):
            record.set_content_object(instance)


def _fetch(model: type[Model], using: str, object_ids: Sequence[Any]) -> list[Model | None]:
    """Return the instances with these keys, in the same order."""
    keys = [_get_key(model, object_id) for object_id in object_ids]
    wanted = set(keys) - {None}
    # A database may ignore the case of keys; a dict does not.
    instances = model._base_manager.using(using).in_bulk(wanted) if wanted else {}
    return [instances.get(key) for key in keys]


def _get_key(model: type[Model], object_id: Any) -> Any:
    """Return a key in the type of the model's primary key; ``None`` if it cannot be converted."""
    with suppress(ValidationError, ValueError, TypeError):
        key = model._meta.pk.to_python(object_id)
        if is_storable(key):
            return key
    return None


def get_file_fields(model: type[Model]) -> tuple[Any, ...]:
    """Return the fields of a model whose files have a content object, inherited ones included."""
    fields: Any = model._meta.concrete_fields
    # Django makes another list when a field is added to the class.
    known_fields, file_fields = getattr(model._meta, _FIELDS, (None, ()))
    if known_fields is not fields:
        file_fields = tuple(field for field in fields if isinstance(field, FileField))
        setattr(model._meta, _FIELDS, (fields, file_fields))
    return tuple(filter(is_tracked, file_fields))


def is_tracked(field: Any) -> bool:
    """Return whether the files of a field have a content object.

    These are the fields of this package, and other file fields on a proxy storage with
    ``tracks_plain_fields``. The storage of such a field is built if necessary.
    """
    return plain_fields.has_descriptor(field) or plain_fields.is_tracked_plain_field(field)


def get_content_object_models() -> tuple[type[Model], ...]:
    """Return the models that can be content objects: those that declare a tracked file field.

    A model that inherits the field from another table and a proxy model are not included, because
    their content objects are of the model that declares the field.
    """
    # The cache is valid as long as the same models are installed.
    return _get_content_object_models(tuple(apps.get_models(include_auto_created=True)))


def forget_content_object_models() -> None:
    """Clear the cache of `get_content_object_models`, after a field or a storage was changed."""
    _get_content_object_models.cache_clear()


@lru_cache(maxsize=1)
def _get_content_object_models(models: tuple[type[Model], ...]) -> tuple[type[Model], ...]:
    return tuple(model for model in models if any(map(is_tracked, model._meta.local_fields)))
