"""Apps that are missing in INSTALLED_APPS, and packages that are not installed."""

import pytest

S3 = "storages.backends.s3.S3Storage"
GRIDFS = "proxy_storage.storages.gridfs.GridFSStorage"
MONGO = "proxy_storage.meta_backends.mongo.MongoMetaBackend"


def use(**options):
    return f'STORAGES["default"]["OPTIONS"] = {options!r}\n'


def test_project_without_mistakes_has_no_messages(project):
    assert "no issues" in project.run()


@pytest.mark.slow
class TestMissingApp:
    @pytest.mark.parametrize(
        ("app", "words"),
        [
            ("proxy_storage", ["E104", "E016", "'proxy_storage' is not", "Add it"]),
            ("proxy_storage.records", ["E005", "Add 'proxy_storage.records' to INSTALLED_APPS"]),
            ("proxy_storage_api", ["'proxy_storage_api' is not in INSTALLED_APPS. Add it"]),
            ("rest_framework", ["E017", "'rest_framework' is not in INSTALLED_APPS", "Add it"]),
        ],
    )
    def test_check_names_it(self, project, app, words):
        output = project.run(without=[app])
        assert all(word in output for word in words), output
        assert "Traceback" not in output

    def test_content_types(self, project):
        output = project.run(
            without=["django.contrib.auth", "django.contrib.contenttypes", "letters"]
        )
        assert "needs 'django.contrib.contenttypes', which is not in INSTALLED_APPS" in output

    def test_first_use_of_a_storage_is_logged(self, project):
        """Without a field of this package, no check is called."""
        code = (
            "from django.core.files.base import ContentFile as File;"
            "from django.core.files.storage import default_storage as storage;"
            "storage.save('a.txt', File(b'a'));"
            "storage.save('b.txt', File(b'b'))"
        )
        project.run("migrate")
        output = project.run("shell", "-c", code, without=["proxy_storage", "letters"])
        assert output.count("'proxy_storage' is not in INSTALLED_APPS. Add it") == 1


@pytest.mark.slow
class TestMissingPackage:
    @pytest.mark.parametrize(
        ("hidden", "extra", "options"),
        [
            ("storages", "s3", {"original_storage": {"BACKEND": S3}}),
            ("boto3", "s3", {"original_storage": {"BACKEND": S3}}),
            ("pymongo", "mongo", {"original_storage": {"BACKEND": GRIDFS}}),
            ("pymongo", "mongo", {"meta_backend": {"BACKEND": MONGO}}),
        ],
    )
    def test_check_names_the_extra(self, project, hidden, extra, options):
        output = project.run(settings=f"hide({hidden!r})\n{use(**options)}")
        assert "E002" in output
        assert f'pip install "django-proxy-storage[{extra}]"' in output
        assert "Traceback" not in output

    def test_alias_of_an_original_storage(self, project):
        output = project.run(
            settings=f'hide("boto3")\nSTORAGES["s3"] = {{"BACKEND": "{S3}"}}\n'
            + use(original_storage="s3")
        )
        assert "STORAGES['s3'] cannot be used" in output
        assert 'pip install "django-proxy-storage[s3]"' in output

    def test_rest_framework(self, project):
        output = project.run(settings='hide("rest_framework")', without=["rest_framework"])
        assert 'pip install "django-proxy-storage[api]"' in output
