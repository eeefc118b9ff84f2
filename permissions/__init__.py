"""DRF permission classes that decide by the owner of a file.

Installed as ``proxy_storage_permissions``::

    from rest_framework.permissions import AllowAny, IsAdminUser
    from proxy_storage_permissions import FieldPermissions, IsOwner

    class JobApplyFiles(FieldPermissions):
        model = JobApply
        permissions = {"avatar": AllowAny, "resume": IsOwner("user") | IsAdminUser}
"""

from .base import FilePermission, decide
from .fields import FieldPermissions
from .ownership import IsOwner

__all__ = ["FieldPermissions", "FilePermission", "IsOwner", "decide"]
