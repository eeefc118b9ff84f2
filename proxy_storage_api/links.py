"""``POST link/``: a signed link to a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_api.access import FileAccess
from proxy_storage_api.serializers import LinkAnswerSerializer, LinkSerializer
from proxy_storage_permissions import get_signed_url
from proxy_storage_permissions.base import get_drf_request
from proxy_storage_permissions.links import can_be_named


class LinkMixin(FileAccess):
    """Issue links to those who may read a file."""

    @action(detail=False, methods=["post"], serializer_class=LinkSerializer)
    def link(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with a link that opens the file until it expires."""
        serializer = LinkSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        self._lookup = (given["path"], given.get("storage") or None)
        record = self.get_object()
        user = request.user if given["only_me"] else None
        # a project may have no user for those who are not logged in
        is_named = bool(user and user.is_authenticated and can_be_named(user))
        if given["only_me"] and not is_named:
            if self._failed_authentication is not None:
                raise self._failed_authentication
            raise ValidationError({"only_me": ["You are not logged in."]})
        link = get_signed_url(
            record,
            request=request,
            max_age=given.get("max_age"),
            as_attachment=given["disposition"] == "attachment",
            user=user,
        )
        self._check_link(link.url, record, user)
        answer = LinkAnswerSerializer({"url": link.url, "expires_at": link.expires_at})
        return Response(answer.data)

    def _check_link(self, url: str, record: MetaBackendObject, user: Any) -> None:
        """Make sure that the link will open the file: the permissions may take none.

        Raises:
            PermissionDenied: 403, they would refuse it.
        """
        asked = HttpRequest()
        asked.method = "GET"
        asked.META = {**self.request.META, "REQUEST_METHOD": "GET"}
        # who comes by the link brings nothing of the one who has asked for it
        for name in ("HTTP_COOKIE", "HTTP_AUTHORIZATION"):
            asked.META.pop(name, None)
        if hasattr(self.request, "session"):
            asked.session = type(self.request.session)()
        asked.GET = QueryDict(urlsplit(url).query)
        if user is not None:
            asked.user = user
        request = get_drf_request(asked)
        with self._acting_as("download"):
            answers = [self._decide(one, request, record) for one in self.get_permissions()]
        if not all(answers):
            raise PermissionDenied("Links to this file are not accepted.")
