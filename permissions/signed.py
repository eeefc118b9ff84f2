"""Permission by a signed link."""

from __future__ import annotations

from collections.abc import Collection
from time import time
from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.meta_backends.base import MetaBackendObject

from .base import FilePermission
from .links import get_end_of_link

_EXPIRED = "proxy_storage_link_has_expired"


def is_marked_as_expired(request: Request) -> bool:
    """Return whether `HasValidSignature` has found a link that has expired.

    A rule around it may allow the request nevertheless. A refusal can give this reason.
    """
    return _EXPIRED in vars(request)


class HasValidSignature(FilePermission):
    """Allow who comes by a link that was made with `links.get_signed_url`.

    A link is good for its file, for its method, disposition and user, until it expires or
    is revoked. It opens the file and tells nothing else of it: where the view has actions,
    only those of `actions` follow links.
    """

    #: actions that do what a link is for; ``record``, ``list`` and ``link`` do not
    actions: Collection[str] = ("authorize", "download", "remove")

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare the signature with one that such a link to this file would have.

        A view that answers for another request, as ``authorize`` does, tells the method of
        that one by ``method_asked_for(request)``.
        """
        asked_view: Any = view  # an APIView has neither of these
        if hasattr(asked_view, "action") and asked_view.action not in self.actions:
            return False
        method = request.method
        if hasattr(asked_view, "method_asked_for"):
            method = asked_view.method_asked_for(request)
        end = get_end_of_link(obj, request.query_params, str(method), request.user)
        if end is None:
            return False
        is_valid = time() < end
        if not is_valid:
            vars(request)[_EXPIRED] = True
        return is_valid

    def get_filter(self, request: Request, view: APIView, models: Collection[type[Model]]) -> bool:
        """Select nothing: a link is to one file."""
        return False
