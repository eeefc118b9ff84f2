"""HasValidSignature, which allows requests with a signed link."""

from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from proxy_storage.content_objects import get_content_object_data
from proxy_storage_permissions import FieldPermissions, IsOwner, evaluate
from proxy_storage_permissions.links import HasValidSignature, get_signed_url, revoke_links
from tests.testapp.models import Document
from tests.unit.permissions.links import ANONYMOUS, save

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
    pytest.mark.parametrize("storage", ["orm-memory", "mongo-memory"], indirect=True),
]
VIEW = SimpleNamespace(checks_record=True)
FIELD = Document._meta.get_field("orm_file")


@pytest.fixture
def record(storage):
    return save(storage)


@pytest.fixture
def url(record):
    return get_signed_url(record).url


@pytest.fixture
def people():
    return {
        "anonymous": ANONYMOUS,
        "stranger": User.objects.create(username="stranger"),
        "staff": User.objects.create(username="staff", is_staff=True),
    }


def make_request(url, user=ANONYMOUS, method="GET"):
    request = APIRequestFactory().generic(method, url)
    force_authenticate(request, user)
    return Request(request)


def is_allowed(record, url, view=VIEW, method="GET", user=ANONYMOUS):
    return evaluate(HasValidSignature(), make_request(url, user, method), view, record)


class TestFile:
    def test_file_of_the_link_is_allowed(self, storage, record, url):
        assert is_allowed(record, url)
        assert not is_allowed(save(storage, "b.txt"), url)

    def test_request_without_a_link_is_denied(self, record):
        assert not is_allowed(record, "/files/?path=%2Fa.txt")

    def test_result_depends_on_the_record(self, url):
        assert evaluate(HasValidSignature(), make_request(url), VIEW) is None

    def test_revoked_link_is_denied(self, record, url):
        revoke_links(record)
        assert not is_allowed(record, url)

    def test_list_is_empty(self, url):
        assert HasValidSignature().get_filter(make_request(url), VIEW, []) is False


@pytest.mark.parametrize(
    ("permission", "with_link", "without"),
    [
        (HasValidSignature, {"anonymous", "stranger", "staff"}, set()),
        (~HasValidSignature, set(), {"anonymous", "stranger", "staff"}),
        (~~HasValidSignature, {"anonymous", "stranger", "staff"}, set()),
        (HasValidSignature | IsAdminUser, {"anonymous", "stranger", "staff"}, {"staff"}),
        (IsAuthenticated & HasValidSignature, {"stranger", "staff"}, set()),
        (~HasValidSignature & IsAdminUser, set(), {"staff"}),
        (~(HasValidSignature | IsAdminUser), set(), {"anonymous", "stranger"}),
    ],
)
def test_operators(permission, with_link, without, record, url, people):
    for asked, expected in ((url, with_link), ("/files/", without)):
        allowed = {
            who
            for who, user in people.items()
            if evaluate(permission(), make_request(asked, user), VIEW, record)
        }
        assert allowed == expected


def test_permission_of_a_field(storage, people):
    class Files(FieldPermissions):
        model = Document
        permissions = {"orm_file": HasValidSignature | IsOwner("user")}

    owner = Document.objects.create(user=people["stranger"])
    record = save(storage)
    storage.meta_backend.set_content_object(get_content_object_data(owner, FIELD), record["path"])
    record = storage.get_meta_backend_obj(record["path"])
    for url, expected in ((get_signed_url(record).url, set(people)), ("/files/", {"stranger"})):
        allowed = {
            who
            for who, user in people.items()
            if evaluate(Files(), make_request(url, user), VIEW, record)
        }
        assert allowed == expected


class TestUser:
    def test_link_for_a_user_allows_that_user_only(self, record, people):
        url = get_signed_url(record, user=people["stranger"]).url
        allowed = {who for who, user in people.items() if is_allowed(record, url, user=user)}
        assert allowed == {"stranger"}


