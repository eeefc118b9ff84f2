"""Files at the URLs that they had before, such as ``/media/letters/cv.pdf``.

::

    path("media/<path:file_path>", MediaViewSet.as_view(storage="letters"))
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rest_framework.exceptions import NotFound

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.lookup import get_paths_of_name
from proxy_storage_api.settings import api_settings
from proxy_storage_api.viewsets import FileViewSet


class MediaViewSet(FileViewSet):
    """Deliver the files of one proxy storage by their relative names.

    The permissions, responses and signals are those of the endpoint. The file is not
    redirected, because the target would contain the path of the record, which may be a path on the
    server's disk. The query is that of the endpoint as well, so that a signed link is valid for
    both URLs.

    The name in the URL is the argument ``file_path``.
    """

    #: The name of the proxy storage.
    storage = "default"

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view, which delivers files only."""
        return super().as_view(actions or {"get": "download"}, **initkwargs)

    def get_requested_file(self) -> tuple[str, str | None]:
        """Return the name in the URL, and the name of the proxy storage."""
        name, _ = super().get_requested_file()
        return name, self.storage

    def find_record(self, path: str, proxy_storage_name: str | None = None) -> MetaBackendObject:
        """Return the record of the file with a relative name.

        With ``HIDE_FORBIDDEN``, all paths that the name can mean are looked up, so that the number
        of queries does not reveal whether a file exists.

        Args:
            path: the relative name.
            proxy_storage_name: the name of the proxy storage.

        Raises:
            NotFound: no record has one of the paths.
            MetaBackendUnavailable: a meta backend is not available.
        """
        found: MetaBackendObject | None = None
        for candidate in get_paths_of_name(get_proxy_storage(self.storage), path):
            with suppress(NotFound):
                record = super().find_record(candidate, proxy_storage_name)
                found = found or record
                if not api_settings.HIDE_FORBIDDEN:
                    break
        if found is None:
            raise NotFound
        return found
