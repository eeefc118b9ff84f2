"""File fields of Django whose files get a content object because of their storage."""

from types import SimpleNamespace

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.db import models
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_delete, post_init
from django.test.utils import isolate_apps
from django.utils.functional import LazyObject, empty

from proxy_storage import registry
from proxy_storage.content_objects import get_content_object_models, get_file_fields, is_tracked
from proxy_storage.db import plain_changes, signals
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.db.plain_fields import check_plain_fields, may_be_tracked
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.base import ProxyStorageBase
from tests.contract.content_objects import get_row, row_of
from tests.testapp.models import PlainDocument, PlainLetter, TrackedDocument
from tests.testapp.storages import OrmDiskStorage

PROXY = {"BACKEND": "proxy_storage.storages.ProxyStorage"}
# Django identifies the model of a receiver by its address, which a later model could get.
fields = []


class TrackingStorage(OrmDiskStorage):
    tracks_plain_fields = True


class Unusable(LazyObject):
    def _setup(self):
        raise ImproperlyConfigured("no storage")


class Lazy(LazyObject):
    def _setup(self):
        self._wrapped = TrackingStorage()


def make_field(storage, field_class=models.FileField, **attributes):
    """Return the file field of a new model."""

    class Meta:
        app_label = "testapp"

    file = field_class()
    # Passed as an argument, a lazy object would be built.
    file.storage = storage
    values = {"__module__": __name__, "Meta": Meta, "file": file}
    name = f"Note{len(fields)}"
    fields.append(type(name, (models.Model,), values | attributes)._meta.get_field("file"))
    return fields[-1]


@pytest.fixture(autouse=True)
def isolated():
    with isolate_apps("tests.testapp"):
        yield


@pytest.fixture
def proxied_default(settings):
    """Make the default storage a proxy storage with the ready model."""
    settings.STORAGES = {**settings.STORAGES, "default": PROXY}


def make_bare(**attributes):
    return type("Storage", (ProxyStorageBase,), {"tracks_plain_fields": True, **attributes})()


class TestIsTracked:
    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            (TrackingStorage, True),
            (Lazy, True),
            (OrmDiskStorage, False),
            (FileSystemStorage, False),
            (Unusable, False),
            (lambda: default_storage, False),
            (lambda: ProxyStorage(plain_fields=False), False),
            (ProxyStorage, True),
            # Storages that cannot hold a content object.
            (make_bare, False),
            (lambda: make_bare(meta_backend=ORMMetaBackend("testapp.Nothing")), False),
            (lambda: make_bare(meta_backend=ORMMetaBackend("testapp.PlainStoredFile")), False),
        ],
    )
    def test_depends_on_the_storage(self, make, expected):
        field = make_field(make())
        assert is_tracked(field) is expected
        assert get_file_fields(field.model) == ((field,) if expected else ())

    def test_other_fields_are_not_tracked(self):
        assert not is_tracked(make_field(TrackingStorage()).model._meta.pk)
        assert not may_be_tracked(make_field(TrackingStorage()).model._meta.pk)

    def test_field_of_this_package_is_tracked_without_its_storage(self):
        field = make_field(Unusable(), ProxyStorageFileField)
        assert is_tracked(field)
        assert not may_be_tracked(field)

    def test_model_with_a_composite_key_is_not_tracked(self):
        key = models.CompositePrimaryKey("a", "b")
        numbers = {name: models.IntegerField() for name in "ab"}
        assert not is_tracked(make_field(TrackingStorage(), pk=key, **numbers))

    def test_project_without_contenttypes(self, settings):
        field = make_field(TrackingStorage())
        settings.INSTALLED_APPS = ["proxy_storage"]
        assert not is_tracked(field)

    @pytest.mark.usefixtures("proxied_default")
    def test_default_storage_of_the_settings(self):
        assert is_tracked(make_field(default_storage))


class TestConnection:
    """Receivers of these signals cost time for each instance, and for each delete."""

    @pytest.mark.parametrize(
        ("make", "expected"),
        [(TrackingStorage, True), (OrmDiskStorage, False), (FileSystemStorage, False)],
    )
    def test_only_tracked_models_have_receivers(self, make, expected):
        models = [make_field(make()).model for _ in range(5)]
        for signal in (post_init, post_delete):
            # Django identifies a sender by its id(), which a deleted class may have had before.
            found = [signal.has_listeners(model) for model in models]
            assert (False in found) is not expected

    def test_default_storage_is_not_built(self, settings):
        for entry, expected in ((PROXY, True), (settings.STORAGES["default"], False)):
            settings.STORAGES = {**settings.STORAGES, "default": entry}
            models = [make_field(default_storage).model for _ in range(5)]
            # See the test above.
            assert (False in map(post_delete.has_listeners, models)) is not expected
            assert vars(default_storage)["_wrapped"] is empty

    def test_storage_that_is_built_later_is_not_built(self):
        assert post_delete.has_listeners(make_field(Unusable()).model)

    def test_changed_settings_connect_models_again(self, settings):
        signals.connect_again(setting="DEBUG")
        assert TrackedDocument in get_content_object_models()
        settings.STORAGES = {**settings.STORAGES, "default": PROXY}
        assert post_delete.has_listeners(TrackedDocument)

    def test_default_storage_that_cannot_be_imported(self, settings, monkeypatch):
        """Packages raise this error at their import if a dependency is missing."""

        def fail(path):
            raise ImproperlyConfigured("no dependency")

        settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "tests.missing.Storage"}}
        monkeypatch.setattr(registry, "import_string", fail)
        registry.is_proxy_storage_alias.cache_clear()
        field = make_field(default_storage)
        assert not post_delete.has_listeners(field.model)
        assert not is_tracked(field)


