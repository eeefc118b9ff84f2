"""Who may read what: as in the example, and by links; staff everything."""

from rest_framework.permissions import IsAdminUser

from jobs.permissions import JobApplyFiles
from proxy_storage_permissions import HasValidSignature

READERS = IsAdminUser | JobApplyFiles | HasValidSignature
