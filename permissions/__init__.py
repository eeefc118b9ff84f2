"""DRF permission classes for files, which depend on the content object and the field of a file.

Installed as ``proxy_storage_permissions``::

    from rest_framework.permissions import AllowAny, IsAdminUser
    from proxy_storage_permissions import FieldPermissions, IsOwner

    class JobApplyFiles(FieldPermissions):
        model = JobApply
        permissions = {"avatar": AllowAny, "resume": IsOwner("user") | IsAdminUser}
"""

from .base import DenyAll, FilePermission, decide, evaluate, may_read
from .content_object import CanReadFile, HasModelPermission, HasObjectPermission
from .explanation import Explanation, explain
from .field_permissions import FieldPermissions
from .filters import Readable, content_object_in, get_readable, owned_by
from .links import HasValidSignature, SignedLink, get_signed_url, revoke_links
from .ownership import IsOwner

__all__ = [
    "CanReadFile",
    "DenyAll",
    "Explanation",
    "FieldPermissions",
    "FilePermission",
    "HasModelPermission",
    "HasObjectPermission",
    "HasValidSignature",
    "IsOwner",
    "Readable",
    "SignedLink",
    "content_object_in",
    "decide",
    "evaluate",
    "explain",
    "get_readable",
    "get_signed_url",
    "may_read",
    "owned_by",
    "revoke_links",
]
