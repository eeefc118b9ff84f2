"""Files with similar names and with long names are kept separately."""

import unicodedata

import pytest
from django.core.files.base import ContentFile

from tests.contract.reading import read

pytestmark = [pytest.mark.django_db, pytest.mark.long]


class TestSimilarNames:
    @pytest.mark.parametrize(
        "names",
        [
            ("Cv.txt", "cv.TXT", "CV.txt", "cv.txt"),
            [unicodedata.normalize(form, "Ångström é.txt") for form in ("NFC", "NFD")],
            ("\u212bngstr\u00f6m.txt", "\u00c5ngstr\u00f6m.txt"),
            ("cv.txt", "cv.txt ", " cv.txt", "cv .txt", "cv.txt."),
            ("straße.txt", "strasse.txt", "STRASSE.txt"),
            ("Sub/cv.txt", "sub/cv.txt", "sub /cv.txt"),
            ("cv.txt", "cv\u200d.txt", "cv\ufeff.txt", "\u0441v.txt"),
            ("cv_1.txt", "cv%1.txt", "cv?1.txt", "cv*1.txt", "cv.1.txt"),
        ],
        ids=lambda names: names[0],
    )
    def test_similar_names_have_separate_files(self, storage, names):
        paths = [storage.save(name, ContentFile(name.encode())) for name in names]
        assert len(set(paths)) == len(names)
        for path, name in zip(paths, names, strict=True):
            assert read(storage, path) == name.encode()
        storage.delete(paths[0])
        assert not storage.exists(paths[0])
        for path, name in list(zip(paths, names, strict=True))[1:]:
            assert read(storage, path) == name.encode()


class TestLongNames:
    @pytest.mark.parametrize(
        "name",
        [
            "n" * 300,
            "n" * 296 + ".txt",
            "é" * 128,
            "\U0001f4f7" * 64,
            "a." + "x" * 298,
            "n" * 300 + "/a.txt",
            "sub/" + "n" * 300,
            ".hidden" + "n" * 300,
        ],
        ids=lambda name: f"{name[:6]}-{name[-6:]}",
    )
    def test_long_name_is_saved(self, storage, name):
        """Long names are shortened. They raise no error."""
        assert read(storage, storage.save(name, ContentFile(b"long"))) == b"long"
