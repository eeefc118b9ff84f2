import pytest

from proxy_storage.suggestions import (
    describe_build_error,
    describe_error,
    describe_import_error,
    get_install_hint,
    suggest,
)

DISK = "django.core.files.storage.FileSystemStorage"


class Open:
    def __init__(self, **options):
        raise TypeError("Give a name.")


class WithoutOptions:
    def __init__(self):
        pass


@pytest.mark.parametrize(
    ("value", "sentence"),
    [("loaction", " Did you mean 'location'?"), ("size", ""), (5, ""), (None, "")],
)
def test_similar_name(value, sentence):
    assert suggest(value, ["location", "base_url"]) == sentence


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("django.core.files.storage.FileSystemStorge", DISK),
        ("django.core.fils.storage.FileSystemStorage", DISK),
        ("jbos.storages.Nothing", "jobs.storages.Nothing"),
        ("nowhere.at.all", None),
        ("django.core.files.storage.Xyz", None),
        ("NoPath", None),
        # The part exists, so that its import has failed for another reason.
        (DISK, None),
    ],
)
def test_similar_path(path, meant):
    sentence = "." if meant is None else f". Did you mean {meant!r}?"
    assert describe_import_error(path, ImportError("No")) == f"No{sentence}"


def test_package_is_found_in_the_cause_of_an_error():
    missing = ModuleNotFoundError("No module named 'boto3'", name="boto3")
    error = ValueError("No bindings.")
    error.__cause__ = missing
    hint = '. Install it with: pip install "django-proxy-storage[s3]"'
    assert get_install_hint(missing) == get_install_hint(error) == hint


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a"),
        ModuleNotFoundError("a", name="letters"),
        ModuleNotFoundError("a", name="storages.backends.s4"),
        # The package is installed, and does not have this name.
        ImportError("a", name="storages"),
    ],
)
def test_other_errors_have_no_package(error):
    assert get_install_hint(error) == ""


@pytest.mark.parametrize(
    ("entry", "error", "text"),
    [
        (5, TypeError("no"), "TypeError('no')."),
        ({}, KeyError("BACKEND"), "KeyError('BACKEND')."),
        ({"BACKEND": 5}, AttributeError("no"), "AttributeError('no')."),
        ({"BACKEND": DISK, "OPTIONS": 5}, TypeError("no"), "no."),
        ({"BACKEND": DISK}, TypeError("no"), "no."),
        ({"BACKEND": DISK, "OPTIONS": {"location": 5}}, TypeError("no"), "no."),
        ({"BACKEND": DISK}, ValueError("no"), "no."),
        ({"BACKEND": f"{__name__}.Open", "OPTIONS": {"a": 1}}, TypeError("no."), "no."),
        (
            {"BACKEND": f"{__name__}.WithoutOptions", "OPTIONS": {"a": 1}},
            TypeError("no"),
            "WithoutOptions does not have the option 'a'. The options are none.",
        ),
    ],
)
def test_error_of_an_entry(entry, error, text):
    assert describe_build_error(entry, error) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Not\n found.", "ValueError: Not found."),
        ("mongodb://user:p@ss@host:1/a", "ValueError: mongodb://***@host:1/a"),
        ("https://host/a@b", "ValueError: https://host/a@b"),
        ("GET 'https://host/a?Signature=x' failed", "ValueError: GET 'https://host/a?...' failed"),
        ("Did you mean 'a'? b=c", "ValueError: Did you mean 'a'? b=c"),
        ('No "https://host/a?X-Signature=b&c".', 'ValueError: No "https://host/a?...".'),
        ("failed with url: /b/k?X-Amz-Signature=x ", "ValueError: failed with url: /b/k?..."),
        ("Did you mean 'a'? Or b?", "ValueError: Did you mean 'a'? Or b?"),
        ("a\x1b[2Jb\x00", r"ValueError: a\x1b[2Jb\x00"),
        (
            "Refused, Topology Description: <T [<S ('h', 1)>]>. Check.",
            "ValueError: Refused. Check.",
        ),
    ],
)
def test_error_in_one_line_without_credentials(text, line):
    assert describe_error(ValueError(text)) == line
