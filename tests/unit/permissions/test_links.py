"""What a signed link is good for."""

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
from tests.unit.permissions.links import EVERYBODY, NOW, get_query, is_good, save, save_again

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db,
    pytest.mark.parametrize("storage", ["orm-memory", "mongo-memory"], indirect=True),
]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The time, in one place, which a test may set."""
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
    def test_has_what_the_link_is_good_for(self, record, user):
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

    def test_leads_to_the_endpoint(self, record):
        url = urlsplit(get_signed_url(record).url)
        assert (url.netloc, url.path) == ("", "/files/")

    @pytest.mark.parametrize("make", [lambda request: request, Request])
    def test_is_absolute_where_the_request_is_known(self, record, make):
        request = make(RequestFactory().get("/elsewhere/", headers={"host": "testserver"}))
        link = get_signed_url(record, request=request)
        assert link.url.startswith("http://testserver/files/?path=")
        assert is_good(link, record)

    def test_needs_an_endpoint(self, record, settings):
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "proxy_storage_api"
        ]
        with pytest.raises(ConfigurationError, match="needs a download endpoint"):
            get_signed_url(record)


class TestTime:
    def test_ends_after_the_longest_time_by_default(self, record, settings):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_MAX_AGE": 10}
        link = get_signed_url(record)
        assert link.expires_at == datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=10)

    @pytest.mark.parametrize(("passed", "expected"), [(59.9, True), (60, False), (1e6, False)])
    def test_ends_at_that_moment(self, record, clock, passed, expected):
        link = get_signed_url(record, max_age=60)
        assert link.expires_at == datetime.fromtimestamp(NOW + 60, UTC)
        clock["now"] = NOW + passed
        assert is_good(link, record) is expected

    @pytest.mark.parametrize("max_age", [0, -1, 3601, 10**30, float("nan")])
    def test_has_limits(self, record, max_age):
        with pytest.raises(ValueError, match="max_age must be from 1 to 3600 seconds"):
            get_signed_url(record, max_age=max_age)

    @pytest.mark.parametrize("max_age", [1, 3600])
    def test_may_be_as_short_and_as_long_as_that(self, record, max_age):
        assert is_good(get_signed_url(record, max_age=max_age), record)

    @pytest.mark.parametrize("value", [0, -1, 1.5, "3600", True, None])
    def test_setting_is_a_number_of_seconds(self, record, settings, value):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_MAX_AGE": value}
        with pytest.raises(
            ConfigurationError, match=r"\['LINK_MAX_AGE'\] must be an int of at least 1,"
        ):
            get_signed_url(record)


class TestRounding:
    """Links that are made shortly after each other are equal, so that browsers keep pictures."""

    def get_urls(self, record, clock, seconds, **options):
        urls = []
        for passed in range(0, seconds, 10):
            clock["now"] = NOW + passed
            urls.append(get_signed_url(record, **options).url)
        return urls

    def test_links_are_equal_for_a_while(self, record, clock):
        urls = self.get_urls(record, clock, 600)
        assert len(urls) == 60
        assert [urls.count(url) for url in dict.fromkeys(urls)] == [30, 30]

    def test_other_links_are_others(self, record, user):
        options = [{}, {"as_attachment": True}, {"user": user}, {"max_age": 1800}]
        assert len({get_signed_url(record, **one).url for one in options}) == 4

    @pytest.mark.parametrize("max_age", [1, 9, 10, 11, 59, 60, 600, 3599, 3600])
    @pytest.mark.parametrize("start", [0, 1, 7, 299])
    def test_they_end_a_tenth_earlier_at_most(self, record, clock, max_age, start):
        clock["now"] = now = NOW + start
        link = get_signed_url(record, max_age=max_age)
        lifetime = link.expires_at.timestamp() - now
        assert max_age * 0.9 <= lifetime <= max_age
        assert is_good(link, record)
        clock["now"] = now + max_age
        assert not is_good(link, record)

    @pytest.mark.parametrize(("value", "count"), [(0, 60), (60, 10), (10_000, 2)])
    def test_setting(self, record, clock, settings, value, count):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_ROUNDING": value}
        assert len(set(self.get_urls(record, clock, 600))) == count

    @pytest.mark.parametrize("value", [-1, 1.5, "300", True, None])
    def test_setting_is_a_number_of_seconds(self, record, settings, value):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "LINK_ROUNDING": value}
        with pytest.raises(
            ConfigurationError, match=r"\['LINK_ROUNDING'\] must be an int of at least 0,"
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

    def test_is_told_to_the_holder_of_a_true_link(self, link, record, user):
        assert self.has_expired(link, record, user)
        assert not is_good(link, record, by=user)

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
    def test_is_told_to_nobody_else(self, link, record, user, changes):
        assert not self.has_expired(link, record, user, **changes)

    def test_is_about_this_file_user_and_method(self, storage, link, record, user):
        assert not self.has_expired(link, record, EVERYBODY)
        assert not self.has_expired(link, record, user, asked="DELETE")
        assert not self.has_expired(link, save(storage, "b.txt"), user)


class TestMethod:
    @pytest.mark.parametrize(
        ("method", "good_for"),
        [("GET", {"GET", "HEAD"}), ("HEAD", {"HEAD"}), ("DELETE", {"DELETE"})],
    )
    def test_is_the_only_one(self, record, method, good_for):
        link = get_signed_url(record, method=method)
        methods = ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH", "OPTIONS", "get", ""]
        assert {asked for asked in methods if is_good(link, record, asked)} == good_for

    @pytest.mark.parametrize("method", ["POST", "OPTIONS", "get", ""])
    def test_is_one_that_is_about_a_file(self, record, method):
        with pytest.raises(ValueError, match="method must be one of GET, HEAD, DELETE"):
            get_signed_url(record, method=method)


class TestUser:
    def test_is_the_only_one(self, record, user):
        link = get_signed_url(record, user=user)
        stranger = User.objects.create(username="ronaldo")
        assert is_good(link, record, by=user)
        assert is_good(link, record, by=User.objects.get(pk=user.pk))
        logged_out = SimpleNamespace(pk=user.pk, is_authenticated=False)
        for other in (stranger, EVERYBODY, User(), logged_out, None):
            assert not is_good(link, record, by=other)

    def test_is_everybody_by_default(self, record, user):
        link = get_signed_url(record)
        assert all(is_good(link, record, by=one) for one in (user, EVERYBODY, None))

    def test_has_a_key(self, record):
        with pytest.raises(ValueError, match="AnonymousUser has no key"):
            get_signed_url(record, user=EVERYBODY)

    def test_that_has_no_key_is_not_the_one_whose_key_is_none(self, record):
        link = get_signed_url(record, user=User(pk="None"))
        assert is_good(link, record, by=User(pk="None"))
        assert not is_good(link, record, by=User(pk=None))


class TestFile:
    def test_is_the_only_one(self, storage, record):
        other = save(storage, "b.txt")
        assert not is_good(get_signed_url(record), other)

    @pytest.mark.parametrize("key", ["path", "proxy_storage_name", "link_version"])
    def test_is_known_by(self, record, key):
        other_name = {"proxy_storage_name": record["proxy_storage_name"].replace("memory", "disk")}
        other = MetaBackendObject({**record, key: other_name.get(key, "other")})
        link = get_signed_url(record)
        assert is_good(link, record)
        assert not is_good(link, other)
        assert is_good(get_signed_url(other), other)

    def test_is_another_one_when_saved_again_under_the_same_path(self, storage, record):
        link = get_signed_url(record)
        again = save_again(storage, record)
        assert again["path"] == record["path"]
        assert is_good(get_signed_url(again), again)
        assert not is_good(link, again)

    def test_of_a_storage_that_is_not_there_has_no_links(self, record):
        lost = MetaBackendObject({**record, "proxy_storage_name": "nowhere"})
        assert not is_good(get_signed_url(record), lost)

    def test_without_identity_has_no_links(self, storage, record):
        data = {key: record[key] for key in ("path", "proxy_storage_name")}
        assert not is_good(get_signed_url(record), MetaBackendObject(data))


class TestKey:
    def set(self, settings, **changes):
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **changes}

    def test_is_that_of_django(self, record, settings):
        link = get_signed_url(record)
        settings.SECRET_KEY = "another"
        assert not is_good(link, record)
        settings.SECRET_KEY_FALLBACKS = ["tests"]
        assert is_good(link, record)

    @pytest.mark.parametrize("key", ["ours", b"ours"])
    def test_of_links_replaces_it(self, record, settings, key):
        before = get_signed_url(record)
        self.set(settings, LINK_KEY=key)
        link = get_signed_url(record)
        assert is_good(link, record)
        assert not is_good(before, record)
        # links that may last for years need not end with those of Django
        settings.SECRET_KEY = "another"
        assert is_good(link, record)

    def test_that_was_changed_is_good_no_more(self, record, settings):
        self.set(settings, LINK_KEY="ours")
        link = get_signed_url(record)
        settings.SECRET_KEY_FALLBACKS = ["ours"]
        self.set(settings, LINK_KEY="new")
        assert not is_good(link, record)

    @pytest.mark.parametrize("key", [None, "ours"])
    def test_signs_links_only(self, record, settings, key):
        """What else is signed with it is no link, even the same text."""
        self.set(settings, LINK_KEY=key)
        link = get_signed_url(record)
        text = links._get_text(record, {"expires": get_query(link)["expires"]})
        for_links, for_others = Signer(key=key, salt=links.SALT), Signer(key=key)
        assert is_good(link, record, signature=for_links.signature(text))
        assert not is_good(link, record, signature=for_others.signature(text))

    @pytest.mark.parametrize(("key", "problem"), [("", "empty"), (b"", "empty"), (7, "int")])
    def test_is_a_text(self, record, settings, key, problem):
        self.set(settings, LINK_KEY=key)
        with pytest.raises(ConfigurationError, match=rf"LINK_KEY.*, not {problem}"):
            get_signed_url(record)
