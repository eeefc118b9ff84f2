"""Names that differ in a little, or that are too long: each file keeps its own bytes."""

import unicodedata

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import InvalidNameError
from tests.contract.proxy_storages import read
from tests.safety.leftovers import get_names, get_paths

pytestmark = pytest.mark.django_db


class TestNamesThatAreNearlyTheSame:
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
    def test_have_files_of_their_own(self, storage, names):
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
    def test_come_back_or_are_refused(self, storage, name):
        if isinstance(storage.get_originals()[-1].storage, FileSystemStorage):
            before = get_names(storage)
            with pytest.raises(InvalidNameError, match="longer than the original storage allows"):
                storage.save(name, ContentFile(b"long"))
            assert get_names(storage) == before
            assert get_paths(storage) == []
        else:
            assert read(storage, storage.save(name, ContentFile(b"long"))) == b"long"
