"""Users, files, and the expected result of each permission for each user and file."""

import re
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.http import QueryDict
from guardian.shortcuts import assign_perm
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated

from proxy_storage_permissions import (
    CanReadFile,
    CanReadSource,
    DenyAll,
    FieldPermissions,
    FilePermission,
    HasModelPermission,
    HasObjectPermission,
    HasPathPrefix,
    HasValidSignature,
    IsOwner,
    IsUploader,
    get_uploader_data,
)
from tests.testapp.models import (
    Document,
    KeyedDocument,
    NamedDocument,
    ScannedDocument,
    Team,
)

#: One model for each type of primary key: integer, UUID and text.
MODELS = (Document, KeyedDocument, NamedDocument)
BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
#: the folder of the storage "orm_disk", with which the paths of its records begin
ROOT = str(settings.TEST_FILES_ROOT)
#: a file that is derived from a file of an instance of "owner"
THUMBNAIL = "/Document/owner/orm_file.small"
USERS = {
    "stranger": {},
    "owner": {},
    "member": {},  # a member of two teams of the instances of "owner"
    "clerk": {},  # has the Django permission for one model
    "friend": {},  # has object permissions, as a user and through a group
    "staff": {"is_staff": True},
    "inactive": {"is_active": False},  # has all permissions of the other users
    "root": {"is_superuser": True},
    "retired": {"is_superuser": True, "is_active": False},
}


@dataclass(frozen=True)
class File:
    """A file, and the expected values of its content object and its uploader."""

    path: str
    model: type | None = None
    field: str | None = None
    user: str | None = None
    exists: bool = False
    uploader: str | None = None


class IsMongoFile(FilePermission):
    """A permission without a filter for lists."""

    def has_object_permission(self, request, view, obj):
        return obj.get("field") == "mongo_file"


class IsOrmFile(FilePermission):
    """A permission with an exact filter for lists."""

    def has_object_permission(self, request, view, obj):
        return obj.get("field") == "orm_file"

    def get_filter(self, request, view, models):
        return Q(field="orm_file")


class IsAuthenticatedForMongoFiles(BasePermission):
    """A permission of Django REST framework with both checks."""

    def has_permission(self, request, view):
        return request.user.is_authenticated

    def has_object_permission(self, request, view, obj):
        return obj.get("field") == "mongo_file"


class DocumentFiles(FieldPermissions):
    model = Document
    permissions = {"orm_file": AllowAny, "mongo_file": IsOwner("user") | CanReadFile}


class KeyedDocumentFiles(FieldPermissions):
    model = KeyedDocument
    permissions = {
        "orm_file": IsMongoFile | HasModelPermission("testapp.view_document"),
        "mongo_file": ~IsOwner("teams.members") & IsMongoFile,
    }


def is_owner(requester, file):
    return file.exists and file.user == requester


def is_in_team(requester, file):
    return file.exists and file.user == "owner" and requester in ("member", "inactive")


def may_view(requester, file):
    return file.exists and (
        requester == "root" or (requester == "friend" and file.user in ("stranger", None))
    )


def can_read(requester, file):
    return is_owner(requester, file) and file.field == "orm_file"


def is_clerk_of_any(requester, file):
    return file.model is not None and requester in ("root", "clerk")


PERMISSIONS = {
    "deny all": (DenyAll, lambda requester, file: False),
    "base class": (FilePermission, lambda requester, file: False),
    "signature": (HasValidSignature, lambda requester, file: False),
    "owner": (IsOwner, is_owner),
    "team": (IsOwner("teams.members"), is_in_team),
    "model": (
        HasModelPermission,
        lambda requester, file: (
            is_clerk_of_any(requester, file) and (requester == "root" or file.model is Document)
        ),
    ),
    "full name": (HasModelPermission("testapp.view_document"), is_clerk_of_any),
    "object": (HasObjectPermission("view"), may_view),
    "instance": (CanReadFile(), can_read),
    "instance without filter": (CanReadFile("can_read_file", "no_such_method"), can_read),
    "fields": (
        DocumentFiles,
        lambda requester, file: (
            file.model is Document
            and (
                file.field == "orm_file"
                or (
                    file.field == "mongo_file"
                    and (is_owner(requester, file) or can_read(requester, file))
                )
            )
        ),
    ),
    "fields without filter": (
        KeyedDocumentFiles,
        lambda requester, file: (
            file.model is KeyedDocument
            and (
                (file.field == "orm_file" and is_clerk_of_any(requester, file))
                or (file.field == "mongo_file" and not is_in_team(requester, file))
            )
        ),
    ),
    "uploader": (
        IsUploader,
        lambda requester, file: file.uploader is not None and file.uploader == requester,
    ),
    "folder": (
        HasPathPrefix("editor"),
        lambda requester, file: (
            file.path in (f"{ROOT}/editor/owner.png", f"{ROOT}/editor/a/stranger.png")
        ),
    ),
    "folder in full": (
        HasPathPrefix("/gone/", storage="orm_disk"),
        lambda requester, file: file.path.startswith("/gone/"),
    ),
    "folder of another storage": (
        HasPathPrefix("editor", storage="mongo_disk"),
        lambda requester, file: False,
    ),
    "source": (
        CanReadSource(re.compile(r"(?P<source>.+)\.small"), IsOwner),
        lambda requester, file: file.path == THUMBNAIL and requester == "owner",
    ),
    "with filter": (IsOrmFile, lambda requester, file: file.field == "orm_file"),
    "without filter": (IsMongoFile, lambda requester, file: file.field == "mongo_file"),
    "allow any": (AllowAny, lambda requester, file: True),
    "authenticated": (IsAuthenticated, lambda requester, file: requester != "anonymous"),
    "staff": (IsAdminUser, lambda requester, file: requester == "staff"),
    "authenticated without filter": (
        IsAuthenticatedForMongoFiles,
        lambda requester, file: requester != "anonymous" and file.field == "mongo_file",
    ),
}


