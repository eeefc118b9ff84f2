"""Who may read what on the site."""

from rest_framework.permissions import IsAdminUser

from jobs.permissions import JobApplyFiles
from proxy_storage_permissions import FilePermission, HasValidSignature


class IsOpen(FilePermission):
    """Some files are for everybody; which ones, only each record can tell."""

    def has_object_permission(self, request, view, obj):
        return "open" in obj["path"]


READERS = IsAdminUser | IsOpen | JobApplyFiles | HasValidSignature
