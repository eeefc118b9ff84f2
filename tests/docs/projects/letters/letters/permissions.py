from rest_framework.permissions import IsAdminUser

from letters.models import Letter
from proxy_storage_permissions import FieldPermissions, IsOwner


class LetterFiles(FieldPermissions):
    model = Letter
    permissions = {"scan": IsOwner("reader") | IsAdminUser}
