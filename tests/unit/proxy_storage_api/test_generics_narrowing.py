"""get_queryset() and filters narrow all actions, as in DRF's get_object()."""

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from rest_framework.filters import BaseFilterBackend
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.filters import RecordFilter
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FilePermission, get_signed_url
from tests.testapp.models import StoredFile

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
OURS = Q(path__icontains="ours")


class Open(FileViewSet):
    permission_classes = delete_permission_classes = [AllowAny]
    authentication_classes = []


class Denying(FilePermission):
    """Deny each file after a query."""

    def has_object_permission(self, request, view, obj):
        return obj.get_content_object() is not None


class Queryset(Open):
    def get_queryset(self):
        return super().get_queryset().filter(OURS)


class List(Open):
    def get_queryset(self):
        return [record for record in super().get_queryset() if "ours" in record["path"]]


class WholeList(Open):
    def get_queryset(self):
        return list(RecordSet(self.get_meta_backends()))


class OwnRecordSet(Open):
    def get_queryset(self):
        return RecordSet(self.get_meta_backends(), OURS)


class TenantMixin:
    def get_queryset(self):
        return super().get_queryset().filter(OURS)


class Mixed(TenantMixin, Open):
    pass


class Filtered(Open):
    def filter_queryset(self, queryset):
        return super().filter_queryset(queryset).filter(OURS)


class OursBackend(BaseFilterBackend):
    def filter_queryset(self, request, queryset, view):
        return queryset.filter(OURS)


class OursRecordFilter(RecordFilter):
    def filter_queryset(self, request, queryset, view):
        return super().filter_queryset(request, queryset, view).filter(OURS)


class Backend(Open):
    filter_backends = [OursBackend]


class TwoBackends(Open):
    filter_backends = [RecordFilter, OursBackend]


class DerivedBackend(Open):
    filter_backends = [OursRecordFilter]


class Hiding(Queryset):
    permission_classes = [Denying]


VIEWS = [Queryset, List, OwnRecordSet, Mixed, Filtered, Backend, TwoBackends, DerivedBackend]
router = SimpleRouter()
for view in (*VIEWS, WholeList, Hiding, Open):
    router.register(view.__name__.lower(), view, basename=view.__name__.lower())
urlpatterns = router.urls


@pytest.fixture(autouse=True)
def these_urls(settings, change):
    settings.ROOT_URLCONF = __name__
    change(FILE_URL_NAME="open-list")


@pytest.fixture(params=["orm-prefix", "mongo-disk", "orm-gridfs"])
def paths(request):
    storage = get_proxy_storage(request.param)
    return {
        name: storage.save(f"{name}/a.txt", ContentFile(name.encode()))
        for name in ("ours", "theirs")
    }


@pytest.fixture
def storage(paths, request):
    return get_proxy_storage(request.node.callspec.params["paths"])


def get(client, url, query=None):
    """Return the status after reading the whole response."""
    response = client.get(url, query)
    b"".join(response)
    return response.status_code


def ask(client, view, path):
    """Return the status of each action on a file."""
    root = f"/{view.__name__.lower()}/"
    query = {"query_params": {"path": path}}
    return {
        "download": get(client, root, {"path": path}),
        "head": client.head(root, {"path": path}).status_code,
        "record": client.get(f"{root}record/", {"path": path}).status_code,
        "authorize": client.get(f"{root}authorize/", {"path": path}).status_code,
        "link": client.post(
            f"{root}link/", {"path": path}, content_type="application/json"
        ).status_code,
        "delete": client.delete(root, **query).status_code,
    }


@pytest.mark.parametrize("view", VIEWS)
def test_each_action_is_narrowed(client, paths, storage, view):
    assert set(ask(client, view, paths["theirs"]).values()) == {404}
    assert storage.exists(paths["theirs"])
    if view is not List:  # RecordFilter filters a RecordSet.
        response = client.get(f"/{view.__name__.lower()}/")
        assert [record["path"] for record in response.json()["results"]] == [paths["ours"]]
    found = ask(client, view, paths["ours"])
    assert found.pop("delete") == 204
    assert found.pop("authorize") == 204
    assert set(found.values()) == {200}
    assert not storage.exists(paths["ours"])


