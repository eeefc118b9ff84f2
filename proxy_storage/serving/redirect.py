"""Redirect to presigned URLs, so that the original storage itself delivers the files."""

from __future__ import annotations

from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.presigned import get_presigned_url, get_signing_problem
from proxy_storage.serving.base import ServerBase


class RedirectServer(ServerBase):
    """Redirect to a presigned URL of the original storage.

    Anyone with the URL can read the file until the URL expires, even if the permission is
    revoked earlier.

    Args:
        expires_in: lifetime of the URL in seconds. A media player requests the URL again and
            again while it plays. A download needs the URL only at its start.
        max_age: time in seconds for which the client may cache the redirect, shorter than
            ``expires_in``. 0: the client requests the endpoint each time.

    Source: RFC 9110 section 15.4.3 (302), RFC 9111 section 5.2.2.
    """

    def __init__(self, expires_in: int = 300, max_age: int = 0) -> None:
        if expires_in < 1:
            raise ValueError(f"expires_in must be at least 1 second, not {expires_in!r}.")
        if not 0 <= max_age < expires_in:
            raise ValueError(
                f"max_age must be at least 0 and less than expires_in ({expires_in!r}), not "
                f"{max_age!r}."
            )
        self.expires_in = expires_in
        self.cache_control = f"private, max-age={max_age}" if max_age else "private, no-store"

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why the storage cannot create presigned URLs, or ``None`` if it can."""
        return get_signing_problem(original_storage)

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Return a 302 with a URL that is signed for the method of the request."""
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
        # These headers describe the file, not this response.
        for header in ("Content-Type", "Content-Disposition"):
            del response[header]
        return response
