"""The document, with the field of this package."""

from proxy_storage.db.fields import ProxyStorageFileField
from tests.comparison.site.models import DocumentBase, get_folder


class Document(DocumentBase):
    """A document of django-proxy-storage."""

    file = ProxyStorageFileField(upload_to=get_folder)