def test_link_does_not_widen_access(client, paths, storage):
    """A signed link does not open files that a view excludes."""
    url = get_signed_url(storage.get_meta_backend_obj(paths["theirs"])).url
    assert get(client, url) == 200
    assert get(client, url.replace("/open/", "/queryset/")) == 404


def test_authorize_by_header_is_narrowed(client, change):
    storage = get_proxy_storage("orm-prefix")
    change(AUTHORIZE_URI_HEADER="X-Original-URI")
    for name, status in (("ours", 204), ("theirs", 404)):
        path = storage.save(f"{name}/a.txt", ContentFile(b""))
        response = client.get(
            "/queryset/authorize/", {"storage": "orm-prefix"}, headers={"x-original-uri": path}
        )
        assert response.status_code == status


@pytest.mark.parametrize("named", [True, False])
def test_excluded_path_equals_an_unknown_one(client, paths, change, request, named):
    change(HIDE_FORBIDDEN=True)
    query = {"storage": request.node.callspec.params["paths"]} if named else {}
    answers = []
    for path in (paths["ours"], paths["theirs"], "nothing") * 2:
        with CaptureQueriesContext(connection) as captured:
            response = client.get("/hiding/", {"path": path, **query})
        assert response.status_code == 404
        sql = [query["sql"].partition("WHERE")[0] for query in captured.captured_queries]
        answers.append((response.content, sql))
    assert answers[3] == answers[4] == answers[5]


def test_narrowing_needs_no_further_query(client, django_assert_num_queries):
    path = get_proxy_storage("orm-prefix").save("ours/a.txt", ContentFile(b""))
    query = {"path": path, "storage": "orm-prefix"}
    for view in (Open, Queryset, Mixed, Filtered, Backend, TwoBackends, DerivedBackend):
        get(client, f"/{view.__name__.lower()}/", query)
        with django_assert_num_queries(1):
            assert get(client, f"/{view.__name__.lower()}/", query) == 200


@pytest.mark.parametrize("path", ["\0", "", "ours/", "%"])
def test_impossible_path_is_not_found(client, paths, path):
    assert client.get("/queryset/", {"path": path}).status_code == 404


def test_storage_parameter_is_applied(client, paths, request):
    name = request.node.callspec.params["paths"]
    for storage, status in ((name, 200), ("nothing", 404), ("orm_disk", 404)):
        query = {"path": paths["ours"], "storage": storage}
        assert get(client, "/queryset/", query) == status


def test_queryset_of_rows_is_an_error(rf, paths):
    class Rows(Open):
        def get_queryset(self):
            return StoredFile.objects.all()

    StoredFile.objects.create(path="x", proxy_storage_name="x", original_storage_path="x")
    with pytest.raises(ConfigurationError, match=r"must return records, not StoredFile"):
        Rows.as_view({"get": "download"})(rf.get("/", {"path": "x"}))


def test_queryset_attribute_is_an_error(rf):
    class Attribute(Open):
        queryset = RecordSet([])

    with pytest.raises(ConfigurationError, match="Override get_queryset"):
        Attribute.as_view({"get": "list"})(rf.get("/"))


def test_filter_backends_of_as_view_narrow(rf, paths):
    view = Open.as_view({"get": "download"}, filter_backends=[OursBackend])
    for name, status in (("ours", 200), ("theirs", 404)):
        response = view(rf.get("/", {"path": paths[name]}))
        assert response.status_code == status
        response.close()


def test_get_queryset_may_return_a_list(client, paths):
    for name in ("ours", "theirs"):
        assert get(client, "/wholelist/", {"path": paths[name]}) == 200
