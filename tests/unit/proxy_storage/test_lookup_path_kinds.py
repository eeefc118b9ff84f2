"""The kinds of paths, and the options of `ProxyStorage`."""

import copy
import pickle

import pytest
from django.core.checks import Warning as CheckWarning
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage, default_storage
from django.utils.functional import SimpleLazyObject
from storages.backends.s3 import S3Storage

from proxy_storage.checks import check_settings
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.lookup import check_path_kind, get_path_kind, split_path
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.storages import OrmDiskStorage, OrmStorage

OPTIONS = {
    "original_storage": FileSystemStorage("/var/files"),
    "meta_backend": OrmStorage.meta_backend,
}


class Relative(OrmDiskStorage):
    paths = "relative"


class Prefixed(OrmDiskStorage):
    path_prefix = "/p/"


class PrefixedAgainFull(Prefixed):
    paths = "full"
    path_prefix = None


class OwnPaths(ProxyStorage):
    def get_path(self, original_storage, original_storage_path):
        return f"/own/{original_storage_path}"


class OwnPathsAgainRelative(OwnPaths):
    paths = "relative"


class PrefixedProxyStorage(ProxyStorage):
    path_prefix = "/p/"


class FullProxyStorage(ProxyStorage):
    paths = "full"


@pytest.mark.parametrize(
    ("storage", "kind", "path"),
    [
        (OrmDiskStorage(), "full", None),
        (Relative(), "relative", "a/b.txt"),
        (Prefixed(), "prefixed", "/p/a/b.txt"),
        (PrefixedAgainFull(), "full", None),
        (ProxyStorage(**OPTIONS), "relative", "a/b.txt"),
        (ProxyStorage(**OPTIONS, path_prefix="/x/"), "prefixed", "/x/a/b.txt"),
        (ProxyStorage(**OPTIONS, path_prefix="/x/", paths="prefixed"), "prefixed", "/x/a/b.txt"),
        (ProxyStorage(**OPTIONS, paths="full"), "full", "/var/files/a/b.txt"),
        (OwnPaths(**OPTIONS), "full", "/own/a/b.txt"),
        (OwnPathsAgainRelative(**OPTIONS), "relative", None),
        (PrefixedProxyStorage(**OPTIONS), "prefixed", "/p/a/b.txt"),
        (PrefixedProxyStorage(**OPTIONS, paths="relative"), "relative", "a/b.txt"),
        (FullProxyStorage(**OPTIONS), "full", "/var/files/a/b.txt"),
        (FullProxyStorage(**OPTIONS, paths="relative"), "relative", "a/b.txt"),
    ],
)
def test_nearest_attribute_determines_the_kind(storage, kind, path):
    check_path_kind(storage)
    assert get_path_kind(storage) == kind
    if path is not None:
        assert storage.get_path(storage.get_original_storage(), "a/b.txt") == path


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, "relative"),
        ({"path_prefix": "/"}, "prefixed"),
        ({"path_prefix": "/p/"}, "prefixed"),
        ({"paths": "full"}, "full"),
    ],
)
def test_lazy_storage_has_the_kind_of_the_wrapped_storage(settings, options, kind):
    backend = "proxy_storage.storages.ProxyStorage"
    settings.STORAGES = {"default": {"BACKEND": backend, "OPTIONS": {**OPTIONS, **options}}}
    for storage in (default_storage, SimpleLazyObject(lambda: default_storage)):
        assert get_path_kind(storage) == kind


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": "absolute"}, "one of 'full', 'prefixed', 'relative', not 'absolute'"),
        ({"paths": 5}, "not 5"),
        ({"paths": "prefixed"}, "needs a path_prefix"),
        ({"paths": "relative", "path_prefix": "/x/"}, "Remove one of the two"),
        ({"paths": "full", "path_prefix": "/x/"}, "Remove one of the two"),
    ],
)
def test_contradicting_options_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        ProxyStorage(**OPTIONS, **options)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"paths": "relativ"}, "not 'relativ'"),
        ({"paths": "relative", "path_prefix": "/x/"}, "Remove one of the two"),
        ({"paths": "relative", "get_path": OwnPaths.get_path}, "does not call its get_path"),
        ({"paths": "prefixed"}, "needs a path_prefix"),
    ],
)
def test_contradicting_attributes_are_a_check_error(settings, monkeypatch, attributes, message):
    for name, value in attributes.items():
        monkeypatch.setattr(Relative, name, value, raising=False)
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"relative": f"{__name__}.Relative"}}
    settings.STORAGES = {}
    (error,) = check_settings(None)
    assert error.id == "proxy_storage.E002"
    assert message in error.msg


class TestMissingOptions:
    def test_attributes_of_the_class_replace_them(self):
        class Complete(ProxyStorage):
            meta_backend = OrmStorage.meta_backend

            @property
            def original_storage(self):
                raise AssertionError("The constructor must not read it.")

        class Computed(ProxyStorage):
            meta_backend = OrmStorage.meta_backend

            def get_original_storage(self, meta_backend_obj=None):
                raise AssertionError("The constructor must not read it.")

        Complete(), Computed()

    def test_of_several_original_storages(self):
        class Several(MultipleOriginalStoragesMixin, ProxyStorage):
            meta_backend = OrmStorage.meta_backend

        with pytest.raises(ConfigurationError, match="needs 'original_storages'"):
            Several()
        Several(original_storages={"disk": OPTIONS["original_storage"]})