class TestLazyDefault:
    @pytest.mark.django_db
    @pytest.mark.usefixtures("proxied_default", "empty_storages")
    def test_file_on_the_default_storage_gets_a_content_object(self, settings, monkeypatch):
        settings.MEDIA_ROOT = settings.TEST_FILES_ROOT / "media"
        field = PlainLetter._meta.get_field("file")
        monkeypatch.setattr(field, "storage", default_storage)
        signals.connect(PlainLetter)
        letter = PlainLetter(user_id=1)
        letter.file.save("a.txt", ContentFile(b"a"), save=False)
        assert registry.get_proxy_storage_name(default_storage) == "default"
        assert field in get_file_fields(PlainLetter)
        signals.write_content_objects(PlainLetter, PlainLetter(pk=5), "default", created=True)
        letter.pk = 5
        signals.write_content_objects(PlainLetter, letter, "default", created=True)
        assert get_row(letter, "file", letter.file.name) == row_of(letter, "file", PlainLetter)


class TestOtherStorageOfAFile:
    """The field of another package can choose the storage of each file."""

    @pytest.fixture
    def document(self, empty_storages, settings, monkeypatch):
        other = FileSystemStorage(settings.TEST_FILES_ROOT / "private")

        class PrivateFile(FieldFile):
            def __init__(self, instance, field, name):
                super().__init__(instance, field, name)
                self.storage = other

        monkeypatch.setattr(TrackedDocument._meta.get_field("orm_file"), "attr_class", PrivateFile)
        return TrackedDocument()

    def test_gets_no_content_object(self, document, caplog, django_assert_num_queries):
        document.orm_file.save("a.txt", ContentFile(b"a"), save=False)
        with django_assert_num_queries(1):
            document.save()
        assert caplog.text == ""
        document = TrackedDocument.objects.get()
        assert document.orm_file.name == "t/a.txt"
        with django_assert_num_queries(1):
            document.save()


def test_file_of_an_object_that_is_not_a_row(empty_storages):
    field = TrackedDocument._meta.get_field("orm_file")
    owner = SimpleNamespace(_meta=TrackedDocument._meta)
    file = FieldFile(owner, field, None)
    file.save("a.txt", ContentFile(b"a"), save=False)
    assert owner.orm_file == file.name == "t/a.txt"


def test_install_wraps_once():
    methods = (FieldFile.save, models.Model.refresh_from_db, models.FileField.contribute_to_class)
    plain_changes.install(signals.connect)
    assert methods == (
        FieldFile.save,
        models.Model.refresh_from_db,
        models.FileField.contribute_to_class,
    )
    assert FieldFile.save.alters_data
    assert not hasattr(FieldFile.save.__wrapped__, "__wrapped__")


class TestCheck:
    def find(self, field):
        """Run the check for a model that is not installed."""

        class Config:
            def get_models(self):
                return [field.model]

        return check_plain_fields([Config()])

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (OrmDiskStorage, "does not track"),
            (lambda: ProxyStorage(plain_fields=False), "does not track"),
            (
                lambda: make_bare(meta_backend=ORMMetaBackend("testapp.PlainStoredFile")),
                "cannot hold a content object",
            ),
            (make_bare, "its meta backend cannot be used"),
        ],
    )
    def test_files_without_content_object_are_reported(self, make, reason):
        (message,) = self.find(make_field(make()))
        assert message.id == "proxy_storage.W103"
        assert message.level == checks.WARNING
        assert reason in message.msg
        assert str(message.obj) in message.msg
        assert "tracks_plain_fields = True" in message.hint

    @pytest.mark.parametrize(
        "make", [TrackingStorage, FileSystemStorage, lambda: default_storage, Unusable]
    )
    def test_other_fields_are_not_reported(self, make):
        assert self.find(make_field(make())) == []
        assert self.find(make_field(OrmDiskStorage(), ProxyStorageFileField)) == []


def test_check_examines_all_installed_models():
    names = {message.obj.model for message in check_plain_fields(None)}
    assert PlainDocument in names
    assert TrackedDocument not in names


def test_storages_of_the_settings_are_tracked():
    assert storages["orm-relative-disk"].tracks_plain_fields
