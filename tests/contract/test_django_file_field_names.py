"""Django's options of a file field: upload_to, max_length and storage."""

import re
import uuid
from datetime import datetime
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test.utils import isolate_apps

from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField
from tests.testapp.models import DiskDocument
from tests.testapp.storages import MongoDiskStorage, OrmDiskStorage

pytestmark = pytest.mark.usefixtures("empty_storages")

RANDOM = "_[A-Za-z0-9]{7,16}"
HOSTILE_NAMES = [
    "..",
    ".",
    "",
    "folder/..",
    "../../etc/passwd",
    "..\\..\\etc\\passwd",
    "folder/../../passwd",
]
ABSOLUTE_NAMES = ["/etc/passwd", "/tmp/.."]


@pytest.fixture(params=[OrmDiskStorage, MongoDiskStorage])
def storage_class(request):
    return request.param


@pytest.fixture
def make_letter(storage_class):
    """Return a function that creates an instance of a model with the given field options."""
    with isolate_apps("tests.testapp"):

        def make(**options):
            class Letter(models.Model):
                file = ProxyStorageFileField(**{"storage": storage_class(), **options})

                class Meta:
                    app_label = "testapp"

            return Letter()

        yield make


@pytest.fixture
def root(settings):
    return settings.TEST_FILES_ROOT


def save(letter, name="hello.txt", content=b"world"):
    letter.file.save(name, ContentFile(content), save=False)
    return letter.file.name


def in_folder_of_letters(instance, name):
    return f"letters/{name}"


class TestUploadTo:
    @pytest.mark.parametrize(
        ("upload_to", "expected"),
        [
            ("", "hello_world.txt"),
            (".", "hello_world.txt"),
            ("letters", "letters/hello_world.txt"),
            ("letters//new/./", "letters/new/hello_world.txt"),
            (Path("letters") / "new", "letters/new/hello_world.txt"),
            (in_folder_of_letters, "letters/hello_world.txt"),
            (lambda instance, name: Path("letters", name), "letters/hello_world.txt"),
            (lambda instance, name: f"{instance.pk}/x{Path(name).suffix}", "None/x.txt"),
        ],
    )
    def test_upload_to_sets_the_folder_or_the_name(self, make_letter, root, upload_to, expected):
        letter = make_letter(upload_to=upload_to)
        assert save(letter, "hello world.txt") == f"{root}/{expected}"
        assert (root / expected).read_bytes() == b"world"

    def test_upload_to_formats_the_date(self, make_letter, root):
        before = datetime.now()
        path = save(make_letter(upload_to="letters/%Y/%m-%d"))
        days = {f"{root}/letters/{now:%Y/%m-%d}/hello.txt" for now in (before, datetime.now())}
        assert path in days

    def test_upload_to_is_called_once(self, make_letter):
        folders = []

        def upload_to(instance, name):
            folders.append(str(uuid.uuid4()))
            return f"{folders[-1]}/{name}"

        letter = make_letter(upload_to=upload_to)
        path = save(letter)
        assert [Path(path).parent.name] == folders
        assert letter.file.open().read() == b"world"
        letter.file.close()

    def test_percent_sign_in_a_name_is_not_formatted(self, make_letter, root):
        assert save(make_letter(upload_to="letters"), "100%Y.txt") == f"{root}/letters/100Y.txt"

    @pytest.mark.parametrize("folder", ["../letters", "/letters", "a/../../letters"])
    @pytest.mark.parametrize("is_callable", [False, True])
    def test_upload_to_outside_the_storage_raises(self, make_letter, root, folder, is_callable):
        letter = make_letter(
            upload_to=(lambda instance, name: f"{folder}/{name}") if is_callable else folder
        )
        with pytest.raises(SuspiciousFileOperation):
            save(letter)
        assert not list(root.parent.rglob("hello*"))


class TestHostileName:
    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    @pytest.mark.parametrize("upload_to", ["", "letters", in_folder_of_letters])
    def test_hostile_name_raises_and_saves_no_file(self, make_letter, root, name, upload_to):
        letter = make_letter(upload_to=upload_to)
        with pytest.raises(SuspiciousFileOperation):
            letter._meta.get_field("file").generate_filename(letter, name)
        with pytest.raises(SuspiciousFileOperation):
            save(letter, name)
        assert [path for path in root.parent.rglob("*") if path.is_file()] == []
        assert list(letter.file.storage.meta_backend) == []

    @pytest.mark.parametrize("name", ABSOLUTE_NAMES)
    @pytest.mark.parametrize("upload_to", ["", "letters"])
    def test_absolute_name_raises(self, make_letter, root, name, upload_to):
        with pytest.raises(SuspiciousFileOperation):
            save(make_letter(upload_to=upload_to), name)
        assert [path for path in root.parent.rglob("*") if path.is_file()] == []

    def test_control_characters_are_removed(self, make_letter, root):
        path = save(make_letter(upload_to="letters"), "nul\0 line\nbreak.txt")
        assert path == f"{root}/letters/nul_linebreak.txt"

    def test_uploaded_name_is_reduced_to_its_last_part(self, make_letter, root):
        letter = make_letter(upload_to="letters")
        letter.file = SimpleUploadedFile("../../etc/passwd", b"x")
        letter.file.save(letter.file.name, letter.file.file, save=False)
        assert letter.file.name == f"{root}/letters/passwd"