class TestAttributesOfTheOriginalStorage:
    def test_data_attributes_are_forwarded(self):
        original = FileSystemStorage("/var/files", base_url="/f/", file_permissions_mode=0o600)
        storage = ProxyStorage(**{**OPTIONS, "original_storage": original})
        assert storage.location == "/var/files"
        assert storage.base_url == "/f/"
        assert storage.file_permissions_mode == 0o600
        s3 = ProxyStorage(**{**OPTIONS, "original_storage": S3Storage(bucket_name="b")})
        assert s3.bucket_name == "b"
        assert s3.location == ""

    @pytest.mark.parametrize(
        "name",
        [
            "_location",
            "__wrapped__",
            "nonsense",
            "deconstructed",
            "supports_exclusive_create",
            "saves_exclusively",
            "fallback_exceptions",
            "get_source",
            "get_presigned_url",
            "own_method",
        ],
    )
    def test_methods_and_declarations_are_not_forwarded(self, name):
        class NamedStorage(FileSystemStorage):
            supports_exclusive_create = saves_exclusively = True
            fallback_exceptions = (OSError,)

            def own_method(self):
                pass

            get_source = get_presigned_url = own_method

        storage = ProxyStorage(**{**OPTIONS, "original_storage": NamedStorage("/var/files")})
        assert not hasattr(storage, name)
        with pytest.raises(
            AttributeError, match=f"'ProxyStorage' object has no attribute '{name}'"
        ):
            getattr(storage, name)

    def test_attributes_of_the_first_storage_are_forwarded(self):
        class Several(MultipleOriginalStoragesMixin, ProxyStorage):
            pass

        originals = {"a": FileSystemStorage("/var/a"), "b": FileSystemStorage("/var/b")}
        storage = Several(original_storages=originals, meta_backend=OrmStorage.meta_backend)
        assert storage.location == "/var/a"

    def test_without_original_storage_no_attribute_is_forwarded(self):
        class Bare(ProxyStorageBase):
            pass

        for name in ("location", "original_storage", "meta_backend"):
            assert not hasattr(Bare(), name)

        class Empty(MultipleOriginalStoragesMixin, ProxyStorageBase):
            original_storages = ()

        assert not hasattr(Empty(), "location")

    @pytest.mark.parametrize("storage", [OrmDiskStorage(), Relative(), ProxyStorage(**OPTIONS)])
    def test_copies_have_the_same_attributes(self, storage):
        for copied in (
            copy.copy(storage),
            copy.deepcopy(storage),
            pickle.loads(pickle.dumps(storage)),
            pickle.loads(pickle.dumps(storage, protocol=0)),
        ):
            assert type(copied) is type(storage)
            assert copied.location == storage.location
            assert get_path_kind(copied) == get_path_kind(storage)


class Careful(FileSystemStorage):
    def _save(self, name, content):
        return super()._save(name, content)


class TestCheckOfExclusiveCreate:
    """The check of an original storage that does not declare ``supports_exclusive_create``."""

    def get_warnings(self, original, settings, **options):
        configure_proxy_storage(original, "orm", settings, **options)
        settings.STORAGES = {"special": settings.STORAGES["special"]}
        settings.PROXY_STORAGE = {}
        found = check_settings(None)
        return [message for message in found if message.id == "proxy_storage.W006"]

    @pytest.mark.parametrize("options", [{"paths": "full"}, {"paths": None, "path_prefix": "/p/"}])
    def test_warning_names_the_attribute_to_declare(self, settings, options):
        (warning,) = self.get_warnings(Careful("/var/files"), settings, **options)
        assert isinstance(warning, CheckWarning)
        assert "Careful" in warning.msg
        assert "'special'" in warning.msg
        assert "supports_exclusive_create = True on Careful" in warning.hint
        assert "paths = 'relative'" in warning.hint

    @pytest.mark.parametrize(
        "original",
        [
            S3Storage(bucket_name="b"),
            InMemoryStorage(),
            FileSystemStorage("/var/files", allow_overwrite=True),
        ],
    )
    def test_hint_omits_the_attribute_for_storages_that_cannot_declare_it(self, settings, original):
        (warning,) = self.get_warnings(original, settings)
        assert "paths = 'relative'" in warning.hint
        assert "supports_exclusive_create" not in warning.hint

    def test_relative_paths_give_no_warning(self, settings):
        assert self.get_warnings(S3Storage(bucket_name="b"), settings, paths="relative") == []

    def test_declared_storage_gives_no_warning(self, settings):
        class Declared(Careful):
            supports_exclusive_create = True

        assert self.get_warnings(Declared("/var/files"), settings) == []
        assert self.get_warnings(FileSystemStorage("/var/files"), settings) == []

    @pytest.mark.usefixtures("empty_storages")
    def test_declared_storage_keeps_names(self, settings, tmp_path):
        class Declared(Careful):
            supports_exclusive_create = True

        storage = configure_proxy_storage(Careful(tmp_path / "a"), "orm", settings)
        assert storage.save("a.txt", ContentFile(b"")) != f"{tmp_path}/a/a.txt"
        storage = configure_proxy_storage(Declared(tmp_path / "b"), "orm", settings)
        assert storage.save("a.txt", ContentFile(b"")) == f"{tmp_path}/b/a.txt"


@pytest.mark.usefixtures("empty_storages")
def test_registered_class_with_relative_paths(settings):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"relative": f"{__name__}.Relative"}}
    storage = get_proxy_storage("relative")
    assert storage.save("letters/a.txt", ContentFile(b"x")) == "letters/a.txt"
    with pytest.raises(FileNotFoundError):
        storage.delete("letters/b.txt")


def test_split_path_ignores_paths_that_get_path_does_not_make():
    class LowerCase(OrmDiskStorage):
        def get_path(self, original, name):
            return super().get_path(original, name.lower())

    storage = LowerCase()
    path = storage.get_path(storage.original_storage, "A.txt")
    assert [name for _, name in split_path(storage, path)] == ["a.txt"]
    assert list(split_path(storage, path.replace("a.txt", "A.txt"))) == []
