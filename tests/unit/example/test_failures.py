"""Requests while MongoDB, the database or the disk fails."""

import errno
import os
from unittest import mock

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError
from pymongo.errors import ServerSelectionTimeoutError

from jobs.models import JobApply
from proxy_storage.records.models import StoredFile
from proxy_storage.storages.gridfs import GridFSStorage

HTML, JSON = "text/html,application/xhtml+xml", "application/json"


class TestStorageFails:
    @pytest.fixture
    def no_mongo(self):
        error = ServerSelectionTimeoutError("127.0.0.1:1: refused")
        with (
            mock.patch.object(GridFSStorage, "_find", side_effect=error),
            mock.patch.object(GridFSStorage, "_save", side_effect=error),
        ):
            yield

    @pytest.mark.usefixtures("no_mongo")
    @pytest.mark.parametrize("accept", [HTML, JSON])
    def test_download(self, clients, messi, accept):
        response = clients["messi"].get(messi.resume.url, headers={"Accept": accept})
        assert response.status_code == 503
        assert response["Retry-After"] == "5"
        assert response["Content-Type"].startswith(accept.partition(",")[0])
        assert b"does not answer" in response.content
        assert b"127.0.0.1" not in response.content

    @pytest.mark.usefixtures("no_mongo")
    @pytest.mark.parametrize("accept", [HTML, JSON])
    def test_form_saves_nothing(self, clients, form, accept, settings):
        files = set(settings.FILES_ROOT.rglob("*"))
        before = JobApply.objects.count(), StoredFile.objects.count()
        response = clients["messi"].post("/apply/", form, headers={"Accept": accept})
        assert response.status_code == 503
        assert (JobApply.objects.count(), StoredFile.objects.count()) == before
        assert set(settings.FILES_ROOT.rglob("*")) == files

    @pytest.mark.usefixtures("no_mongo")
    def test_other_pages_work(self, clients, messi):
        for url in ("/", "/my-files/", messi.get_absolute_url()):
            assert clients["messi"].get(url).status_code == 200

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_full_disk(self, clients, form, number):
        before = JobApply.objects.count(), StoredFile.objects.count()
        error = OSError(number, os.strerror(number))
        with mock.patch.object(FileSystemStorage, "_save", side_effect=error):
            response = clients["messi"].post("/apply/", form)
        assert response.status_code == 507
        assert "disk of the site is full" in response.json()["detail"]
        assert (JobApply.objects.count(), StoredFile.objects.count()) == before

    def test_database_is_locked(self, clients):
        error = OperationalError("database is locked")
        with mock.patch("jobs.views.get_own_applications", side_effect=error):
            assert clients["messi"].get("/my-files/").status_code == 503

    def test_other_errors_are_not_hidden(self, clients):
        clients["messi"].raise_request_exception = False
        with mock.patch("jobs.views.get_own_applications", side_effect=ValueError):
            assert clients["messi"].get("/my-files/").status_code == 500
