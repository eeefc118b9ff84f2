"""Permissions for the files of job applications."""

from rest_framework.permissions import AllowAny, IsAdminUser

from jobs.models import JobApply
from jobs.thumbnails import THUMBNAIL_PATH
from proxy_storage_permissions import (
    CanReadSource,
    FieldPermissions,
    HasValidSignature,
    IsOwner,
    IsUploader,
)

OwnerAndStaff = IsOwner("user") | IsAdminUser | HasValidSignature


class JobApplyFiles(FieldPermissions):
    """All users may read avatars. Other files are for their owner, staff, and signed links."""

    model = JobApply
    permissions = {"avatar": AllowAny, "resume": OwnerAndStaff, "certificate": OwnerAndStaff}


class DeletableFiles(FieldPermissions):
    """The owner may delete a certificate. The other files are required."""

    model = JobApply
    permissions = {"certificate": IsOwner("user")}


#: The files of applications, their thumbnails, and uploads that are not attached yet.
SiteFiles = JobApplyFiles | CanReadSource(THUMBNAIL_PATH, JobApplyFiles) | IsUploader
#: The files that a DELETE request of the API may delete.
SiteDeletions = DeletableFiles | IsUploader
