"""Who asks for what: the people, the files and the rules that all requests are tried with."""

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

PEOPLE = ("anonymous", "stranger", "owner", "staff")
# who comes by a link is nobody else
LINKS = ("link", "expired link", "link for another path", "link of another user", "link to delete")
WHO = PEOPLE + LINKS
FILES = ("bound", "unbound", "dangling")
# staff may read everything, others what they own, and a file that they have a link to
READERS = {"bound": {"owner", "staff"}, "unbound": {"staff"}, "dangling": {"staff"}}
CONTENT = b"0123456789"


class DocumentFiles(FieldPermissions):
    model = Document
    permissions = {"orm_file": IsOwner("user"), "mongo_file": IsOwner("user")}


SiteFiles = HasValidSignature | DocumentFiles | IsAdminUser
RULES = {"DEFAULT_PERMISSION_CLASSES": ["tests.contract.request_matrix.SiteFiles"]}


class World:
    """One user of each kind, and one file of each kind.

    Args:
        field: the field of the documents, which says where the records are.
    """

    def __init__(self, field):
        self.users = {
            name: User.objects.create(username=name, is_staff=name == "staff")
            for name in PEOPLE[1:]
        }
        self.storage = Document._meta.get_field(field).storage
        self.records = {}
        for kind in ("bound", "dangling"):
            document = Document.objects.create(user=self.users["owner"])
            getattr(document, field).save(f"{kind}.txt", ContentFile(CONTENT))
            self.records[kind] = self.get_record(getattr(document, field).name)
            if kind == "dangling":  # without a word to the record
                Document.objects.filter(pk=document.pk)._raw_delete("default")
        path = self.storage.save("unbound.txt", ContentFile(CONTENT))
        self.records["unbound"] = self.get_record(path)

    def get_record(self, path):
        return self.storage.get_meta_backend_obj(path)

    def get_client(self, who):
        client = Client()
        if who in self.users:
            client.force_login(self.users[who])
        elif who == "link of another user":
            client.force_login(self.users["stranger"])
        return client

    def get_query(self, who, kind, monkeypatch):
        """Return the parameters that somebody comes with; those of a link are more than a path."""
        record = self.records[kind]
        own = {"path": record["path"], "storage": record["proxy_storage_name"]}
        if who not in LINKS:
            return own
        linked, options = record, {}
        if who == "link for another path":
            linked = self.records["unbound" if kind == "bound" else "bound"]
        elif who == "link of another user":
            options = {"user": self.users["staff"]}
        elif who == "link to delete":
            options = {"method": "DELETE"}
        if who == "expired link":
            with monkeypatch.context() as earlier:
                earlier.setattr("proxy_storage_permissions.links.time", lambda: 1_000_000)
                link = get_signed_url(linked, **options)
        else:
            link = get_signed_url(linked, **options)
        return dict(parse_qsl(urlsplit(link.url).query)) | own
