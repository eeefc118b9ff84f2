"""IsOwner: the users that a content object refers to."""

from types import SimpleNamespace

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.utils.functional import SimpleLazyObject

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import matches
from proxy_storage_permissions import IsOwner, get_readable
from tests.testapp.models import (
    Document,
    KeyedDocument,
    NamedDocument,
    Picture,
    ScannedDocument,
    StoredFile,
    Team,
)
from tests.unit.permissions.asking import VIEW, allowed, ask, is_allowed, own

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def is_listed(permission, user, record, *models):
    readable = get_readable([permission()], ask(user), VIEW, models)
    assert readable.is_exact
    return matches(readable.condition, record)


def get_owners(permission, people, record, *models):
    """Return the users who may read the file, and whose list has it."""
    who = allowed(permission, people, record)
    assert who == {
        name for name, user in people.items() if is_listed(permission, user, record, *models)
    }
    return who


def test_file_without_content_object_has_no_owner(people):
    record = MetaBackendObject(path="/x")
    assert get_owners(IsOwner("user"), people, record, Document) == set()
    assert get_owners(IsOwner("teams.members"), people, record, Document) == set()


def test_content_object_without_user_has_no_owner(people):
    record = own(Document.objects.create(user=None), "orm_file")
    assert get_owners(IsOwner("user"), people, record, Document) == set()
    assert get_owners(IsOwner(), people, record, Document) == set()
    assert get_owners(IsOwner("teams.members"), people, record, Document) == set()


@pytest.mark.parametrize("path", ["user", "teams.members"])
def test_number_of_queries(people, django_assert_num_queries, path):
    document = Document.objects.create(user=people["owner"])
    document.teams.create().members.add(people["owner"])
    ContentType.objects.get_for_model(Document)
    permission, record = IsOwner(path), own(document, "orm_file")
    with django_assert_num_queries(1):
        assert permission.has_object_permission(ask(people["owner"]), VIEW, record)
    with django_assert_num_queries(0):
        for nobody in (people["anonymous"], None):
            assert not permission.has_object_permission(ask(nobody), VIEW, record)
            assert permission.get_filter(ask(nobody), VIEW, [Document]) is False


class TestPath:
    @pytest.mark.parametrize("model", [Document, KeyedDocument, NamedDocument])
    def test_many_to_many_relation_over_another_model(self, people, model):
        instance = model.objects.create(user=people["stranger"])
        instance.teams.create().members.add(people["owner"], people["staff"])
        instance.teams.create().members.add(people["owner"])
        record = own(instance, "orm_file")
        assert get_owners(IsOwner("teams.members"), people, record, model) == {"owner", "staff"}
        assert get_owners(~IsOwner("teams.members"), people, record, model) == {
            "anonymous",
            "stranger",
        }

    def test_foreign_key_to_another_field(self, people):
        document = Document.objects.create()
        team = document.teams.create(lead=people["owner"])
        record = own(document, "orm_file")
        assert get_owners(IsOwner("teams.lead"), people, record, Document) == {"owner"}
        record = own(team, "id")
        assert get_owners(IsOwner("lead"), people, record, Team) == {"owner"}

    def test_filter_for_a_child_does_not_select_files_of_its_parent(self, people):
        scanned = ScannedDocument.objects.create(user=people["owner"])
        condition = IsOwner().get_filter(ask(people["owner"]), VIEW, [ScannedDocument])
        assert matches(condition, own(scanned, "pages"))
        assert not matches(condition, own(scanned, "orm_file"))

    def test_reverse_relation(self, people):
        team = Team.objects.create()
        Document.objects.create(user=people["owner"]).teams.add(team)
        record = own(team, "id")
        assert get_owners(IsOwner("document.user"), people, record, Team) == {"owner"}

    def test_many_to_many_relation(self, people):
        team = Team.objects.create()
        team.members.add(people["owner"], people["staff"])
        record = own(team, "id")
        assert get_owners(IsOwner("members"), people, record, Team) == {"owner", "staff"}

    @pytest.mark.parametrize("key", [4711, "no such key", "", "\x00", "\ud800", 2**70])
    def test_missing_content_object_has_no_owner(self, people, key):
        for model in (Document, KeyedDocument, NamedDocument):
            record = own(model(pk=1), "orm_file", object_id=key)
            assert get_owners(IsOwner("teams.members"), people, record, model) == set()
            assert get_owners(IsOwner("user"), people, record, model) == set()

    def test_key_that_differs_in_case_has_no_owner(self, people):
        document = NamedDocument.objects.create(code="cv", user=people["owner"])
        document.teams.create().members.add(people["owner"])
        record = own(document, "orm_file", object_id="CV")
        assert get_owners(IsOwner("teams.members"), people, record, NamedDocument) == set()
        assert get_owners(IsOwner("user"), people, record, NamedDocument) == set()


