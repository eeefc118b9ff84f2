"""Signed links: their URL, lifetime, method, user, file and key."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.signing import Signer
from django.test import RequestFactory
from rest_framework.request import Request

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import links
from proxy_storage_permissions.links import get_signed_url
from tests.unit.permissions.links import ANONYMOUS, NOW, get_query, is_valid, save, save_again

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db,
    pytest.mark.parametrize("storage", ["orm-memory", "mongo-memory"], indirect=True),
]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The current time, which a test can set."""
    clock = {"now": NOW + 0.5}
    monkeypatch.setattr(links, "time", lambda: clock["now"])
    return clock


@pytest.fixture
def record(storage):
    return save(storage, "a & b/é.txt")


@pytest.fixture
def user():
    return User.objects.create(username="messi")


class TestURL:
    def test_query_has_the_parameters(self, record, user):
        plain = dict(parse_qsl(urlsplit(get_signed_url(record).url).query))
        assert plain.pop("path") == record["path"]
        assert plain.pop("storage") == record["proxy_storage_name"]
        assert plain.pop("signature")
        assert plain == {"expires": str(NOW + 3600)}
        link = get_signed_url(record, as_attachment=True, method="DELETE", user=user, max_age=60)
        full = dict(parse_qsl(urlsplit(link.url).query))
        for name in ("path", "storage", "signature"):
            del full[name]
        assert full == {
            "expires": str(NOW + 60),
            "disposition": "attachment",
            "method": "DELETE",
            "user": str(user.pk),
        }

    def test_path_is_that_of_the_endpoint(self, record):
        url = urlsplit(get_signed_url(record).url)
        assert (url.netloc, url.path) == ("", "/files/")

    @pytest.mark.parametrize("make", [lambda request: request, Request])
    def test_url_is_absolute_with_a_request(self, record, make):
        request = make(RequestFactory().get("/elsewhere/", headers={"host": "testserver"}))
        link = get_signed_url(record, request=request)
        assert link.url.startswith("http://testserver/files/?path=")
        assert is_valid(link, record)

    def test_missing_endpoint_is_an_error(self, record, settings):
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "proxy_storage_api"
        ]
        with pytest.raises(ConfigurationError, match="needs a download endpoint"):
            get_signed_url(record)


class TestTime:
    def test_default_lifetime_is_the_maximum(self, record, settings):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_MAX_AGE": 10}
        link = get_signed_url(record)
        assert link.expires_at == datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=10)

    @pytest.mark.parametrize(("passed", "expected"), [(59.9, True), (60, False), (1e6, False)])
    def test_link_expires_after_max_age(self, record, clock, passed, expected):
        link = get_signed_url(record, max_age=60)
        assert link.expires_at == datetime.fromtimestamp(NOW + 60, UTC)
        clock["now"] = NOW + passed
        assert is_valid(link, record) is expected

    @pytest.mark.parametrize("max_age", [0, -1, 3601, 10**30, float("nan")])
    def test_max_age_has_limits(self, record, max_age):
        with pytest.raises(ValueError, match="max_age must be from 1 to 3600 seconds"):
            get_signed_url(record, max_age=max_age)

    @pytest.mark.parametrize("max_age", [1, 3600])
    def test_max_age_may_be_equal_to_a_limit(self, record, max_age):
        assert is_valid(get_signed_url(record, max_age=max_age), record)

    @pytest.mark.parametrize("value", [0, -1, 1.5, "3600", True, None])
    def test_setting_must_be_a_number_of_seconds(self, record, settings, value):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_MAX_AGE": value}
        with pytest.raises(
            ConfigurationError,
            match=r"\['LINK_MAX_AGE'\] must be a whole number of seconds, at least 1,",
        ):
            get_signed_url(record)


