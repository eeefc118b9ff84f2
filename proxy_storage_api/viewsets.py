"""The viewset behind ``files/``."""

from __future__ import annotations

from typing import Any

from proxy_storage_api.authorize import AuthorizeMixin
from proxy_storage_api.links import LinkMixin
from proxy_storage_api.records import RecordsMixin
from proxy_storage_api.removal import RemovalMixin
from proxy_storage_api.uploads import UploadMixin


class FileViewSet(AuthorizeMixin, RecordsMixin, LinkMixin, UploadMixin, RemovalMixin):
    """Deliver files to those who may read them, and tell of them.

    It is included by ``proxy_storage_api.urls``, or registered in a router of the project.
    Who may read is for ``permission_classes`` to say, by default those of
    ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``; they get the file's record as the
    object. Uploads and deletes are off until they have permissions of their own.
    """

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view; DRF's routers know no ``DELETE`` for the resource of a list."""
        if actions and actions.get("get") == "list":
            actions = {"delete": "remove", **actions}
        return super().as_view(actions, **initkwargs)
