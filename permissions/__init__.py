"""DRF permission classes for files, which depend on the content object and the field of a file.

Installed as ``proxy_storage_permissions``::

    from rest_framework.permissions import AllowAny, IsAdminUser
    from proxy_storage_permissions import FieldPermissions, IsOwner

    class JobApplyFiles(FieldPermissions):
        model = JobApply
        permissions = {"avatar": AllowAny, "resume": IsOwner("user") | IsAdminUser}
"""

from proxy_storage.exceptions import ConfigurationError

try:
    import rest_framework  # noqa: F401  (The modules of this package import it.)
except ImportError as error:  # pragma: no cover  (tests/project has an environment without it)
    raise ConfigurationError(
        "proxy_storage_permissions needs Django REST framework. Install it with: "
        'pip install "django-proxy-storage[api]"'
    ) from error

from .base import DenyAll, FilePermission, decide, evaluate, may_read
from .content_object import CanReadFile, HasModelPermission, HasObjectPermission
from .explanation import Explanation, explain
from .field_permissions import FieldPermissions
from .filters import Readable, content_object_in, get_readable, owned_by
from .link_lists import get_signed_urls
from .links import HasValidSignature, SignedLink, get_signed_url, revoke_links
from .ownership import IsOwner
from .path_prefix import HasPathPrefix
from .source import CanReadSource, get_easy_thumbnails_source
from .uploader import IsUploader, get_uploader_data

__all__ = [
    "CanReadFile",
    "CanReadSource",
    "DenyAll",
    "Explanation",
    "FieldPermissions",
    "FilePermission",
    "HasModelPermission",
    "HasObjectPermission",
    "HasPathPrefix",
    "HasValidSignature",
    "IsOwner",
    "IsUploader",
    "Readable",
    "SignedLink",
    "content_object_in",
    "decide",
    "evaluate",
    "explain",
    "get_easy_thumbnails_source",
    "get_readable",
    "get_signed_url",
    "get_signed_urls",
    "get_uploader_data",
    "may_read",
    "owned_by",
    "revoke_links",
]