class TestMethod:
    @pytest.mark.parametrize("link_method", ["GET", "DELETE"])
    def test_method_of_the_request_is_checked(self, record, link_method):
        url = get_signed_url(record, method=link_method).url
        methods = ["GET", "HEAD", "DELETE", "POST", "OPTIONS"]
        allowed = {one for one in methods if is_allowed(record, url, method=one)}
        assert allowed == ({"GET", "HEAD"} if link_method == "GET" else {"DELETE"})

    @pytest.mark.parametrize(("asked", "expected"), [("GET", False), ("DELETE", True)])
    def test_method_asked_for_of_the_view_is_used(self, record, asked, expected):
        view = SimpleNamespace(method_asked_for=lambda request: request.headers["x-method"])
        request = make_request(get_signed_url(record, method="DELETE").url)
        request._request.META["HTTP_X_METHOD"] = asked
        assert HasValidSignature().has_object_permission(request, view, record) is expected


class TestAction:
    @pytest.mark.parametrize(
        ("action", "expected"),
        [
            ("authorize", True),
            ("download", True),
            ("record", False),
            ("link", False),
            ("list", False),
            ("metadata", False),
            ("whatever", False),
            (None, False),
        ],
    )
    def test_only_actions_for_the_file_are_allowed(self, record, url, action, expected):
        view = SimpleNamespace(checks_record=True, action=action)
        assert is_allowed(record, url, view) is expected

    def test_link_for_delete_allows_deleting(self, record, url):
        view = SimpleNamespace(checks_record=True, action="destroy")
        to_delete = get_signed_url(record, method="DELETE").url
        assert is_allowed(record, to_delete, view, "DELETE")
        assert not is_allowed(record, url, view, "DELETE")

    def test_subclass_may_allow_other_actions(self, record, url):
        class Signed(HasValidSignature):
            actions = ("preview",)

        view = SimpleNamespace(checks_record=True, action="preview")
        assert evaluate(Signed(), make_request(url), view, record) is True
        view = SimpleNamespace(action="download")
        assert evaluate(Signed(), make_request(url), view, record) is False


def test_view_of_the_project_calls_check_object_permissions(record, url):
    class FileView(APIView):
        permission_classes = [HasValidSignature]
        checks_record = True

        def get(self, request):
            self.check_object_permissions(request, record)
            return SimpleNamespace(status_code=200)

        def finalize_response(self, request, response, *args, **kwargs):
            return response

    view = FileView.as_view()
    assert view(APIRequestFactory().get(url)).status_code == 200
    assert view(APIRequestFactory().get(f"{url}&disposition=attachment")).status_code == 403


class TestEndpoint:
    @pytest.fixture(autouse=True)
    def only_by_link(self, settings):
        path = "proxy_storage_permissions.links.HasValidSignature"
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": [path],
        }

    def test_link_is_accepted_without_a_session(self, url):
        response = Client().get(url, headers={"accept": "image/*"})
        assert response.status_code == 200
        assert b"".join(response.streaming_content) == b"hello"
        assert "sessionid" not in response.cookies

    def test_ranges_are_delivered(self, url):
        response = Client().get(url, headers={"range": "bytes=1-2"})
        assert response.status_code == 206
        assert b"".join(response.streaming_content) == b"el"
        assert Client().head(url).status_code == 200

    def test_changed_links_are_refused(self, storage, record, url):
        other = save(storage, "other.txt")
        parameters = dict(parse_qsl(urlsplit(url).query))
        for changes in ({"path": other["path"]}, {"signature": "x"}, {"expires": "1"}):
            query = urlencode({**parameters, **changes})
            assert Client().get(f"/files/?{query}").status_code == 403
        for added in ("&disposition=attachment", "&expires=1", "&signature=x", "&user=1"):
            assert Client().get(url + added).status_code == 403
        assert Client().get(storage.url(record["path"])).status_code == 403
        assert Client().post(url).status_code in (403, 405)
