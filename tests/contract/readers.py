"""Users, files, and the files that each permission allows, for the tests of lists."""

from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.http import QueryDict
from guardian.shortcuts import assign_perm
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated

from proxy_storage_permissions import (
    CanReadFile,
    DenyAll,
    FieldPermissions,
    FilePermission,
    HasModelPermission,
    HasObjectPermission,
    HasValidSignature,
    IsOwner,
)
from tests.testapp.models import (
    Document,
    KeyedDocument,
    NamedDocument,
    ScannedDocument,
    Team,
)

#: one model for each type of key: a number, a UUID, text
MODELS = (Document, KeyedDocument, NamedDocument)
BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
USERS = {
    "stranger": {},
    "owner": {},
    "member": {},  # A member of two teams of the content objects of the owner.
    "clerk": {},  # Has the Django permission for one model.
    "friend": {},  # Has the permission for instances, as a user and through a group.
    "staff": {"is_staff": True},
    "inactive": {"is_active": False},  # Has the permissions of all others.
    "root": {"is_superuser": True},
    "retired": {"is_superuser": True, "is_active": False},
}


@dataclass(frozen=True)
class File:
    """A file, its content object and its owner."""

    path: str
    model: type | None = None
    field: str | None = None
    user: str | None = None
    exists: bool = False


class IsMongoFile(FilePermission):
    """A permission without a filter."""

    def has_object_permission(self, request, view, obj):
        return obj.get("field") == "mongo_file"


class IsOrmFile(FilePermission):
    """A permission with a filter."""

    def has_object_permission(self, request, view, obj):
        return obj.get("field") == "orm_file"

    def get_filter(self, request, view, models):
        return Q(field="orm_file")


class IsLoggedInForMongoFiles(BasePermission):
    """A DRF permission with both methods."""

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


def is_owner(who, file):
    return file.exists and file.user == who


def is_in_team(who, file):
    return file.exists and file.user == "owner" and who in ("member", "inactive")


def may_view(who, file):
    return file.exists and (who == "root" or (who == "friend" and file.user in ("stranger", None)))


def can_read(who, file):
    return is_owner(who, file) and file.field == "orm_file"


def is_clerk_of_any(who, file):
    return file.model is not None and who in ("root", "clerk")


PERMISSIONS = {
    "nobody": (DenyAll, lambda who, file: False),
    "bare": (FilePermission, lambda who, file: False),
    "signature": (HasValidSignature, lambda who, file: False),
    "owner": (IsOwner, is_owner),
    "team": (IsOwner("teams.members"), is_in_team),
    "model": (
        HasModelPermission,
        lambda who, file: is_clerk_of_any(who, file) and (who == "root" or file.model is Document),
    ),
    "full name": (HasModelPermission("testapp.view_document"), is_clerk_of_any),
    "object": (HasObjectPermission("view"), may_view),
    "instance": (CanReadFile(), can_read),
    "asked instance": (CanReadFile("can_read_file", "no_such_method"), can_read),
    "fields": (
        DocumentFiles,
        lambda who, file: (
            file.model is Document
            and (
                file.field == "orm_file"
                or (file.field == "mongo_file" and (is_owner(who, file) or can_read(who, file)))
            )
        ),
    ),
    "asked fields": (
        KeyedDocumentFiles,
        lambda who, file: (
            file.model is KeyedDocument
            and (
                (file.field == "orm_file" and is_clerk_of_any(who, file))
                or (file.field == "mongo_file" and not is_in_team(who, file))
            )
        ),
    ),
    "told": (IsOrmFile, lambda who, file: file.field == "orm_file"),
    "asked": (IsMongoFile, lambda who, file: file.field == "mongo_file"),
    "everybody": (AllowAny, lambda who, file: True),
    "user": (IsAuthenticated, lambda who, file: who != "anonymous"),
    "staff": (IsAdminUser, lambda who, file: who == "staff"),
    "asked user": (
        IsLoggedInForMongoFiles,
        lambda who, file: who != "anonymous" and file.field == "mongo_file",
    ),
}


class World:
    """Users, instances, and their files in a meta backend.

    Args:
        backend: the meta backend.
    """

    def __init__(self, backend):
        self.backend = backend
        self.users = {
            name: User.objects.create(username=name, **has) for name, has in USERS.items()
        }
        self.people = {"anonymous": AnonymousUser(), **self.users}
        #: files of the known models, and without a content object
        self.files = []
        #: files of other models, which are listed only if all files are
        self.strange_files = []
        self._make_owned_files()
        self._make_other_files()

    def _make_owned_files(self):
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
                    self._add(instance, "a_field_of_once", name)
                if name == "stranger":
                    for holder in ("friend", "inactive"):
                        self._permit(self.users[holder], instance)
                if name is None:
                    self._permit(friends, instance)
                for field in ("orm_file", "mongo_file"):
                    self._add(instance, field, name)
        scanned = ScannedDocument.objects.create(
            user=self.users["owner"], title="orm_file for owner"
        )
        scanned.teams.set(teams)
        self._add(scanned, "orm_file", "owner", model=Document)

    def _permit(self, holder, instance):
        assign_perm(f"testapp.view_{instance._meta.model_name}", holder, instance)

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
        self._write(File("/unbound"))
        stale = ContentType.objects.create(app_label="gone", model="gone")
        for number in (stale.pk, 9999):
            file = File(f"/strange/{number}", None, "orm_file")
            self._write(file, self.strange_files, content_type_id=number, object_id="1")
        # The content object of a file of a child is its parent.
        scanned = ScannedDocument.objects.get()
        file = File("/strange/child", ScannedDocument, "orm_file", "owner", exists=True)
        self._write(file, self.strange_files, object_id=scanned.pk)

    def _add(self, instance, field, user, model=None):
        model = model or type(instance)
        path = f"/{type(instance).__name__}/{user}/{field}"
        self._write(File(path, model, field, user, exists=True), object_id=instance.pk)

    def _write(self, file, files=None, **owner):
        (self.files if files is None else files).append(file)
        if file.model is not None:
            owner["content_type_id"] = ContentType.objects.get_for_model(file.model).pk
        if not isinstance(owner.get("object_id"), int | str | None):
            owner["object_id"] = str(owner["object_id"])
        self.backend.create(
            {
                "path": file.path,
                "proxy_storage_name": "orm_disk",
                "original_storage_path": file.path[1:],
                "field": file.field,
                **owner,
            }
        )

    @cached_property
    def records(self):
        return {record["path"]: record for record in self.backend}


def ask(user, method="GET"):
    """Return a request of a user, with the attributes that permissions use."""
    return SimpleNamespace(user=user, method=method, query_params=QueryDict())
