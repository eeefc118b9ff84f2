"""The original storage delivers the bytes itself, to whoever has a presigned URL."""

from __future__ import annotations

from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.presigned import get_presigned_url, get_signing_problem
from proxy_storage.serving.base import ServerBase


class RedirectServer(ServerBase):
    """Redirect to a URL of the original storage that is good for a short time.

    Whoever is given the URL can read the file until it expires, also if the permission is
    taken away in the meantime.

    Args:
        expires_in: for how many seconds the URL is good. A player that goes on reading by
            it needs longer than a download, which only has to begin.
        max_age: for how many seconds the client may remember the redirect and not ask
            again; shorter than ``expires_in``. 0: always ask.

    Source: RFC 9110 section 15.4.3 (302), RFC 9111 section 5.2.2.
    """

    def __init__(self, expires_in: int = 300, max_age: int = 0) -> None:
        if expires_in < 1:
            raise ValueError(f"expires_in must be a number of seconds, not {expires_in!r}")
        if not 0 <= max_age < expires_in:
            raise ValueError(f"max_age must be shorter than expires_in, not {max_age!r}")
        self.expires_in = expires_in
        self.cache_control = f"private, max-age={max_age}" if max_age else "private, no-store"

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why the storage gives no presigned URLs, if it gives none."""
        return get_signing_problem(original_storage)

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer 302 with a URL that is signed for the method of the request."""
        url = get_presigned_url(
            meta_backend_obj.get_original_storage(),
            meta_backend_obj["original_storage_path"],
            method=str(request.method),
            expires_in=self.expires_in,
            headers=headers,
        )
        response = HttpResponseRedirect(
            url, headers={**headers, "Cache-Control": self.cache_control}
        )
        # of the file, which is not what comes
        for header in ("Content-Type", "Content-Disposition"):
            del response[header]
        return response
