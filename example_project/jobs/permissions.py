"""Who may read which file."""

from rest_framework.permissions import AllowAny, IsAdminUser

from jobs.models import JobApply
from proxy_storage_permissions import FieldPermissions, HasValidSignature, IsOwner


class JobApplyFiles(FieldPermissions):
    """Avatars are for everybody, a resume is for its owner, for staff, and for those who were
    given a link.
    """

    model = JobApply
    permissions = {
        "avatar": AllowAny,
        "resume": IsOwner("user") | IsAdminUser | HasValidSignature,
    }
