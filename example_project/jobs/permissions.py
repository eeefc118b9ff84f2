"""Permissions for the files of job applications."""

from rest_framework.permissions import AllowAny, IsAdminUser

from jobs.models import JobApply
from proxy_storage_permissions import FieldPermissions, HasValidSignature, IsOwner


class JobApplyFiles(FieldPermissions):
    """All users may read avatars. Resumes are for their owner, staff, and signed links."""

    model = JobApply
    permissions = {
        "avatar": AllowAny,
        "resume": IsOwner("user") | IsAdminUser | HasValidSignature,
    }
