"""The URL that leads to a file: the download endpoint, asked for the path."""

from urllib.parse import urlencode

from django.apps import apps
from django.urls import NoReverseMatch, reverse

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_meta_backends
from proxy_storage.settings import proxy_storage_settings

API_APP = "proxy_storage_api"
API_URL_NAME = "proxy_storage_api:files"


def get_file_url(path: str, proxy_storage_name: str) -> str | None:
    """Return the endpoint's URL for a path.

    Args:
        path: the path of a record.
        proxy_storage_name: the storage it is a path of. It becomes a part of the URL where
            records are in more than one meta backend, since a path is unique within one.

    Returns:
        ``None`` where the project has no endpoint: ``FILE_URL_NAME`` is not set and
        proxy_storage_api is not installed.

    Raises:
        ConfigurationError: there should be an endpoint, but no URL leads to it. Giving
            out the original's own URL instead could go around every permission.
    """
    url_name = proxy_storage_settings.FILE_URL_NAME
    if url_name is None:
        if not apps.is_installed(API_APP):
            return None
        url_name = API_URL_NAME
    try:
        endpoint = reverse(url_name)
    except NoReverseMatch as error:
        raise ConfigurationError(
            f"No URL is named {url_name!r}. Add path('files/', include('proxy_storage_api.urls')) "
            "to the project's URLs, or set PROXY_STORAGE['FILE_URL_NAME']."
        ) from error
    query = {"path": path}
    if len(get_meta_backends()) > 1:
        query["storage"] = proxy_storage_name
    return f"{endpoint}?{urlencode(query)}"
