from filer.models import File
from rest_framework.permissions import IsAdminUser
from wagtail.documents import get_document_model
from wagtail.images import get_image_model

from proxy_storage_permissions import FieldPermissions, IsOwner
from tests.applications.models import Picture

Image = get_image_model()


class OwnPictures(FieldPermissions):
    model = Picture
    permissions = {"image": IsOwner("user")}


class OwnDocuments(FieldPermissions):
    """The documents of wagtail."""

    model = get_document_model()
    permissions = {"file": IsOwner("uploaded_by_user")}


class OwnImages(FieldPermissions):
    """The images of wagtail."""

    model = Image
    permissions = {"file": IsOwner("uploaded_by_user")}


class OwnRenditions(FieldPermissions):
    """The renditions of wagtail's images."""

    model = Image.get_rendition_model()
    permissions = {"file": IsOwner("image.uploaded_by_user")}


class OwnFiles(FieldPermissions):
    """The files and images of django-filer."""

    model = File
    permissions = {"file": IsOwner("owner")}


PictureFiles = OwnPictures | IsAdminUser
ProjectFiles = PictureFiles | OwnDocuments | OwnImages | OwnRenditions | OwnFiles