class PermissionData:
    """Users, content objects, and their records in a meta backend.

    Args:
        backend: the meta backend.
    """

    def __init__(self, backend):
        self.backend = backend
        self.users = {
            name: User.objects.create(username=name, **values) for name, values in USERS.items()
        }
        self.requesters = {"anonymous": AnonymousUser(), **self.users}
        #: Files for which PERMISSIONS has expected results.
        self.files = []
        #: Files that only permissions without a look at the record may allow.
        self.unknown_files = []
        self._make_files_of_instances()
        self._make_other_files()

    def _make_files_of_instances(self):
        friends = Group.objects.create(name="friends")
        view_document = Permission.objects.get(codename="view_document")
        for name, group in (("friend", [friends]), ("inactive", [friends]), ("clerk", [])):
            self.users[name].groups.set(group)
        for name in ("clerk", "inactive", "retired"):
            self.users[name].user_permissions.add(view_document)
        teams = [Team.objects.create() for _ in range(2)]
        for team in teams:
            team.members.set([self.users["member"], self.users["inactive"]])
        for model in MODELS:
            for number, name in enumerate(("owner", "stranger", "inactive", None)):
                key = {"code": str(number + 1)} if model is NamedDocument else {}
                instance = model.objects.create(
                    user=self.users.get(name), title=f"orm_file for {name}", **key
                )
                if name == "owner":
                    instance.teams.set(teams)
                    self._add(instance, "a_removed_field", name)
                if name == "stranger":
                    for name_of_user in ("friend", "inactive"):
                        self._permit(self.users[name_of_user], instance)
                if name is None:
                    self._permit(friends, instance)
                for field in ("orm_file", "mongo_file"):
                    self._add(instance, field, name)
        scanned = ScannedDocument.objects.create(
            user=self.users["owner"], title="orm_file for owner"
        )
        scanned.teams.set(teams)
        self._add(scanned, "orm_file", "owner", model=Document)

    def _permit(self, user_or_group, instance):
        assign_perm(f"testapp.view_{instance._meta.model_name}", user_or_group, instance)

    def _make_other_files(self):
        gone = ["4711", "5e0f4b8e-0b7c-4b4b-8f4e-3f1f3b6f3a11", "no such key"]
        for model in MODELS:
            for key in gone:
                name = f"{model._meta.model_name}-{key}"
                self._write(File(f"/gone/{name}", model, "orm_file"), object_id=key)
            self._write(
                File(f"/half/{model._meta.model_name}", None, "orm_file"),
                content_type_id=ContentType.objects.get_for_model(model).pk,
            )
        for path in ("/unbound", THUMBNAIL, "/unbound/no_source.small"):
            self._write(File(path))
        for folder, name in (
            ("editor", "owner"),
            ("editor/a", "stranger"),
            ("editor-secret", "owner"),
            ("other/editor", "inactive"),
        ):
            self._write(File(f"{ROOT}/{folder}/{name}.png", uploader=name))
        stale = ContentType.objects.create(app_label="gone", model="gone")
        for number in (stale.pk, 9999):
            file = File(f"/strange/{number}", None, "orm_file")
            self._write(file, self.unknown_files, content_type_id=number, object_id="1")
        # Fields never record a child model. They record the parent that declares the field.
        scanned = ScannedDocument.objects.get()
        file = File("/strange/child", ScannedDocument, "orm_file", "owner", exists=True)
        self._write(file, self.unknown_files, object_id=scanned.pk)

    def _add(self, instance, field, user, model=None):
        model = model or type(instance)
        path = f"/{type(instance).__name__}/{user}/{field}"
        self._write(File(path, model, field, user, exists=True), object_id=instance.pk)

    def _write(self, file, files=None, **values):
        (self.files if files is None else files).append(file)
        if file.model is not None:
            values["content_type_id"] = ContentType.objects.get_for_model(file.model).pk
        if file.uploader is not None:
            values |= get_uploader_data(self.users[file.uploader], self.backend)
        if not isinstance(values.get("object_id"), int | str | None):
            values["object_id"] = str(values["object_id"])
        self.backend.create(
            {
                "path": file.path,
                "proxy_storage_name": "orm_disk",
                "original_storage_path": file.path[1:],
                "field": file.field,
                **values,
            }
        )

    @cached_property
    def records(self):
        return {record["path"]: record for record in self.backend}


def make_request(user, method="GET"):
    """Return a request of a user with the attributes that permissions use."""
    return SimpleNamespace(user=user, method=method, query_params=QueryDict())
