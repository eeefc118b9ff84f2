"""The permissions of the site: requests with a cookie may read files."""

from rest_framework.permissions import BasePermission

from proxy_storage_permissions import FilePermission

COOKIE = {"Cookie": "reader=yes"}


class IsReader(FilePermission):
    """Needs the record to decide, as most permissions do."""

    def has_object_permission(self, request, view, obj):
        return request.COOKIES.get("reader") == "yes"


class MayUpload(BasePermission):
    """Allows uploads with the cookie."""

    def has_permission(self, request, view):
        return request.COOKIES.get("reader") == "yes"
