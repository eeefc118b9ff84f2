"""Permissions with content objects in several databases, and of several tenants."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from guardian.shortcuts import assign_perm
from rest_framework.permissions import AllowAny

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import (
    CanReadFile,
    FieldPermissions,
    HasModelPermission,
    HasObjectPermission,
    IsOwner,
)
from tests.testapp.models import ShardDocument
from tests.unit.permissions.asking import VIEW, ask, get_list, is_allowed

pytestmark = [
    pytest.mark.database,
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
]


class ShardFiles(FieldPermissions):
    model = ShardDocument
    permissions = {"orm_file": IsOwner("user")}


class PublicFiles(FieldPermissions):
    model = ShardDocument
    permissions = {"orm_file": AllowAny}


class FilesOfTheInstance(CanReadFile):
    """Calls the method for each record of a list."""

    def __init__(self):
        super().__init__(queryset_method=None, method="can_read_file")


PERMISSIONS = {
    "relation": IsOwner("user"),
    "field": ShardFiles(),
    "instance": CanReadFile(),
    "each instance": FilesOfTheInstance(),
}


@pytest.fixture
def people():
    return {name: User.objects.create_user(name) for name in ("anna", "bert")}


@pytest.fixture(params=["orm", "mongo"])
def backend(request):
    return get_proxy_storage(f"{request.param}-disk").meta_backend


@pytest.fixture
def records(people, backend):
    """The file of anna's row in the default database, and of bert's row of the same key."""
    made = {}
    for name, using in (("anna", "default"), ("bert", "other")):
        row = ShardDocument(pk=1, user_id=people[name].pk)
        row.save(using=using)
        data = get_content_object_data(
            row, ShardDocument._meta.get_field("orm_file"), using, backend
        )
        made[name] = backend.create(
            {
                "path": f"/{name}",
                "proxy_storage_name": "orm_disk",
                "original_storage_path": name,
                "original_storage_name": "",
                **data,
            }
        )
    return made


def get_readers(permission, people, records):
    """Return the files that each user may read, and check that lists have the same files."""
    readers = {}
    for who, user in people.items():
        readable = get_list(user, permission, models=[ShardDocument])
        check = None
        if not readable.is_exact:

            def check(record, user=user):
                return is_allowed(permission, user, record)

        backend = records["anna"].meta_backend
        listed = {one["path"] for one in RecordSet([backend], readable.condition, check=check)}
        allowed = {name for name in records if is_allowed(permission, user, records[name])}
        assert listed == {f"/{name}" for name in allowed}
        readers[who] = allowed
    return readers


@pytest.mark.parametrize("name", PERMISSIONS)
class TestOwner:
    def test_row_of_another_database_is_not_looked_up(self, name, people, records):
        """The row with the same key in the default database is not used instead."""
        readers = get_readers(PERMISSIONS[name], people, records)
        assert readers == {"anna": {"anna"}, "bert": set()}

    def test_row_of_a_database_in_the_setting_is_looked_up(self, name, people, records, settings):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "CONTENT_OBJECT_DATABASES": ["other"],
        }
        readers = get_readers(PERMISSIONS[name], people, records)
        assert readers == {"anna": {"anna"}, "bert": {"bert"}}

    def test_row_of_another_tenant_is_not_looked_up(self, name, people, records, settings):
        """Records without a tenant do not belong to the current tenant."""
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "GET_TENANT": lambda model, using: "one" if model is ShardDocument else None,
        }
        readers = get_readers(PERMISSIONS[name], people, records)
        assert readers == {"anna": set(), "bert": set()}


@pytest.mark.parametrize("permission", [HasModelPermission("view"), PublicFiles()])
def test_files_of_another_tenant_are_denied(permission, people, records, settings):
    view = Permission.objects.get(codename="view_sharddocument")
    people["bert"].user_permissions.add(view)
    people["bert"] = User.objects.get(pk=people["bert"].pk)
    assert "anna" in get_readers(permission, people, records)["bert"]
    assert "bert" not in get_readers(permission, people, records)["bert"]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "GET_TENANT": lambda model, using: "one"}
    expected = {"anna"} if records["anna"].meta_backend.get_tenant() == "one" else set()
    assert get_readers(permission, people, records)["bert"] == expected


def test_object_permission_applies_to_the_default_database(people, records, settings):
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "guardian.backends.ObjectPermissionBackend",
    ]
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "CONTENT_OBJECT_DATABASES": ["other"]}
    assign_perm("view_sharddocument", people["bert"], ShardDocument.objects.get(pk=1))
    readers = get_readers(HasObjectPermission("view"), people, records)
    assert readers == {"anna": set(), "bert": {"anna"}}


def test_record_without_meta_backend_uses_the_default_database(people):
    """The record was not returned by a meta backend."""
    row = ShardDocument.objects.create(user=people["anna"])
    type_id = ContentType.objects.get_for_model(ShardDocument).pk
    record = MetaBackendObject(path="/x", content_type_id=type_id, object_id=row.pk, field="f")
    assert IsOwner("user").has_object_permission(ask(people["anna"]), VIEW, record)
    assert record.get_content_object() == row
