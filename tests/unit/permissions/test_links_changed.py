"""What makes a signed link none."""

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from proxy_storage_permissions import links
from proxy_storage_permissions.links import get_signed_url, is_valid_link
from tests.unit.permissions.links import EVERYBODY, NOW, get_query, is_good, save

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
    """A link with one thing changed is none."""

    @pytest.fixture
    def bound(self, record, user):
        link = get_signed_url(record, as_attachment=True, method="HEAD", user=user, max_age=60)
        assert is_good(link, record, "HEAD", user)
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
    def test_of_a_parameter(self, record, user, bound, changes):
        for method in ("GET", "HEAD"):
            assert not is_good(bound, record, method, user, **changes)

    def test_of_the_user(self, record, user, bound):
        stranger = User.objects.create(username="ronaldo")
        assert not is_good(bound, record, "HEAD", stranger, user=str(stranger.pk))

    @pytest.mark.parametrize(
        "added",
        [{"disposition": "attachment"}, {"disposition": "inline"}, {"method": "DELETE"}],
    )
    def test_by_what_was_not_there(self, record, added):
        link = get_signed_url(record)
        assert is_good(link, record)
        for method in ("GET", "DELETE"):
            assert not is_good(link, record, method, **added)

    def test_by_a_user_who_was_not_there(self, record, user):
        query = get_query(get_signed_url(record))
        assert is_valid_link(record, query, "GET", user)
        query["user"] = str(user.pk)
        assert not is_valid_link(record, query, "GET", user)

    def test_of_the_signature(self, record):
        link = get_signed_url(record)
        signature = get_query(link)["signature"]
        other = get_query(get_signed_url(record, max_age=60))["signature"]
        last = "B" if signature[-1] != "B" else "A"
        padded = f"{signature}="
        for wrong in (signature[:-1], signature[:-1] + last, signature.swapcase(), padded, other):
            assert not is_good(link, record, signature=wrong)

    @pytest.mark.parametrize("name", ["expires", "signature", "disposition", "method", "user"])
    def test_by_a_repeated_parameter(self, record, user, bound, name):
        value = get_query(bound)[name]
        for values in ([value, value], [value, "x"], ["x", value], [value, ""]):
            assert not is_good(bound, record, "HEAD", user, **{name: values})

    def test_of_other_parameters_changes_nothing(self, record):
        """They are not the link's; the path is the record's."""
        assert is_good(get_signed_url(record), record, path=["/x", "/y"], other="z", format="json")


class TestNoLink:
    """Whatever a query has, it is a link or it is none; nothing is raised."""

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
    def test_has_a_text_that_is_none(self, record, user, name):
        link = get_signed_url(record, max_age=60)
        assert is_good(link, record, by=user)
        for text in self.TEXTS:
            for asked in ("GET", text):
                assert not is_good(link, record, asked, user, **{name: text}), text

    def test_has_nothing(self, record):
        assert not is_valid_link(record, QueryDict(), "GET", EVERYBODY)
