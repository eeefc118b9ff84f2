"""The scope of a content object's key: the database and the tenant of its row.

Rows in different databases, or in the schemas of different tenants, can have the same key. A
record therefore names the scope of the key as well as the key, in ``content_object_scope``:

=================  ===========================================================
``None``           the default database
``"shard"``        the database ``"shard"``
``"default/one"``  the tenant ``"one"`` of the default database
=================  ===========================================================

The tenant is named only where it differs from the tenant of the records. Records that live in
each tenant's own schema need no tenant in their scope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.models import Model, Q

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, cached, import_setting, proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase

SCOPE_KEY = "content_object_scope"


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


def get_scope(model: type[Model], using: str, meta_backend: MetaBackendBase | None) -> str | None:
    """Return the scope of the keys of a model's rows, as it is written into records.

    Args:
        model: the model that declares the file field.
        using: the alias of the database of the row.
        meta_backend: the meta backend that holds the records.
    """
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


class Scopes:
    """The scopes of some databases, as the value of a condition on records.

    The text of a scope depends on the tenant of the records. Each meta backend therefore replaces
    this value by the texts of its own records.

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
