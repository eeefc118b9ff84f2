"""IsUploader: the user whom the record names."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.contenttypes.models import ContentType
from django.utils.functional import SimpleLazyObject

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import IsUploader, get_uploader_data
from tests.testapp.models import PlainStoredFile, Team
from tests.unit.permissions.asking import allowed, get_list, is_allowed

pytestmark = [
    pytest.mark.database,
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]

NO_UPLOADER = {"uploader_id": None, "uploader_scope": None}


class UploadingDevice(Team):
    is_authenticated = True

    class Meta:
        proxy = True
        app_label = "testapp"


@pytest.fixture(params=["orm", "mongo"])
def backend(request):
    return get_proxy_storage(f"{request.param}-disk").meta_backend


def upload(backend, user, name="a", **changes):
    """Write the record of a file that a user has uploaded."""
    return backend.create(
        {
            "path": f"/{name}",
            "proxy_storage_name": "orm-disk",
            "original_storage_path": name,
            **get_uploader_data(user, backend),
            **changes,
        }
    )


def get_listed(user, backend, permission=IsUploader):
    found = get_list(user, permission)
    assert found.is_exact
    return [record["path"] for record in RecordSet([backend], found.condition)]


def test_only_the_uploader_may_read_a_file(people, backend):
    upload(backend, people["owner"])
    record = backend.get("/a")
    assert allowed(IsUploader, people, record) == {"owner"}
    assert [who for who, user in people.items() if get_listed(user, backend)] == ["owner"]
    others = {"anonymous", "stranger", "staff"}
    assert allowed(~IsUploader(), people, record) == others
    assert {
        who for who, user in people.items() if get_listed(user, backend, ~IsUploader())
    } == others


def test_file_without_uploader_is_denied(people, backend):
    record = upload(backend, AnonymousUser())
    assert record["uploader_id"] is None
    assert allowed(IsUploader, people, record) == set()
    assert not any(get_listed(user, backend) for user in people.values())


def test_decision_makes_no_query(people, backend, django_assert_num_queries):
    record = upload(backend, people["owner"])
    with django_assert_num_queries(0):
        assert is_allowed(IsUploader, people["owner"], record)


def test_records_without_the_columns_are_denied(people):
    backend = ORMMetaBackend(PlainStoredFile)
    record = backend.create(
        {"path": "/a", "proxy_storage_name": "orm-disk", "original_storage_path": "a"}
    )
    assert allowed(IsUploader, people, record) == set()
    assert get_listed(people["owner"], backend) == []
    assert get_listed(people["owner"], backend, ~IsUploader()) == ["/a"]


@pytest.mark.parametrize(
    "make_requester",
    [
        lambda user: SimpleLazyObject(lambda: user),
        lambda user: User.objects.only("username").get(pk=user.pk),
        lambda user: SimpleNamespace(is_authenticated=True, pk=user.pk, username="owner"),
    ],
    ids=["lazy", "deferred", "token"],
)
def test_other_objects_for_the_same_user(people, backend, make_requester):
    user = people["owner"]
    requester = make_requester(user)
    assert get_uploader_data(requester, backend) == {
        "uploader_id": str(user.pk),
        "uploader_scope": None,
    }
    assert is_allowed(IsUploader, requester, upload(backend, user))
    assert is_allowed(IsUploader, user, upload(backend, requester, "b"))


def test_requester_of_another_model_is_not_a_user(people, backend):
    user = people["owner"]
    device = UploadingDevice.objects.create(pk=user.pk)
    assert get_uploader_data(device, backend) == NO_UPLOADER
    assert not is_allowed(IsUploader, device, upload(backend, user))
    assert not is_allowed(IsUploader, user, upload(backend, device, "b"))
    assert get_listed(device, backend) == []


@pytest.mark.parametrize("key", [None, "a\0"], ids=["unsaved", "NUL"])
def test_user_without_a_key_that_records_can_have(backend, key):
    requester = SimpleNamespace(is_authenticated=True, pk=key, username="owner")
    assert get_uploader_data(requester, backend) == NO_UPLOADER
    assert not is_allowed(IsUploader, requester, upload(backend, requester))
    assert get_listed(requester, backend) == []


def test_user_of_another_database_with_the_same_key(people, backend):
    user = people["owner"]
    twin = User.objects.get(pk=user.pk)
    twin._state.db = "other"
    assert get_uploader_data(twin, backend)["uploader_scope"] == "other"
    upload(backend, user, "default")
    upload(backend, twin, "other")
    for requester, path, denied in ((user, "/default", "/other"), (twin, "/other", "/default")):
        assert is_allowed(IsUploader, requester, backend.get(path))
        assert not is_allowed(IsUploader, requester, backend.get(denied))
        assert get_listed(requester, backend) == [path]


def test_user_of_another_tenant_with_the_same_key(people, backend, settings):
    user, tenant = people["owner"], "one"
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "GET_TENANT": lambda model, using: tenant if model is User else None,
    }
    assert get_uploader_data(user, backend)["uploader_scope"] == "default/one"
    record = upload(backend, user)
    assert is_allowed(IsUploader, user, record)
    assert get_listed(user, backend) == ["/a"]
    tenant = "two"
    assert not is_allowed(IsUploader, user, record)
    assert get_listed(user, backend) == []


@pytest.mark.parametrize(
    ("seconds", "is_former"), [(None, False), (1, False), (-1, False), (-10, True)]
)
def test_key_of_a_deleted_user_is_used_again(people, backend, seconds, is_former):
    user = people["owner"]
    if seconds is None:
        upload(backend, user)
    else:
        upload(backend, user, created_at=user.date_joined + timedelta(seconds=seconds))
    assert is_allowed(IsUploader, user, backend.get("/a")) is not is_former
    assert get_listed(user, backend) == ([] if is_former else ["/a"])


def test_record_without_meta_backend(people):
    record = MetaBackendObject(path="/x", **get_uploader_data(people["owner"], None))
    assert allowed(IsUploader, people, record) == {"owner"}


def test_attached_file_is_not_the_uploaders_any_more(people, backend):
    user = people["owner"]
    upload(backend, user)
    data = {
        "content_type_id": ContentType.objects.get_for_model(User).pk,
        "object_id": people["stranger"].pk,
        "field": "scan",
    }
    backend.set_content_object(data, "/a")
    for released in ((), ["/a"]):
        backend.set_content_object(data, None, released)
        record = backend.get("/a")
        assert (record.get("content_type_id") is None) is bool(released)
        assert allowed(IsUploader, people, record) == set()
        assert get_listed(user, backend) == []


def test_list_of_a_requester_without_a_date(people, backend):
    """The requester of a token may not have ``date_joined``."""
    upload(backend, people["owner"])
    requester = SimpleNamespace(is_authenticated=True, pk=people["owner"].pk, username="owner")
    assert get_listed(requester, backend) == ["/a"]
