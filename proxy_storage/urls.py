"""The URL that leads to a file: the download endpoint with the path as its query."""

from urllib.parse import urlencode

from django.apps import apps
from django.urls import NoReverseMatch, reverse

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import proxy_storage_settings

API_APP = "proxy_storage_api"
API_URL_NAME = "proxy_storage_api:files"


def get_file_url(path: str) -> str | None:
    """Return the endpoint's URL for a path.

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
    return f"{endpoint}?{urlencode({'path': path})}"
