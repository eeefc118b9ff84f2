import zipfile
from pathlib import Path

import pytest

from tests.project.conftest import ROOT, run


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_exactly_three_packages_on_top(names):
    top = {name.split("/")[0] for name in names}
    assert top - {name for name in top if name.endswith(".dist-info")} == {
        "proxy_storage",
        "proxy_storage_api",
        "proxy_storage_permissions",
    }


def test_every_module_and_template_is_in_it(names):
    folders = {
        "proxy_storage": "proxy_storage",
        "proxy_storage_api": "proxy_storage_api",
        "permissions": "proxy_storage_permissions",
    }
    expected = {
        str(Path(package, file.relative_to(ROOT / folder)))
        for folder, package in folders.items()
        for pattern in ("*.py", "py.typed", "templates/**/*")
        for file in (ROOT / folder).rglob(pattern)
        if file.is_file()
    }
    assert {name for name in names if ".dist-info" not in name} == expected


def test_name_and_version(wheel):
    assert wheel.name.startswith("django_proxy_storage-1.0.0.dev0-py3-none-any")


def test_needs_django_alone(new_environment, tmp_path):
    code = "from importlib.metadata import distributions as get; print(*(d.name for d in get()))"
    installed = set(run("python", "-c", code, env=new_environment).lower().split())
    assert installed <= {"django", "django-proxy-storage", "asgiref", "sqlparse"}
    code = "import proxy_storage.storages.base, proxy_storage.serving, proxy_storage.db.fields"
    run("python", "-c", code, env=new_environment, cwd=tmp_path)


def test_missing_driver_names_the_extra(new_environment, tmp_path):
    code = (
        "try: import proxy_storage.meta_backends.mongo\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    out = run("python", "-c", code, env=new_environment, cwd=tmp_path)
    assert out.startswith("ConfigurationError")
    assert 'pip install "django-proxy-storage[mongo]"' in out
