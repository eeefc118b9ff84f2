"""The scope of a key: the database and the tenant of its row."""

from types import SimpleNamespace

import pytest
from django.db import connections
from django.db.models import Q
from guardian.models import GroupObjectPermission

from proxy_storage import content_objects
from proxy_storage.content_objects import (
    SCOPE_KEY,
    Scopes,
    get_database,
    get_databases,
    get_scope,
    get_tenant,
    has_tenants,
)
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import localize_scopes, matches
from tests.testapp.models import Document, ElsewhereStoredFile, ShardDocument, Team


def get_tenant_of_test(model, using):
    return "one" if model is Document else None


def records_of(tenant):
    return SimpleNamespace(get_tenant=lambda: tenant)


def configure(settings, **values):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **values}


class TestScope:
    def test_without_tenants(self):
        assert get_scope(Document, "default", records_of("")) is None
        assert get_scope(Document, "other", records_of("")) == "other"
        assert get_scope(Document, "other", None) == "other"

    @pytest.mark.parametrize(
        ("model", "using", "tenant_of_records", "scope"),
        [
            (Document, "default", "", "default/one"),
            (Document, "other", "", "other/one"),
            (Document, "default", "one", None),
            (Document, "other", "one", "other"),
            (Document, "default", "two", "default/one"),
            (Team, "default", "", None),
            (Team, "default", "one", "default/"),
        ],
    )
    def test_with_tenants(self, settings, model, using, tenant_of_records, scope):
        configure(settings, GET_TENANT=get_tenant_of_test)
        records = records_of(tenant_of_records)
        assert get_scope(model, using, records) == scope
        found = get_database(model, scope, records)
        assert found == ("default" if using == "default" else None)

    def test_scope_of_another_tenant_is_not_found(self, settings):
        configure(settings, GET_TENANT=f"{__name__}.get_tenant_of_test")
        for scope in (None, "default", "default/", "default/two", "one"):
            assert get_database(Document, scope, records_of("")) is None
        assert get_database(Document, "default/one", records_of("")) == "default"


class TestDatabases:
    def test_default_database_and_those_of_the_routers(self):
        assert get_databases(Document) == ("default",)
        assert get_databases(ElsewhereStoredFile) == ("other",)

    def test_databases_of_the_setting_that_have_the_table(self, settings):
        configure(settings, CONTENT_OBJECT_DATABASES=["other"])
        assert get_databases(ShardDocument) == ("default", "other")
        assert get_databases(Document) == ("default",)


class TestSingleDatabase:
    """Without other databases and tenants, records name no scope."""

    @pytest.fixture(autouse=True)
    def one_database(self, monkeypatch):
        monkeypatch.setattr(content_objects.connections, "settings", {"default": {}})

    def test_default_database_is_found_without_a_query_to_the_routers(self, monkeypatch):
        monkeypatch.setattr(content_objects, "router", None)
        assert get_database(Document, None, records_of("")) == "default"
        assert get_database(Document, "other", records_of("")) is None

    def test_tenants_are_compared(self, settings):
        configure(settings, GET_TENANT=get_tenant_of_test)
        assert get_database(Document, "default/one", records_of("")) == "default"
        assert get_database(Document, None, records_of("")) is None


class TestTenantFunction:
    @pytest.mark.parametrize("value", ["no.such.function", "os.sep", 5])
    def test_wrong_setting_raises_configuration_error(self, settings, value):
        configure(settings, GET_TENANT=value)
        with pytest.raises(ConfigurationError, match="GET_TENANT"):
            get_tenant(Document, "default")

    def test_no_tenant_without_setting(self):
        assert get_tenant(Document, "default") == ""

    @pytest.mark.parametrize(
        ("tenant_apps", "model", "tenant"),
        [
            (None, Document, "acme"),
            (["tests.testapp"], Document, "acme"),
            (["tests.testapp.apps.SomeConfig"], Document, ""),
            (["guardian.apps.GuardianConfig"], GroupObjectPermission, "acme"),
            (["guardian.apps"], GroupObjectPermission, ""),
            (["another"], Document, ""),
            (["another"], SimpleNamespace(_meta=SimpleNamespace(app_config=None)), "acme"),
        ],
    )
    def test_schema_of_django_tenants(self, settings, monkeypatch, tenant_apps, model, tenant):
        monkeypatch.setattr(connections["default"], "schema_name", "acme", raising=False)
        if tenant_apps is not None:
            settings.TENANT_APPS = tenant_apps
        assert get_tenant(model, "default") == tenant


class TestHasTenants:
    def test_with_the_setting(self, settings):
        assert not has_tenants()
        configure(settings, GET_TENANT=get_tenant_of_test)
        assert has_tenants()

    def test_with_django_tenants(self, monkeypatch):
        assert not has_tenants()
        monkeypatch.setattr(connections["other"], "schema_name", "acme", raising=False)
        assert has_tenants()


class TestCondition:
    def select(self, settings, scopes_of, tenant_of_records, *found):
        """Return the scopes of records that a condition selects."""
        condition = localize_scopes(
            Q(content_object_scope__in=scopes_of), records_of(tenant_of_records)
        )
        return [scope for scope in found if matches(condition, {SCOPE_KEY: scope})]

    def test_selects_the_scopes_of_the_databases(self, settings):
        found = (None, "other", "default/one", "other/one")
        default, other = Scopes(Document, "default"), Scopes(Document, "other")
        both = Scopes(Document, "default", "other")
        assert self.select(settings, default, "", *found) == [None]
        assert self.select(settings, other, "", *found) == ["other"]
        assert self.select(settings, both, "", *found) == [None, "other"]

    def test_is_relative_to_the_tenant_of_the_records(self, settings):
        configure(settings, GET_TENANT=get_tenant_of_test)
        found = (None, "other", "default/one", "other/one")
        default = Scopes(Document, "default")
        assert self.select(settings, default, "", *found) == ["default/one"]
        assert self.select(settings, default, "one", *found) == [None]
        assert self.select(settings, default, "two", *found) == ["default/one"]

    def test_keeps_the_rest_of_the_condition(self):
        condition = ~(Q(field="a") | Q(content_object_scope__in=Scopes(Document, "default")))
        assert not matches(condition, {"field": "b"})
        assert matches(condition, {"field": "b", SCOPE_KEY: "other"})
        assert not matches(condition, {"field": "a", SCOPE_KEY: "other"})
        assert localize_scopes(True, None) is True