class TestUser:
    @pytest.fixture
    def records(self, people):
        document = Document.objects.create(user=people["owner"])
        document.teams.create(lead=people["owner"]).members.add(people["owner"])
        nobodys = Document.objects.create()
        nobodys.teams.create()
        return own(document, "orm_file"), own(nobodys, "orm_file")

    @pytest.mark.parametrize("path", ["user", "teams.members", "teams.lead"])
    def test_key_of_a_token_user_may_be_a_str(self, people, records, path):
        user = SimpleNamespace(
            is_authenticated=True, id=str(people["owner"].pk), username=people["owner"].username
        )
        for record, expected in zip(records, (True, False), strict=True):
            assert is_allowed(IsOwner(path), user, record) is expected
            assert is_listed(IsOwner(path), user, record, Document) is expected

    @pytest.mark.parametrize("path", ["user", "teams.members", "teams.lead"])
    @pytest.mark.parametrize("key", [None, "nobody"])
    def test_user_without_a_key_is_not_an_owner(self, records, path, key):
        unknown = SimpleNamespace(is_authenticated=True, id=key, username=None)
        without = SimpleNamespace(is_authenticated=True)
        for user in (unknown, without):
            for record in records:
                assert not is_allowed(IsOwner(path), user, record)
                assert not is_listed(IsOwner(path), user, record, Document)

    def test_unsaved_user_is_not_an_owner(self, records):
        for record in records:
            assert not is_allowed(IsOwner("teams.members"), User(), record)
            assert not is_listed(IsOwner("teams.members"), User(), record, Document)

    def test_user_may_be_a_lazy_object(self, people, records):
        user = SimpleLazyObject(lambda: people["owner"])
        for path in ("user", "teams.members"):
            assert is_allowed(IsOwner(path), user, records[0])
            assert is_listed(IsOwner(path), user, records[0], Document)


class TestWrongConfiguration:
    @pytest.mark.parametrize("path", ["usr", "what_you_want", "id", "user.", "", "user.password"])
    def test_unknown_relation_is_an_error(self, people, resume, path):
        with pytest.raises(ConfigurationError, match="no relation"):
            allowed(IsOwner(path), people, resume)

    def test_generic_foreign_key_is_an_error(self, people):
        with pytest.raises(ConfigurationError, match="no relation 'content_object'"):
            IsOwner("content_object").get_filter(ask(people["owner"]), VIEW, [StoredFile])

    def test_relation_to_another_model_is_an_error(self, people):
        content_type, _ = ContentType.objects.get_or_create(
            pk=people["owner"].pk, defaults={"app_label": "some", "model": "thing"}
        )
        entry = LogEntry.objects.create(
            user=people["staff"], content_type=content_type, action_flag=1
        )
        record = own(entry, "id")
        assert allowed(IsOwner("user"), people, record) == {"staff"}
        with pytest.raises(ConfigurationError, match="not the user model auth"):
            allowed(IsOwner("content_type"), people, record)

    def test_model_without_the_relation_is_an_error(self, people):
        picture = own(Picture.objects.create(), "orm_image")
        with pytest.raises(ConfigurationError, match=r"IsOwner\('user'\): testapp\.Picture"):
            allowed(IsOwner("user"), people, picture)
        with pytest.raises(ConfigurationError, match=r"IsOwner\('user'\): testapp\.Picture"):
            is_listed(IsOwner("user"), people["owner"], picture, Document, Picture)
