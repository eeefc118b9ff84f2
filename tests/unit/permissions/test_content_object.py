"""What Django's permissions and instances themselves say."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.conditions import matches
from proxy_storage_permissions import (
    CanReadFile,
    HasModelPermission,
    HasObjectPermission,
    get_readable,
)
from tests.testapp.models import DiskDocument, Document, KeyedDocument, ScannedDocument
from tests.unit.permissions.asking import VIEW, allowed, ask, is_allowed, own

pytestmark = pytest.mark.django_db
UNBOUND = MetaBackendObject(path="/x")


def permit(user, *codenames):
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)  # Django remembers what a user may


class TestModelPermission:
    def test_is_that_of_the_model_that_declares_the_field(self, people):
        people["owner"] = permit(people["owner"], "view_document")
        people["staff"] = permit(people["staff"], "view_keyeddocument", "view_scanneddocument")
        document = own(Document.objects.create(), "orm_file")
        scanned = own(ScannedDocument.objects.create(), "orm_file")
        keyed = own(KeyedDocument.objects.create(), "orm_file")
        assert allowed(HasModelPermission, people, document) == {"owner"}
        assert allowed(HasModelPermission, people, scanned) == {"owner"}
        assert allowed(HasModelPermission, people, keyed) == {"staff"}
        assert allowed(HasModelPermission, people, UNBOUND) == set()

    def test_may_be_another_one(self, people):
        people["owner"] = permit(people["owner"], "change_document")
        record = own(Document.objects.create(), "orm_file")
        assert allowed(HasModelPermission("change"), people, record) == {"owner"}
        assert allowed(HasModelPermission("view"), people, record) == set()

    def test_may_be_one_for_files_of_all_models(self, people):
        people["owner"] = permit(people["owner"], "change_document")
        permission = HasModelPermission("testapp.change_document")
        keyed = own(KeyedDocument.objects.create(), "orm_file")
        assert allowed(permission, people, keyed) == {"owner"}
        assert allowed(permission, people, UNBOUND) == set()

    def test_asks_once_what_the_user_may(self, people, django_assert_num_queries):
        user = permit(people["owner"], "view_document")
        records = [own(Document.objects.create(), "orm_file") for _ in range(3)]
        with django_assert_num_queries(2):  # of the user, and of the user's groups
            assert all(is_allowed(HasModelPermission, user, record) for record in records)

    def test_without_user_is_nobodys(self):
        record = own(Document.objects.create(), "orm_file")
        for permission in (HasModelPermission, HasObjectPermission):
            assert not is_allowed(permission, None, record)
            assert get_readable([permission()], ask(None), VIEW).condition is False


class TestInstance:
    @pytest.fixture
    def record(self):
        return own(Document.objects.create(title="orm_file for owner"), "orm_file")

    def test_decides(self, people, record):
        people["anonymous"] = people.pop("anonymous")
        assert allowed(CanReadFile, people, record) == {"owner"}
        assert allowed(CanReadFile(), people, record) == {"owner"}

    def test_is_told_the_field(self, people, record):
        assert allowed(CanReadFile, people, {**record, "field": "mongo_file"}) == set()
        other = own(Document.objects.create(title="mongo_file for staff"), "mongo_file")
        assert allowed(CanReadFile, people, other) == {"staff"}

    @pytest.mark.parametrize("field", [None, "a_field_of_once", "title", "user"])
    def test_is_not_asked_for_fields_that_have_no_files(self, people, field):
        document = Document.objects.create(title=f"{field} for owner")
        record = own(document, "orm_file", field=field)
        assert document.can_read_file(people["owner"], field)
        assert allowed(CanReadFile, people, record) == set()
        assert allowed(~CanReadFile, people, record) == set(people)

    def test_is_not_there(self, people, record):
        Document.objects.all().delete()
        assert allowed(CanReadFile, people, MetaBackendObject(record)) == set()
        assert allowed(CanReadFile, people, UNBOUND) == set()

    def test_has_no_such_method(self, people):
        record = own(DiskDocument.objects.create(), "orm_file")
        assert allowed(CanReadFile, people, record) == set()
        assert allowed(CanReadFile("can_be_read_by"), people, record) == set()


class TestListByInstances:
    """Methods are put on a model that has none, as a project would write them."""

    @pytest.fixture
    def records(self):
        records = [own(DiskDocument.objects.create(), "orm_file") for _ in range(2)]
        return [*records, own(Document.objects.create(), "orm_file"), UNBOUND]

    def get_listed(self, permission, user, records):
        readable = get_readable([permission()], ask(user), VIEW)
        return readable.is_exact, [matches(readable.condition, record) for record in records]

    @pytest.fixture
    def method(self, monkeypatch):
        def can_read_file(self, user, field):
            return False

        monkeypatch.setattr(DiskDocument, "can_read_file", can_read_file, raising=False)

    def test_of_the_model(self, people, records, method, monkeypatch):
        asked = []

        def readable_by(cls, user, field):
            asked.append(field)
            return cls.objects.filter(pk=records[0]["object_id"])

        monkeypatch.setattr(DiskDocument, "readable_by", classmethod(readable_by), raising=False)
        listed = self.get_listed(CanReadFile, people["owner"], records)
        assert listed == (True, [True, False, False, False])
        assert asked == ["orm_file", "mongo_file", "orm_default", "mongo_default"]

    def test_asks_each_file_of_a_model_that_cannot_tell(self, people, records, method):
        listed = self.get_listed(CanReadFile, people["owner"], records)
        assert listed == (False, [True, True, False, False])

    def test_asks_each_file_where_the_model_has_no_answer(
        self, people, records, method, monkeypatch
    ):
        def readable_by(cls, user, field):
            return None if field == "orm_file" else cls.objects.none()

        monkeypatch.setattr(DiskDocument, "readable_by", classmethod(readable_by), raising=False)
        listed = self.get_listed(CanReadFile, people["owner"], records)
        assert listed == (False, [True, True, False, False])
        other = own(DiskDocument.objects.create(), "mongo_file")
        assert self.get_listed(CanReadFile, people["owner"], [other]) == (False, [False])

    def test_asks_each_file_where_a_child_decides_otherwise(self, people, records, monkeypatch):
        def readable_by(cls, user, field):
            return cls.objects.all()

        def can_read_file(self, user, field):
            return False

        class Parent:
            pass

        Parent.readable_by, Parent.can_read_file = classmethod(readable_by), can_read_file
        monkeypatch.setattr(DiskDocument, "__bases__", (Parent, *DiskDocument.__bases__))
        assert self.get_listed(CanReadFile, people["owner"], records)[0] is True
        monkeypatch.setattr(DiskDocument, "can_read_file", can_read_file, raising=False)
        listed = self.get_listed(CanReadFile, people["owner"], records)
        assert listed == (False, [True, True, False, False])

    def test_knows_methods_of_other_names(self, people, records, method, monkeypatch):
        def none_of_all(cls, user, field):
            return cls.objects.none()

        monkeypatch.setattr(
            DiskDocument, "can_show", lambda self, user, field: False, raising=False
        )
        monkeypatch.setattr(DiskDocument, "readable_by", classmethod(none_of_all), raising=False)
        monkeypatch.setattr(DiskDocument, "shown_to", classmethod(none_of_all), raising=False)
        # what goes with the usual method does not go with another one
        listed = self.get_listed(CanReadFile("can_show"), people["owner"], records)
        assert listed == (False, [True, True, False, False])
        permission = CanReadFile("can_show", "shown_to")
        assert self.get_listed(permission, people["owner"], records) == (True, [False] * 4)

    def test_is_not_made_of_another_model(self, people, records, method, monkeypatch):
        def readable_by(cls, user, field):
            return Document.objects.all()

        monkeypatch.setattr(DiskDocument, "readable_by", classmethod(readable_by), raising=False)
        with pytest.raises(ConfigurationError, match=r"DiskDocument\.readable_by.*Document"):
            self.get_listed(CanReadFile, people["owner"], records)

    def test_is_exact_where_models_tell(self, people):
        permission, request = CanReadFile(), ask(people["owner"])
        assert permission.get_filter(request, VIEW, [Document, KeyedDocument]) is not None
        ContentType.objects.get_for_models(Document, KeyedDocument)
