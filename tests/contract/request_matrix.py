"""Requesters, files and permissions for the tests that make every request."""

from urllib.parse import parse_qsl, urlsplit

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from rest_framework.permissions import IsAdminUser

from proxy_storage_permissions import (
    FieldPermissions,
    HasValidSignature,
    IsOwner,
    get_signed_url,
)
from tests.testapp.models import Document

USERS = ("anonymous", "stranger", "owner", "staff")
# Requesters with a signed link are anonymous.
LINKS = ("link", "expired link", "link for another path", "link of another user", "link to delete")
REQUESTERS = USERS + LINKS
FILES = ("bound", "unbound", "dangling")
# The requesters requester may read each file without a link.
READERS = {"bound": {"owner", "staff"}, "unbound": {"staff"}, "dangling": {"staff"}}
CONTENT = b"0123456789"


class DocumentFiles(FieldPermissions):
    model = Document
    permissions = {"orm_file": IsOwner("user"), "mongo_file": IsOwner("user")}


SiteFiles = HasValidSignature | DocumentFiles | IsAdminUser
PERMISSION_SETTINGS = {"DEFAULT_PERMISSION_CLASSES": ["tests.contract.request_matrix.SiteFiles"]}


class RequestData:
    """One user of each kind, and one file of each kind.

    Args:
        field: a field of `Document`; it determines the meta backend of the records.
    """

    def __init__(self, field):
        self.users = {
            name: User.objects.create(username=name, is_staff=name == "staff") for name in USERS[1:]
        }
        self.storage = Document._meta.get_field(field).storage
        self.records = {}
        for kind in ("bound", "dangling"):
            document = Document.objects.create(user=self.users["owner"])
            getattr(document, field).save(f"{kind}.txt", ContentFile(CONTENT))
            self.records[kind] = self.get_record(getattr(document, field).name)
            if kind == "dangling":  # The record is not updated.
                Document.objects.filter(pk=document.pk)._raw_delete("default")
        path = self.storage.save("unbound.txt", ContentFile(CONTENT))
        self.records["unbound"] = self.get_record(path)

    def get_record(self, path):
        return self.storage.get_meta_backend_obj(path)

    def get_client(self, requester):
        client = Client()
        if requester in self.users:
            client.force_login(self.users[requester])
        elif requester == "link of another user":
            client.force_login(self.users["stranger"])
        return client

    def get_query(self, requester, kind, monkeypatch):
        """Return the query parameters of a requester, including those of a link."""
        record = self.records[kind]
        own = {"path": record["path"], "storage": record["proxy_storage_name"]}
        if requester not in LINKS:
            return own
        linked, options = record, {}
        if requester == "link for another path":
            linked = self.records["unbound" if kind == "bound" else "bound"]
        elif requester == "link of another user":
            options = {"user": self.users["staff"]}
        elif requester == "link to delete":
            options = {"method": "DELETE"}
        if requester == "expired link":
            with monkeypatch.context() as earlier:
                earlier.setattr("proxy_storage_permissions.links.time", lambda: 1_000_000)
                link = get_signed_url(linked, **options)
        else:
            link = get_signed_url(linked, **options)
        return dict(parse_qsl(urlsplit(link.url).query)) | own
