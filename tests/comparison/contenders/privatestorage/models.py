"""The document, with the field of django-private-storage."""

from private_storage.fields import PrivateFileField

from tests.comparison.site.models import DocumentBase, get_folder


class Document(DocumentBase):
    """A document of django-private-storage."""

    file = PrivateFileField(upload_to=get_folder)


def is_owner(private_file):
    """The function in PRIVATE_STORAGE_AUTH_FUNCTION."""
    user = private_file.request.user
    return (
        user.is_authenticated
        and Document.objects.filter(file=private_file.relative_name, owner=user).exists()
    )