class TestRounding:
    """Links that are made shortly after each other are equal, so that browsers can cache them."""

    def get_urls(self, record, clock, seconds, **options):
        urls = []
        for passed in range(0, seconds, 10):
            clock["now"] = NOW + passed
            urls.append(get_signed_url(record, **options).url)
        return urls

    def test_links_are_equal_within_the_step(self, record, clock):
        urls = self.get_urls(record, clock, 600)
        assert len(urls) == 60
        assert [urls.count(url) for url in dict.fromkeys(urls)] == [30, 30]

    def test_links_with_other_parameters_differ(self, record, user):
        options = [{}, {"as_attachment": True}, {"user": user}, {"max_age": 1800}]
        assert len({get_signed_url(record, **one).url for one in options}) == 4

    @pytest.mark.parametrize("max_age", [1, 9, 10, 11, 59, 60, 600, 3599, 3600])
    @pytest.mark.parametrize("start", [0, 1, 7, 299])
    def test_links_expire_at_most_a_tenth_earlier(self, record, clock, max_age, start):
        clock["now"] = now = NOW + start
        link = get_signed_url(record, max_age=max_age)
        lifetime = link.expires_at.timestamp() - now
        assert max_age * 0.9 <= lifetime <= max_age
        assert is_valid(link, record)
        clock["now"] = now + max_age
        assert not is_valid(link, record)

    @pytest.mark.parametrize(("value", "count"), [(0, 60), (60, 10), (10_000, 2)])
    def test_setting_changes_the_step(self, record, clock, settings, value, count):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_ROUNDING": value}
        assert len(set(self.get_urls(record, clock, 600))) == count

    @pytest.mark.parametrize("value", [-1, 1.5, "300", True, None])
    def test_setting_must_be_a_number_of_seconds(self, record, settings, value):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_ROUNDING": value}
        with pytest.raises(
            ConfigurationError,
            match=r"\['LINK_ROUNDING'\] must be a whole number of seconds, at least 0,",
        ):
            get_signed_url(record)


class TestExpired:
    @pytest.fixture
    def link(self, record, user, clock):
        link = get_signed_url(record, max_age=60, user=user)
        assert not self.has_expired(link, record, user)
        clock["now"] = NOW + 60
        return link

    def has_expired(self, link, record, by, asked="GET", **changes):
        return links.has_link_expired(record, get_query(link, **changes), asked, by)

    def test_expired_link_is_recognized(self, link, record, user):
        assert self.has_expired(link, record, user)
        assert not is_valid(link, record, by=user)

    @pytest.mark.parametrize(
        "changes",
        [
            {"signature": "a" * 43},
            {"signature": None},
            {"expires": str(NOW + 59)},
            {"expires": str(NOW - 10_000)},
            {"disposition": "attachment"},
            {"user": None},
        ],
    )
    def test_changed_link_is_not_reported_as_expired(self, link, record, user, changes):
        assert not self.has_expired(link, record, user, **changes)

    def test_link_for_another_file_user_or_method_is_not_reported_as_expired(
        self, storage, link, record, user
    ):
        assert not self.has_expired(link, record, ANONYMOUS)
        assert not self.has_expired(link, record, user, asked="DELETE")
        assert not self.has_expired(link, save(storage, "b.txt"), user)


class TestMethod:
    @pytest.mark.parametrize(
        ("method", "expected"),
        [("GET", {"GET", "HEAD"}), ("HEAD", {"HEAD"}), ("DELETE", {"DELETE"})],
    )
    def test_link_is_valid_for_its_method_only(self, record, method, expected):
        link = get_signed_url(record, method=method)
        methods = ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH", "OPTIONS", "get", ""]
        assert {asked for asked in methods if is_valid(link, record, asked)} == expected

    @pytest.mark.parametrize("method", ["POST", "OPTIONS", "get", ""])
    def test_other_methods_are_an_error(self, record, method):
        with pytest.raises(ValueError, match="method must be one of GET, HEAD, DELETE"):
            get_signed_url(record, method=method)


