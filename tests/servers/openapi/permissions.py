"""The permissions of the site."""

from rest_framework.permissions import IsAdminUser

from jobs.permissions import JobApplyFiles
from proxy_storage_permissions import FilePermission, HasValidSignature


class IsOpen(FilePermission):
    """Allows all users to read some files, which only their records identify."""

    def has_object_permission(self, request, view, obj):
        return "open" in obj["path"]


READERS = IsAdminUser | IsOpen | JobApplyFiles | HasValidSignature
