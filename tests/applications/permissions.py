from rest_framework.permissions import IsAdminUser

from proxy_storage_permissions import FieldPermissions, IsOwner
from tests.applications.models import Picture


class OwnPictures(FieldPermissions):
    model = Picture
    permissions = {"image": IsOwner("user")}


PictureFiles = OwnPictures | IsAdminUser
