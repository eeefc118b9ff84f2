"""The validators of file fields, and the options of the fields that use them."""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.migrations.writer import MigrationWriter
from django.forms import modelform_factory
from rest_framework.serializers import ModelSerializer

from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField
from proxy_storage.db.validators import FileSizeValidator, FileTypeValidator
from proxy_storage.exceptions import ConfigurationError
from tests.testapp.models import LimitedDocument
from tests.testapp.storages import OrmDiskStorage

TYPES = ["application/pdf", "image/*"]


def upload(name, content=b"content", content_type="application/pdf"):
    return SimpleUploadedFile(name, content, content_type)


class TestFileTypeValidator:
    @pytest.mark.parametrize("name", ["a.pdf", "A.PDF", "b/a.png", "a.svg", "a.txt.pdf"])
    def test_allowed_types(self, name):
        FileTypeValidator(TYPES)(upload(name, content_type="text/html"))

    @pytest.mark.parametrize("name", ["a.txt", "a.pdf.html", "pdf", ".pdf", "a.pdf.gz", "image/a"])
    def test_type_that_the_browser_sends_is_ignored(self, name):
        with pytest.raises(ValidationError) as caught:
            FileTypeValidator(TYPES)(upload(name))
        assert caught.value.code == "invalid_type"
        assert "application/pdf, image/*" in caught.value.messages[0]

    def test_recorded_type_is_used(self):
        file = ContentFile(b"", name="a.pdf")
        file.mime_type = "Text/HTML; charset=utf-8"
        FileTypeValidator(["text/html"])(file)
        with pytest.raises(ValidationError, match="type text/html are not allowed"):
            FileTypeValidator(TYPES)(file)

    def test_file_without_a_name_has_no_known_type(self):
        with pytest.raises(ValidationError, match="octet-stream"):
            FileTypeValidator(TYPES)(ContentFile(b""))

    @pytest.mark.parametrize("types", ["image/png", [], ["pdf"], ["a/b/c"], [5]])
    def test_invalid_types(self, types):
        with pytest.raises(ConfigurationError, match="allowed_types must be a list of MIME types"):
            FileTypeValidator(types)


class TestFileSizeValidator:
    def test_largest_size(self):
        FileSizeValidator(7)(upload("a.txt", b"a" * 7))
        with pytest.raises(ValidationError, match="larger than 7") as caught:
            FileSizeValidator(7)(upload("a.txt", b"a" * 8))
        assert caught.value.code == "too_large"

    @pytest.mark.parametrize("size", [0, -1, True, "1", 1.5, None])
    def test_invalid_sizes(self, size):
        with pytest.raises(ConfigurationError, match="max_size must be a number of bytes"):
            FileSizeValidator(size)


@pytest.mark.parametrize(
    ("make", "value", "other"),
    [(FileTypeValidator, ["a/b"], ["a/c"]), (FileSizeValidator, 1, 2)],
    ids=["type", "size"],
)
class TestValidator:
    def test_own_message(self, make, value, other):
        with pytest.raises(ValidationError, match="No!"):
            make(value, message="No!")(upload("a.txt", b"aaa"))

    def test_equal_validators(self, make, value, other):
        assert make(value) == make(value)
        assert hash(make(value)) == hash(make(value))
        assert make(value) != make(other)
        assert make(value) != make(value, message="No!")
        assert make(value) != "other"

    def test_validator_can_be_written_to_a_migration(self, make, value, other):
        text, imports = MigrationWriter.serialize(make(value))
        assert imports == {"import proxy_storage.db.validators"}
        assert eval(text, {"proxy_storage": __import__("proxy_storage")}) == make(value)


class TestOptions:
    def test_migrations_have_the_options_that_are_set(self):
        plain = ProxyStorageFileField(storage=OrmDiskStorage())
        assert not {"allowed_types", "max_size", "validators"} & plain.deconstruct()[3].keys()
        field = ProxyStorageImageField(
            storage=OrmDiskStorage(), allowed_types=("image/png",), max_size=5
        )
        options = field.deconstruct()[3]
        assert (options["allowed_types"], options["max_size"]) == (["image/png"], 5)
        assert "validators" not in options
        assert field.clone().deconstruct()[3] == options
        assert field.clone().validators == field.validators

    def test_other_validators_of_the_field_are_kept(self):
        field = ProxyStorageFileField(validators=[print], max_size=5)
        assert field.validators[-2:] == [print, FileSizeValidator(5)]


@pytest.mark.usefixtures("empty_storages")
@pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
class TestModel:
    def test_form_refuses_large_files(self, field):
        files = {field: upload("a.pdf", b"a" * 1025)}
        form = modelform_factory(LimitedDocument, fields=[field])({}, files)
        assert form.errors[field] == ["The file is larger than 1.0\xa0KB."]

    def test_form_refuses_other_types(self, field):
        form = modelform_factory(LimitedDocument, fields=[field])({}, {field: upload("a.txt")})
        assert form.errors[field] == [
            "Files of the type text/plain are not allowed. Use application/pdf, image/*."
        ]

    def test_form_saves_an_allowed_file(self, field):
        form = modelform_factory(LimitedDocument, fields=[field])({}, {field: upload("a.pdf")})
        assert form.save().pk

    def test_serializer_refuses_files(self, field):
        name = field

        class Serializer(ModelSerializer):
            class Meta:
                model = LimitedDocument
                fields = [name]

        for file in (upload("a.txt"), upload("a.pdf", b"a" * 1025)):
            assert not Serializer(data={field: file}).is_valid()
        assert Serializer(data={field: upload("a.pdf")}).is_valid()

    def test_saved_file_is_not_checked_again(self, field):
        document = LimitedDocument()
        getattr(document, field).save("a.txt", ContentFile(b"a" * 1025))
        document.full_clean()
        document = LimitedDocument.objects.get()
        getattr(document, field).storage.delete(getattr(document, field).name)
        document.full_clean()