class TestMaxLength:
    def get_letters(self, make_letter, root, room):
        letter = make_letter(max_length=len(f"{root}/") + room)
        return letter, type(letter)()

    @pytest.mark.parametrize("extension", ["", ".txt", ".tar.gz"])
    def test_long_name_is_cut_before_the_extension(self, make_letter, root, extension):
        first, second = self.get_letters(make_letter, root, room=40)
        name = "n" * (40 - len(extension)) + extension
        assert save(first, name, b"first") == f"{root}/{name}"
        cut = save(second, name, b"second")
        assert len(cut) <= len(f"{root}/{name}")
        assert re.fullmatch(f"n+{RANDOM}{re.escape(extension)}", Path(cut).name)
        assert (Path(first.file.name).read_bytes(), Path(cut).read_bytes()) == (b"first", b"second")

    def test_unused_long_name_is_cut(self, make_letter, root):
        letter, _ = self.get_letters(make_letter, root, room=40)
        path = save(letter, "n" * 100 + ".txt")
        assert len(path) <= len(f"{root}/") + 40
        assert path.endswith(".txt")
        assert Path(path).read_bytes() == b"world"

    @pytest.mark.parametrize("name", ["short.long_extension", "a.b"])
    def test_max_length_too_short_for_a_suffix_raises(self, make_letter, root, name):
        first, second = self.get_letters(make_letter, root, room=len(name))
        save(first, name, b"first")
        with pytest.raises(SuspiciousFileOperation, match="max_length"):
            save(second, name, b"second")
        assert [path.read_bytes() for path in root.rglob("*") if path.is_file()] == [b"first"]
        records = list(first.file.storage.meta_backend)
        assert [record["path"] for record in records] == [f"{root}/{name}"]

    def test_max_length_can_exceed_255(self, make_letter, root):
        letter = make_letter(max_length=500, upload_to="f" * 100)
        name = "n" * 196 + ".txt"
        assert save(letter, name) == f"{root}/{'f' * 100}/{name}"

    @pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
    def test_form_field_limits_the_length_of_the_name(self, field):
        form_field = DiskDocument._meta.get_field(field).formfield()
        assert form_field.clean(SimpleUploadedFile("n" * 255, b"x"))
        upload = SimpleUploadedFile("a.txt", b"x")
        upload._name = "n" * 256
        with pytest.raises(ValidationError, match="at most 255"):
            form_field.clean(upload)

    @pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
    def test_saved_path_fits_the_column(self, field):
        document = DiskDocument()
        getattr(document, field).save("n" * 250 + ".txt", ContentFile(b"world"))
        saved = DiskDocument.objects.get()
        assert len(getattr(saved, field).name) <= 255
        assert getattr(saved, field).name.endswith(".txt")
        assert getattr(saved, field).size == 5


class TestCallableStorage:
    def test_callable_is_called_once_and_deconstructed_unchanged(self, storage_class, make_letter):
        created = []

        def choose_storage():
            created.append(storage_class())
            return created[-1]

        letter = make_letter(storage=choose_storage)
        field = letter._meta.get_field("file")
        save(letter)
        assert [letter.file.storage] == created
        assert field.deconstruct()[3]["storage"] is choose_storage
        assert field.check() == []

    def test_storage_can_be_a_class(self, storage_class, make_letter):
        letter = make_letter(storage=storage_class)
        assert isinstance(letter.file.storage, storage_class)
        assert letter._meta.get_field("file").deconstruct()[3]["storage"] is storage_class

    @pytest.mark.parametrize("alias", ["orm-disk", "mongo-disk"])
    def test_callable_can_return_a_storage_by_its_alias(self, make_letter, settings, alias):
        letter = make_letter(storage=lambda: storages[alias])
        path = save(letter)
        assert path == f"{settings.TEST_FILES_ROOT}/disk/hello.txt"
        assert letter.file.storage is storages[alias]

    @pytest.mark.parametrize("cls", [ProxyStorageFileField, ProxyStorageImageField])
    def test_callable_without_a_storage_raises_type_error(self, cls):
        with pytest.raises(TypeError, match="Storage"):
            cls(storage=lambda: "disk")

    def test_callable_without_a_proxy_storage_fails_the_checks(self, make_letter):
        letter = make_letter(storage=lambda: FileSystemStorage())
        (error,) = letter._meta.get_field("file").check()
        assert error.id == "proxy_storage.E101"

    def test_file_of_another_storage_is_deleted(self, make_letter, tmp_path):
        letter = make_letter(storage=lambda: FileSystemStorage(tmp_path))
        letter.file.save("hello.txt", ContentFile(b"world"), save=False)
        letter.file.delete(save=False)
        assert list(tmp_path.iterdir()) == []
