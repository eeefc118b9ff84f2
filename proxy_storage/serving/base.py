"""What a server is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from django.core.files.storage import Storage
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject


class ServerBase(ABC):
    """A way to deliver a file. The keys of ``OPTIONS`` are the constructor's arguments.

    An instance is shared between threads and keeps nothing about a request.
    """

    #: whether its answers are empty, for a web server in front to put the file in
    hands_over = False

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why this server cannot deliver files of a storage, if it cannot.

        A system check asks this at the start, so nothing may be connected to.
        """
        return None

    @abstractmethod
    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer a request for a file that the requester may have.

        Args:
            request: a GET or HEAD request.
            meta_backend_obj: the file's record.
            headers: what every file answer says, content type and disposition included;
                the response has to carry all of them.

        Raises:
            ProxyFileNotFoundError: the bytes are gone.
            ServingError: this server has no way to deliver the file.
        """
