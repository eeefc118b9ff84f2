"""The distributions for PyPI, built and checked with the tools of its documentation."""

import sys
import tarfile
import zipfile

import pytest

from tests.project.conftest import run

# They are in the dependency group `dist`.
pytest.importorskip("build")
pytest.importorskip("twine")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def distributions(source, tmp_path_factory):
    """The source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("distributions")
    run(sys.executable, "-m", "build", "--outdir", folder, source)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return archive, wheel


def test_metadata_is_accepted_by_pypi(distributions):
    printed = run(sys.executable, "-m", "twine", "check", "--strict", *distributions)
    assert printed.count("PASSED") == len(distributions)


def test_wheel_from_the_source_distribution_has_the_same_files(distributions, wheel):
    with zipfile.ZipFile(distributions[1]) as built, zipfile.ZipFile(wheel) as direct:
        assert set(built.namelist()) == set(direct.namelist())


def test_source_distribution_has_the_license_and_the_readme(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
