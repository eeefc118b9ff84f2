"""Who may read files: those with a cookie, which anybody else is a stranger without."""

from rest_framework.permissions import BasePermission

from proxy_storage_permissions import FilePermission

COOKIE = {"Cookie": "reader=yes"}


class IsReader(FilePermission):
    """Decides when it has seen the record, as a permission by owner does."""

    def has_object_permission(self, request, view, obj):
        return request.COOKIES.get("reader") == "yes"


class MayUpload(BasePermission):
    """Readers may upload."""

    def has_permission(self, request, view):
        return request.COOKIES.get("reader") == "yes"
