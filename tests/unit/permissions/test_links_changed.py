"""Changed links are not valid."""

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from proxy_storage_permissions import links
from proxy_storage_permissions.links import get_signed_url, is_valid_link
from tests.unit.permissions.links import ANONYMOUS, NOW, get_query, is_valid, save

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db,
    pytest.mark.parametrize("storage", ["orm-memory", "mongo-memory"], indirect=True),
]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(links, "time", lambda: NOW)


@pytest.fixture
def record(storage):
    return save(storage)


@pytest.fixture
def user():
    return User.objects.create(username="messi")


class TestChange:
    """A link is not valid if one part of it is changed."""

    @pytest.fixture
    def bound(self, record, user):
        link = get_signed_url(record, as_attachment=True, method="HEAD", user=user, max_age=60)
        assert is_valid(link, record, "HEAD", user)
        return link

    @pytest.mark.parametrize(
        "changes",
        [
            {"expires": str(NOW + 61)},
            {"expires": str(NOW + 59)},
            {"expires": None},
            {"disposition": None},
            {"disposition": "inline"},
            {"disposition": "Attachment"},
            {"disposition": ""},
            {"method": None},
            {"method": "GET"},
            {"user": None},
            {"user": ""},
            {"signature": None},
        ],
    )
    def test_changed_parameter(self, record, user, bound, changes):
        for method in ("GET", "HEAD"):
            assert not is_valid(bound, record, method, user, **changes)

    def test_changed_user(self, record, user, bound):
        stranger = User.objects.create(username="ronaldo")
        assert not is_valid(bound, record, "HEAD", stranger, user=str(stranger.pk))

    @pytest.mark.parametrize(
        "added",
        [{"disposition": "attachment"}, {"disposition": "inline"}, {"method": "DELETE"}],
    )
    def test_added_parameter(self, record, added):
        link = get_signed_url(record)
        assert is_valid(link, record)
        for method in ("GET", "DELETE"):
            assert not is_valid(link, record, method, **added)

    def test_added_user(self, record, user):
        query = get_query(get_signed_url(record))
        assert is_valid_link(record, query, "GET", user)
        query["user"] = str(user.pk)
        assert not is_valid_link(record, query, "GET", user)

    def test_changed_signature(self, record):
        link = get_signed_url(record)
        signature = get_query(link)["signature"]
        other = get_query(get_signed_url(record, max_age=60))["signature"]
        last = "B" if signature[-1] != "B" else "A"
        padded = f"{signature}="
        for wrong in (signature[:-1], signature[:-1] + last, signature.swapcase(), padded, other):
            assert not is_valid(link, record, signature=wrong)

    @pytest.mark.parametrize("name", ["expires", "signature", "disposition", "method", "user"])
    def test_repeated_parameter(self, record, user, bound, name):
        value = get_query(bound)[name]
        for values in ([value, value], [value, "x"], ["x", value], [value, ""]):
            assert not is_valid(bound, record, "HEAD", user, **{name: values})

    def test_other_parameters_are_ignored(self, record):
        """The signature does not cover them. The path is taken from the record."""
        assert is_valid(get_signed_url(record), record, path=["/x", "/y"], other="z", format="json")


class TestInvalidQuery:
    """A query that is not a link gives False, and no exception."""

    TEXTS = [
        "",
        " ",
        "0",
        "-1",
        "+1800000060",
        "1800000060.0",
        "1e10",
        "0x7fffffff",
        "01800000060",
        "1_800_000_060",
        "9" * 13,
        "9" * 5000,
        "\uff11\uff18\uff10\uff10\uff10\uff10\uff10\uff10\uff16\uff10",
        "\u0661\u0668\u0660\u0660\u0660\u0660\u0660\u0660\u0666\u0660",
        "1800000060\n",
        "\x00",
        "é",
        "\ud800",
        ":",
        "a:b",
        '"]',
        "null",
    ]

    @pytest.mark.parametrize("name", ["expires", "signature", "disposition", "method", "user"])
    def test_invalid_values_of_parameters(self, record, user, name):
        link = get_signed_url(record, max_age=60)
        assert is_valid(link, record, by=user)
        for text in self.TEXTS:
            for asked in ("GET", text):
                assert not is_valid(link, record, asked, user, **{name: text}), text

    def test_empty_query(self, record):
        assert not is_valid_link(record, QueryDict(), "GET", ANONYMOUS)
