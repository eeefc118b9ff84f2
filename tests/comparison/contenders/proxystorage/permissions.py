"""The permission for the files of documents."""

from proxy_storage_permissions import FieldPermissions, IsOwner
from tests.comparison.contenders.proxystorage.models import Document


class DocumentFiles(FieldPermissions):
    """Only the owner may read a file."""

    model = Document
    permissions = {"file": IsOwner("owner")}