class TestUser:
    def test_link_is_valid_for_its_user_only(self, record, user):
        link = get_signed_url(record, user=user)
        stranger = User.objects.create(username="ronaldo")
        assert is_valid(link, record, by=user)
        assert is_valid(link, record, by=User.objects.get(pk=user.pk))
        logged_out = SimpleNamespace(pk=user.pk, is_authenticated=False)
        for other in (stranger, ANONYMOUS, User(), logged_out, None):
            assert not is_valid(link, record, by=other)

    def test_link_is_valid_for_all_users_by_default(self, record, user):
        link = get_signed_url(record)
        assert all(is_valid(link, record, by=one) for one in (user, ANONYMOUS, None))

    def test_user_without_a_key_is_an_error(self, record):
        with pytest.raises(ValueError, match="AnonymousUser has no key"):
            get_signed_url(record, user=ANONYMOUS)

    def test_user_without_a_key_is_not_the_user_with_the_key_none(self, record):
        link = get_signed_url(record, user=User(pk="None"))
        assert is_valid(link, record, by=User(pk="None"))
        assert not is_valid(link, record, by=User(pk=None))


class TestFile:
    def test_link_is_valid_for_its_file_only(self, storage, record):
        other = save(storage, "b.txt")
        assert not is_valid(get_signed_url(record), other)

    @pytest.mark.parametrize("key", ["path", "proxy_storage_name", "link_version"])
    def test_signature_covers_the_record(self, record, key):
        other_name = {"proxy_storage_name": record["proxy_storage_name"].replace("memory", "disk")}
        other = MetaBackendObject({**record, key: other_name.get(key, "other")})
        link = get_signed_url(record)
        assert is_valid(link, record)
        assert not is_valid(link, other)
        assert is_valid(get_signed_url(other), other)

    def test_link_is_not_valid_for_a_new_file_with_the_same_path(self, storage, record):
        link = get_signed_url(record)
        again = save_again(storage, record)
        assert again["path"] == record["path"]
        assert is_valid(get_signed_url(again), again)
        assert not is_valid(link, again)

    def test_link_to_an_unknown_storage_is_not_valid(self, record):
        lost = MetaBackendObject({**record, "proxy_storage_name": "nowhere"})
        assert not is_valid(get_signed_url(record), lost)

    def test_link_to_a_record_without_identity_is_not_valid(self, storage, record):
        data = {key: record[key] for key in ("path", "proxy_storage_name")}
        assert not is_valid(get_signed_url(record), MetaBackendObject(data))


class TestKey:
    def set(self, settings, **changes):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **changes}

    def test_default_is_the_key_of_django(self, record, settings):
        link = get_signed_url(record)
        settings.SECRET_KEY = "another"
        assert not is_valid(link, record)
        settings.SECRET_KEY_FALLBACKS = ["tests"]
        assert is_valid(link, record)

    @pytest.mark.parametrize("key", ["ours", b"ours"])
    def test_link_key_replaces_it(self, record, settings, key):
        before = get_signed_url(record)
        self.set(settings, LINK_KEY=key)
        link = get_signed_url(record)
        assert is_valid(link, record)
        assert not is_valid(before, record)
        # The links stay valid if Django's key is changed.
        settings.SECRET_KEY = "another"
        assert is_valid(link, record)

    def test_links_are_not_valid_after_a_change(self, record, settings):
        self.set(settings, LINK_KEY="ours")
        link = get_signed_url(record)
        settings.SECRET_KEY_FALLBACKS = ["ours"]
        self.set(settings, LINK_KEY="new")
        assert not is_valid(link, record)

    @pytest.mark.parametrize("key", [None, "ours"])
    def test_key_has_a_salt(self, record, settings, key):
        """Other signatures with the same key are not valid for links, even of the same text."""
        self.set(settings, LINK_KEY=key)
        link = get_signed_url(record)
        text = links._get_text(record, {"expires": get_query(link)["expires"]})
        for_links, for_others = Signer(key=key, salt=links.SALT), Signer(key=key)
        assert is_valid(link, record, signature=for_links.signature(text))
        assert not is_valid(link, record, signature=for_others.signature(text))

    @pytest.mark.parametrize(("key", "problem"), [("", "empty"), (b"", "empty"), (7, "int")])
    def test_key_must_be_a_str_or_bytes(self, record, settings, key, problem):
        self.set(settings, LINK_KEY=key)
        with pytest.raises(ConfigurationError, match=rf"LINK_KEY.*, not {problem}"):
            get_signed_url(record)
